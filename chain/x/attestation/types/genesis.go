package types

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// Bounds of a policy.
const (
	MaxMeasurements = 64
	MaxAgeBlocks    = 1 << 32
	MaxDelay        = 1 << 32 // blocks
	maxCommit       = 64      // bytes
	maxNames        = 128     // advisories, warnings, floors
	maxName         = 64      // bytes of one
	worstLevel      = 5
	maxRoots        = 16
)

// NetworkVersion is the version of wire.NetworkParams that the chain stores.
const NetworkVersion = 1

// DefaultGenesis is a production network that trusts no program yet.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Network: &wire.NetworkParams{Version: NetworkVersion, ActivationDelay: attest.MinActivationDelay}}
}

// Validate refuses a genesis that could not have been exported.
func (g *GenesisState) Validate() error {
	if g.Network == nil {
		return ErrGenesis.Wrap("attestation.network is missing: write {\"development\": false}")
	}
	if v := g.Network.Version; v > NetworkVersion {
		return ErrGenesis.Wrapf("attestation.network.version %d: this program knows %d", v, NetworkVersion)
	}
	if err := validateNetwork(g.Network); err != nil {
		return err
	}
	for i, c := range g.Collateral {
		if len(c.GetData()) == 0 || len(c.Data) > attest.MaxItem {
			return ErrGenesis.Wrapf("attestation.collateral[%d]: %d bytes: want 1 to %d", i, len(c.GetData()), attest.MaxItem)
		}
		if c.KeptUntil == 0 {
			return ErrGenesis.Wrapf("attestation.collateral[%d]: kept_until is missing: want the height at which it may be forgotten", i)
		}
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

func validateNetwork(n *wire.NetworkParams) error {
	if d := n.ActivationDelay; d > MaxDelay || (!n.Development && d != 0 && d < attest.MinActivationDelay) {
		return ErrGenesis.Wrapf("attestation.network.activation_delay %d: want %d to %d blocks, or 0 for the least; only a development network may have less",
			d, attest.MinActivationDelay, uint64(MaxDelay))
	}
	if len(n.DevelopmentRoots) > 0 && !n.Development {
		return ErrGenesis.Wrap("attestation.network.development_roots: only a network whose genesis says development may believe makers of its own")
	}
	if len(n.DevelopmentRoots) > maxRoots {
		return ErrGenesis.Wrapf("attestation.network.development_roots: %d, at most %d", len(n.DevelopmentRoots), maxRoots)
	}
	for i, r := range n.DevelopmentRoots {
		if r.GetKind() == wire.TEE_KIND_TPM && len(r.Certificate) == 0 {
			if n := len(r.AkName); n != 34 && n != 50 && n != 66 {
				return ErrGenesis.Wrapf("attestation.network.development_roots[%d]: ak_name of %d bytes: want the 2 bytes of its hash's number and 32, 48 or 64 of the hash", i, n)
			}
			continue
		}
		if len(r.GetAkName()) != 0 {
			return ErrGenesis.Wrapf("attestation.network.development_roots[%d]: a certificate and an ak_name, or an ak_name that is no TPM's: give one of them", i)
		}
		if _, err := x509.ParseCertificate(r.GetCertificate()); err != nil {
			return ErrGenesis.Wrapf("attestation.network.development_roots[%d]: %v: want a certificate in DER", i, err)
		}
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
	if err := validateTCB(n, p); err != nil {
		return err
	}
	return validateMeasurements(p.Measurements)
}

// validateTCB refuses a policy that would accept no hardware by mistake, or more than it may.
func validateTCB(n *wire.NetworkParams, p *wire.Policy) error {
	hardware := slices.ContainsFunc(p.Kinds, func(k wire.TeeKind) bool { return k != wire.TEE_KIND_SIMULATED })
	switch {
	case p.WorstLevel > worstLevel:
		return ErrPolicy.Wrapf("worst_level %d: want 1 (up to date) to %d (out of date)", p.WorstLevel, worstLevel)
	case hardware && p.WorstLevel == 0:
		return ErrPolicy.Wrapf("worst_level is missing: say which confidence level still counts, 1 (up to date) to %d (out of date)", worstLevel)
	case p.Debug && !n.GetDevelopment():
		return ErrPolicy.Wrap("debug: only a network whose genesis says development may take enclaves that their host can read")
	case len(p.Advisories) > maxNames || len(p.Warnings) > maxNames || len(p.Floors) > maxNames:
		return ErrPolicy.Wrapf("%d advisories, %d warnings, %d floors: at most %d each", len(p.Advisories), len(p.Warnings), len(p.Floors), maxNames)
	}
	for _, name := range slices.Concat(p.Advisories, p.Warnings) {
		if name == "" || len(name) > maxName {
			return ErrPolicy.Wrapf("advisory or warning %q: want 1 to %d bytes", name, maxName)
		}
	}
	for i, f := range p.Floors {
		if f.GetName() == "" || len(f.Name) > maxName || f.Least == 0 || !slices.Contains(p.Kinds, f.Kind) {
			return ErrPolicy.Wrapf("floor %d: %s %q at least %d: want a kind of the policy, a name of 1 to %d bytes and a version above 0", i, f.GetKind(), f.GetName(), f.GetLeast(), maxName)
		}
	}
	return nil
}

func validateKinds(n *wire.NetworkParams, kinds []wire.TeeKind) error {
	seen := make(map[wire.TeeKind]bool)
	for _, k := range kinds {
		switch {
		case k <= wire.TEE_KIND_UNSPECIFIED || k > wire.TEE_KIND_AZURE_SEV_SNP:
			return ErrPolicy.Wrapf("unknown TEE kind %d", k)
		case seen[k]:
			return ErrPolicy.Wrapf("%s is named twice", k)
		case attest.DevelopmentOnly(k) && !n.GetDevelopment():
			return ErrPolicy.Wrapf("%s proves no hidden memory: only a network whose genesis says development may allow it", k)
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
