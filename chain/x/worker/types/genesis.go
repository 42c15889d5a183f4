package types

import (
	"bytes"

	"cosmossdk.io/math"

	"github.com/phala-go/phala/core/wire"
)

// DefaultGenesis asks every worker for a bond of 1 PHA.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: &Params{MinBond: "1000000000000"}}
}

// Validate refuses a genesis that could not have been exported.
func (g *GenesisState) Validate() error {
	if g.Params == nil {
		return ErrGenesis.Wrap("worker.params is missing")
	}
	if _, err := ParseAmount(g.Params.MinBond); err != nil {
		return ErrGenesis.Wrapf("worker.params.min_bond: %v", err)
	}
	evidence := make(map[string]*wire.WorkerEvidence)
	for i, e := range g.Evidence {
		name := e.GetIdentity().GetWorker().Name()
		if e.GetIdentity().GetWorker() == nil || evidence[name] != nil {
			return ErrGenesis.Wrapf("worker.evidence[%d]: worker %s is missing or repeated", i, name)
		}
		evidence[name] = e
	}
	if len(g.Workers) != len(g.Evidence) {
		return ErrGenesis.Wrapf("worker: %d workers with %d pieces of evidence: each needs its own", len(g.Workers), len(g.Evidence))
	}
	workers, identities := make(map[string]bool), make(map[string]bool)
	for i, w := range g.Workers {
		name := w.GetWorker().Name()
		e := evidence[name]
		switch {
		case w.GetWorker() == nil || workers[name]:
			return ErrGenesis.Wrapf("worker.workers[%d]: worker %s is missing or repeated", i, name)
		case e == nil || !bytes.Equal(wire.Hash(e), w.EvidenceHash):
			return ErrGenesis.Wrapf("worker.workers[%d]: evidence of %s is missing or has another hash", i, name)
		case len(w.IdentityKey) != keySize || identities[string(w.IdentityKey)]:
			return ErrGenesis.Wrapf("worker.workers[%d]: identity key %x is malformed or repeated", i, w.IdentityKey)
		}
		if _, err := ParseAmount(w.Bond); err != nil {
			return ErrGenesis.Wrapf("worker.workers[%d]: bond: %v", i, err)
		}
		workers[name], identities[string(w.IdentityKey)] = true, true
	}
	return nil
}

// Bonds is the sum of all bonds of a validated genesis.
func (g *GenesisState) Bonds() math.Int {
	sum := math.ZeroInt()
	for _, w := range g.Workers {
		if n, err := ParseAmount(w.Bond); err == nil {
			sum = sum.Add(n)
		}
	}
	return sum
}
