// Package generation makes the keys of an epoch among the gatekeepers of a roster, each drawn by all who will hold it: joining
// with one-time keys, one sealed contribution from each to each, complaints that the chain decides on the spot, and a border.
// docs/spec/keys.md is its specification.
//
// Member is what runs inside one gatekeeper; the Check functions, Judge and Next are what the chain runs. All is pure: time is
// the chain's height, randomness an argument. It must never let a secret out of a Member but sealed or from Keys, never move a
// member's index, and never let who lied keep its word.
package generation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/wire"
)

// New begins attempt of epoch among members at height; each phase takes phaseBlocks blocks at most. It refuses what Sets does, an
// epoch or attempt of zero, phases of no block, and a member that stands there twice.
func New(epoch uint64, attempt, threshold uint32, members []*wire.WorkerRef, height, phaseBlocks uint64) (*wire.Generation, error) {
	g := &wire.Generation{
		Epoch: epoch, Attempt: attempt, Threshold: threshold, Phase: wire.GENERATION_PHASE_JOIN,
		StartedHeight: height, PhaseHeight: height, Deadline: height + phaseBlocks,
	}
	for i, w := range members {
		for _, o := range members[:i] {
			if w.Is(o) {
				return nil, fmt.Errorf("beginning a generation: worker %s is invited twice", w.Name())
			}
		}
		g.Members = append(g.Members, &wire.GenerationMember{Worker: w})
	}
	if g.Deadline <= height {
		return nil, fmt.Errorf("beginning a generation: phases of %d blocks from height %d", phaseBlocks, height)
	}
	if _, err := setsOf(g); err != nil {
		return nil, fmt.Errorf("beginning a generation: %w", err)
	}
	return g, nil
}

// Least is how many members have to be left for a generation to go on: t outside of which nobody need be compared, or, in
// production, t+1, so that every key has two holders.
func Least(threshold uint32, development bool) uint32 {
	if development {
		return threshold
	}
	return threshold + 1
}

// Next advances a generation at the end of the block of height, after its messages; least is Least's. Members that the phase
// waits for in vain until its deadline are excluded as silent; with fewer than least members left the generation has failed. It
// says whether it changed anything.
func Next(g *wire.Generation, height uint64, least uint32) bool {
	done, next := stage(g)
	if done == nil {
		return false
	}
	late := height >= g.Deadline
	waits, left := false, uint32(0)
	for _, m := range g.Members {
		switch {
		case m.Fault != wire.MEMBER_FAULT_NONE:
		case done(m):
			left++
		case late:
			m.Fault = wire.MEMBER_FAULT_SILENT
		default:
			waits = true
			left++
		}
	}
	switch {
	case left < least || left < g.Threshold:
		enter(g, wire.GENERATION_PHASE_FAILED, height)
	case !waits:
		enter(g, next, height)
	default:
		return false
	}
	return true
}

// stage says what a phase waits for in each member and which follows; nothing follows an end.
func stage(g *wire.Generation) (done func(*wire.GenerationMember) bool, next wire.GenerationPhase) {
	switch g.GetPhase() {
	case wire.GENERATION_PHASE_JOIN:
		return joined, wire.GENERATION_PHASE_CONTRIBUTE
	case wire.GENERATION_PHASE_CONTRIBUTE:
		return func(m *wire.GenerationMember) bool { return len(m.ContributionHash) > 0 }, wire.GENERATION_PHASE_CONFIRM
	case wire.GENERATION_PHASE_CONFIRM:
		return func(m *wire.GenerationMember) bool { return m.Confirmed }, wire.GENERATION_PHASE_DONE
	}
	return nil, 0
}

// enter begins a phase, which has as many blocks as the one before it.
func enter(g *wire.Generation, phase wire.GenerationPhase, height uint64) {
	blocks := g.Deadline - g.PhaseHeight
	g.Phase, g.PhaseHeight, g.Deadline = phase, height, height+blocks
	if phase == wire.GENERATION_PHASE_DONE || phase == wire.GENERATION_PHASE_FAILED {
		g.Deadline = 0
	}
}

// Set is who holds parts in the epoch that a finished generation has begun. Excluded members keep their index and hold nothing.
func Set(g *wire.Generation) (*wire.GatekeeperSet, error) {
	if g.GetPhase() != wire.GENERATION_PHASE_DONE {
		return nil, fmt.Errorf("reading the set of epoch %d: its generation is in phase %s", g.GetEpoch(), g.GetPhase())
	}
	s := &wire.GatekeeperSet{Epoch: g.Epoch, Threshold: g.Threshold, Height: g.PhaseHeight}
	for _, m := range g.Members {
		s.Members = append(s.Members, &wire.GatekeeperMember{Worker: m.Worker, IdentityKey: m.IdentityKey, Fault: m.Fault})
	}
	return s, nil
}

// BeaconKey is what the beacon of the epoch that g has begun is checked with: the sum of the polynomials of all members that are not
// excluded, whose contributions are given by index.
func BeaconKey(g *wire.Generation, contributions map[uint32]*wire.Contribution) (*wire.BeaconKey, error) {
	if g.GetPhase() != wire.GENERATION_PHASE_DONE {
		return nil, fmt.Errorf("adding up the beacon of epoch %d: its generation is in phase %s", g.GetEpoch(), g.GetPhase())
	}
	var dealers [][][]byte
	for i, m := range g.Members {
		if m.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		c := contributions[uint32(i)]
		if c == nil || !bytes.Equal(wire.Hash(c), m.ContributionHash) {
			return nil, fmt.Errorf("adding up the beacon of epoch %d: this is not what member %d contributed", g.Epoch, i)
		}
		dealers = append(dealers, c.Beacon)
	}
	sum, err := beacon.Sum(dealers)
	if err != nil {
		return nil, fmt.Errorf("adding up the beacon of epoch %d: %w", g.Epoch, err)
	}
	return &wire.BeaconKey{Epoch: g.Epoch, Members: uint32(len(g.Members)), Commitments: sum}, nil
}

// Transcript is SHA-256 over the contribution hashes of all members by index, 32 zero bytes where there is none.
func Transcript(g *wire.Generation) []byte {
	h := sha256.New()
	for _, m := range g.Members {
		if len(m.ContributionHash) == 0 {
			h.Write(make([]byte, sha256.Size))
			continue
		}
		h.Write(m.ContributionHash)
	}
	return h.Sum(nil)
}

// setsOf lists the sets of a generation, and refuses one that no chain could have begun.
func setsOf(g *wire.Generation) ([]dprf.Set, error) {
	if g == nil || g.Epoch == 0 || g.Attempt == 0 {
		return nil, fmt.Errorf("generation of epoch %d, attempt %d: both count from 1", g.GetEpoch(), g.GetAttempt())
	}
	for i, m := range g.Members {
		if m == nil {
			return nil, fmt.Errorf("generation of epoch %d: there is no member %d", g.Epoch, i)
		}
	}
	if g.Threshold > dprf.MaxN {
		return nil, fmt.Errorf("generation of epoch %d: threshold %d, at most %d", g.Epoch, g.Threshold, dprf.MaxN)
	}
	return dprf.Sets(len(g.Members), int(g.Threshold))
}

func joined(m *wire.GenerationMember) bool { return len(m.JoinHash) > 0 }

func identity(m *wire.GenerationMember, key []byte) bool {
	return len(key) == ed25519.PublicKeySize && bytes.Equal(m.IdentityKey, key)
}
