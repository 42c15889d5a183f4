package types

import (
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

// Bounds of a policy.
const (
	MaxMeasurements = 64
	MaxAgeBlocks    = 1 << 32
	maxCommit       = 64 // bytes
)

// NetworkVersion is the version of wire.NetworkParams that the chain stores.
const NetworkVersion = 1

// DefaultGenesis is a production network that trusts no program yet.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Network: &wire.NetworkParams{Version: NetworkVersion}}
}

// Validate refuses a genesis that could not have been exported.
func (g *GenesisState) Validate() error {
	if g.Network == nil {
		return ErrGenesis.Wrap("attestation.network is missing: write {\"development\": false}")
	}
	if v := g.Network.Version; v > NetworkVersion {
		return ErrGenesis.Wrapf("attestation.network.version %d: this program knows %d", v, NetworkVersion)
	}
	seen := make(map[wire.Role]bool)
	for i, p := range g.Policies {
		if err := ValidatePolicy(g.Network, p); err != nil {
			return fmt.Errorf("attestation.policies[%d]: %w", i, err)
		}
		if seen[p.Role] {
			return ErrGenesis.Wrapf("attestation.policies[%d]: %s has two policies: keep one", i, p.Role)
		}
		seen[p.Role] = true
	}
	return nil
}

// ValidatePolicy refuses a policy that the network may not have. A policy without measurements or kinds is allowed: it
// accepts nobody.
func ValidatePolicy(n *wire.NetworkParams, p *wire.Policy) error {
	if p == nil {
		return ErrPolicy.Wrap("policy is missing")
	}
	if p.Role != wire.ROLE_EXECUTOR && p.Role != wire.ROLE_GATEKEEPER {
		return ErrPolicy.Wrapf("role %s: want ROLE_EXECUTOR or ROLE_GATEKEEPER", p.Role)
	}
	if p.MaxAgeBlocks == 0 || p.MaxAgeBlocks > MaxAgeBlocks {
		return ErrPolicy.Wrapf("max_age_blocks %d: want 1 to %d", p.MaxAgeBlocks, uint64(MaxAgeBlocks))
	}
	if err := validateKinds(n, p.Kinds); err != nil {
		return err
	}
	return validateMeasurements(p.Measurements)
}

func validateKinds(n *wire.NetworkParams, kinds []wire.TeeKind) error {
	seen := make(map[wire.TeeKind]bool)
	for _, k := range kinds {
		switch {
		case k <= wire.TEE_KIND_UNSPECIFIED || k > wire.TEE_KIND_SGX:
			return ErrPolicy.Wrapf("unknown TEE kind %d", k)
		case seen[k]:
			return ErrPolicy.Wrapf("%s is named twice", k)
		case k == wire.TEE_KIND_SIMULATED && !n.GetDevelopment():
			return ErrPolicy.Wrap("TEE_KIND_SIMULATED proves nothing: only a network whose genesis says development may allow it")
		}
		seen[k] = true
	}
	return nil
}

func validateMeasurements(ms []*wire.Measurement) error {
	if len(ms) > MaxMeasurements {
		return ErrPolicy.Wrapf("%d measurements: at most %d", len(ms), MaxMeasurements)
	}
	seen := make(map[string]bool)
	for i, m := range ms {
		switch {
		case len(m.GetDigest()) < 32 || len(m.GetDigest()) > 64:
			return ErrPolicy.Wrapf("measurement %d: digest of %d bytes: want 32 to 64", i, len(m.GetDigest()))
		case len(m.SourceCommit) > maxCommit:
			return ErrPolicy.Wrapf("measurement %d: source_commit of %d bytes: at most %d", i, len(m.SourceCommit), maxCommit)
		case seen[string(m.Digest)]:
			return ErrPolicy.Wrapf("measurement %d: digest %x is named twice", i, m.Digest)
		}
		seen[string(m.Digest)] = true
	}
	return nil
}
