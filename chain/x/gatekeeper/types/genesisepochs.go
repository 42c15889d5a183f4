package types

import (
	"bytes"

	"github.com/phala-go/phala/core/wire"
)

// maxEpochBlocks bounds what an attacker who has everything at one moment can still read: a week at a block a second.
const maxEpochBlocks = 604_800

// ValidateFor refuses a set, rosters and parameters that the network may not have.
func (g *GenesisState) ValidateFor(n *wire.NetworkParams) error {
	if err := validateParams(n, g.Params); err != nil {
		return err
	}
	if err := ValidateSet(n, g.Set); err != nil {
		return err
	}
	if p := g.PreviousSet; p != nil {
		if err := ValidateSet(n, p); err != nil || p.Epoch >= g.Set.Epoch {
			return ErrGenesis.Wrapf("gatekeeper.previous_set of epoch %d, the set is of epoch %d (%v)", p.Epoch, g.Set.Epoch, err)
		}
	}
	for _, r := range []*wire.GatekeeperRoster{g.Roster, g.RosterInForce} {
		if r == nil {
			continue
		}
		if err := CheckRoster(n, r.Threshold, r.Members); err != nil {
			return ErrGenesis.Wrapf("gatekeeper.roster: %v", err)
		}
		if r.FromHeight < r.ApprovedHeight {
			return ErrGenesis.Wrapf("gatekeeper.roster: from_height %d comes before approved_height %d", r.FromHeight, r.ApprovedHeight)
		}
	}
	if g.RosterInForce != nil && g.Roster == nil {
		return ErrGenesis.Wrap("gatekeeper.roster is missing, roster_in_force is not")
	}
	return nil
}

func validateParams(n *wire.NetworkParams, p *wire.KeyParams) error {
	switch {
	case p == nil || p.PhaseBlocks == 0 || p.PhaseBlocks > 10_000:
		return ErrGenesis.Wrapf("gatekeeper.params.phase_blocks is %d: want 1 to 10000", p.GetPhaseBlocks())
	case p.EpochBlocks == 0 && !n.GetDevelopment():
		return ErrGenesis.Wrap("gatekeeper.params.epoch_blocks is 0: outside development keys have to be made anew")
	case p.EpochBlocks != 0 && p.EpochBlocks <= 3*p.PhaseBlocks || p.EpochBlocks > maxEpochBlocks:
		return ErrGenesis.Wrapf("gatekeeper.params.epoch_blocks is %d: want more than three phases of %d, and at most %d", p.EpochBlocks, p.PhaseBlocks, maxEpochBlocks)
	case p.AnnounceAhead > 10_000:
		return ErrGenesis.Wrapf("gatekeeper.params.announce_ahead is %d: want at most 10000", p.AnnounceAhead)
	case p.SlashSilent > 10_000 || p.SlashLie > 10_000:
		return ErrGenesis.Wrapf("gatekeeper.params: slash_silent %d and slash_lie %d are in parts of 10000", p.SlashSilent, p.SlashLie)
	}
	return nil
}

// validateGeneration wants what members have sent to be what the generation says they have.
func (g *GenesisState) validateGeneration() error {
	v := g.Generation
	if v != nil && (v.Epoch == 0 || v.Attempt == 0 || v.Phase == 0 || len(v.Members) == 0) {
		return ErrGenesis.Wrap("gatekeeper.generation has no epoch, attempt, phase or members: leave it out before the first")
	}
	joins, contributions := make(map[uint32][]byte), make(map[uint32][]byte)
	for _, j := range g.Joins {
		if j != nil {
			joins[j.Member] = wire.Hash(j)
		}
	}
	for _, c := range g.Contributions {
		if c != nil {
			contributions[c.Member] = wire.Hash(c)
		}
	}
	joined, contributed := 0, 0
	for i, m := range v.GetMembers() {
		if m.GetWorker() == nil || !bytes.Equal(joins[uint32(i)], m.JoinHash) || !bytes.Equal(contributions[uint32(i)], m.ContributionHash) {
			return ErrGenesis.Wrapf("gatekeeper.generation.members[%d]: no worker, or another join or contribution than it says", i)
		}
		if len(m.JoinHash) != 0 {
			joined++
		}
		if len(m.ContributionHash) != 0 {
			contributed++
		}
	}
	if joined != len(g.Joins) || contributed != len(g.Contributions) {
		return ErrGenesis.Wrap("gatekeeper.joins and contributions: each belongs to one member of gatekeeper.generation")
	}
	epochs := make(map[uint64]bool)
	for i, b := range g.BeaconKeys {
		if b.GetEpoch() == 0 || epochs[b.Epoch] || b.Epoch > g.Set.Epoch {
			return ErrGenesis.Wrapf("gatekeeper.beacon_keys[%d]: epoch %d is none of the past, or repeated", i, b.GetEpoch())
		}
		epochs[b.Epoch] = true
	}
	return nil
}
