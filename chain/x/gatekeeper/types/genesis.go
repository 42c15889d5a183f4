package types

import (
	"github.com/phala-go/phala/core/wire"
)

// DefaultGenesis has no gatekeepers: no cluster gets keys before governance has named some. Epochs are of a day at a block a
// second; a fault costs a thousandth of the bond, a lie a tenth.
func DefaultGenesis() *GenesisState {
	return &GenesisState{
		Set:    &wire.GatekeeperSet{},
		Params: &wire.KeyParams{EpochBlocks: 86_400, PhaseBlocks: 20, AnnounceAhead: 20, SlashSilent: 10, SlashLie: 1_000},
	}
}

// Validate refuses a genesis that could not have been exported. What a network needs beyond that is for ValidateFor.
func (g *GenesisState) Validate() error {
	if err := g.ValidateFor(&wire.NetworkParams{Development: true}); err != nil {
		return err
	}
	if err := g.validateGeneration(); err != nil {
		return err
	}
	type place struct {
		cluster uint64
		worker  string
	}
	requests, words, keys := make(map[place]bool), make(map[place]bool), make(map[uint64]bool)
	for i, r := range g.Requests {
		p := place{r.GetCluster(), r.GetWorker().Name()}
		if r.GetWorker() == nil || requests[p] {
			return ErrGenesis.Wrapf("gatekeeper.requests[%d]: worker %s of cluster %d is missing or repeated", i, p.worker, p.cluster)
		}
		requests[p] = true
	}
	for i, a := range g.Announcements {
		p := place{a.GetCluster(), a.GetWorker().Name()}
		if a.GetWorker() == nil || words[p] {
			return ErrGenesis.Wrapf("gatekeeper.announcements[%d]: worker %s of cluster %d is missing or repeated", i, p.worker, p.cluster)
		}
		words[p] = true
	}
	for i, k := range g.Keys {
		if keys[k.GetCluster()] || len(k.GetInputKey()) != publicKeySize || len(k.GetCheck()) != checkSize {
			return ErrGenesis.Wrapf("gatekeeper.keys[%d]: key of cluster %d is malformed or repeated", i, k.GetCluster())
		}
		keys[k.Cluster] = true
	}
	return nil
}

// ValidateSet refuses a set that the network may not have. Outside development two gatekeepers more than the threshold
// must exist: a part has that many holders, and a wrong one is seen by comparing. A set without members is allowed: it
// serves nobody.
func ValidateSet(n *wire.NetworkParams, s *wire.GatekeeperSet) error {
	switch {
	case s == nil:
		return ErrGenesis.Wrap("gatekeeper.set is missing: leave it as it is by default")
	case len(s.Members) == 0 && s.Threshold == 0:
		return nil
	case s.Epoch == 0:
		return ErrGenesis.Wrap("gatekeeper.set has members and its epoch is 0: the first epoch is 1; name the first gatekeepers in gatekeeper.roster")
	case s.Threshold == 0 || int(s.Threshold) > len(s.Members):
		return ErrGenesis.Wrapf("gatekeeper.set: threshold %d with %d members: want 1 to %d", s.Threshold, len(s.Members), len(s.Members))
	case !n.GetDevelopment() && len(s.Members)-int(s.Threshold) < 2:
		return ErrGenesis.Wrapf("gatekeeper.set: threshold %d with %d members: want two members more than the threshold, outside development", s.Threshold, len(s.Members))
	}
	seen := make(map[string]bool)
	for i, m := range s.Members {
		name := m.GetWorker().Name()
		if m.GetWorker().GetOperator() == "" || seen[name] {
			return ErrGenesis.Wrapf("gatekeeper.set.members[%d]: worker %s is missing or repeated", i, name)
		}
		if len(m.IdentityKey) != 32 && (len(m.IdentityKey) != 0 || m.Fault == wire.MEMBER_FAULT_NONE) {
			return ErrGenesis.Wrapf("gatekeeper.set.members[%d]: identity_key of %d bytes: want 32; who never joined has none, and a fault", i, len(m.IdentityKey))
		}
		seen[name] = true
	}
	return nil
}
