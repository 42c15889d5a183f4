package types

import (
	"slices"

	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/wire"
)

// Reasons of a border.
const (
	ReasonGenesis = "genesis" // there is no epoch yet
	ReasonRoster  = "roster"  // another roster has come into force
	ReasonLost    = "lost"    // fewer members than the threshold hold parts
	ReasonEpoch   = "epoch"   // the epoch has had its blocks
)

// At the chain's beginning a generation waits this many phases for members that have not registered.
const genesisPhases = 10

// Attempts after a failure wait, first not at all, then for 1, 3, 7 … phases, at most 2^maxDoublings-1.
const maxDoublings = 9

// Keys is where the making of keys stands at the end of a block.
type Keys struct {
	Height     uint64
	Network    *wire.NetworkParams
	Params     *wire.KeyParams
	Roster     *wire.GatekeeperRoster // in force
	Set        *wire.GatekeeperSet
	Generation *wire.Generation // the newest; nil before the first
}

// Running says whether a generation is under way.
func Running(g *wire.Generation) bool {
	switch g.GetPhase() {
	case wire.GENERATION_PHASE_JOIN, wire.GENERATION_PHASE_CONTRIBUTE, wire.GENERATION_PHASE_CONFIRM:
		return true
	}
	return false
}

// Superseded says whether the generation under way is for another roster than the one in force.
func (k Keys) Superseded() bool { return Running(k.Generation) && !k.invited() }

// invited says whether the newest generation is for the roster in force.
func (k Keys) invited() bool {
	return k.Generation.GetThreshold() == k.Roster.GetThreshold() && slices.EqualFunc(k.Generation.GetMembers(), k.Roster.GetMembers(),
		func(m *wire.GenerationMember, w *wire.WorkerRef) bool { return m.Worker.Is(w) })
}

// serves says whether the set is of the roster in force.
func (k Keys) serves() bool {
	return k.Set.Threshold == k.Roster.GetThreshold() && slices.EqualFunc(k.Set.Members, k.Roster.GetMembers(),
		func(m *wire.GatekeeperMember, w *wire.WorkerRef) bool { return m.Worker.Is(w) })
}

// Serving counts the members of a set that hold parts.
func Serving(s *wire.GatekeeperSet) (n uint32) {
	for _, m := range s.GetMembers() {
		if m.Fault == wire.MEMBER_FAULT_NONE {
			n++
		}
	}
	return n
}

// Least is how many members have to be left for a generation to go on.
func (k Keys) Least() uint32 {
	return generation.Least(k.Roster.GetThreshold(), k.Network.GetDevelopment())
}

// RetryHeight is the first height at which a generation that has failed is tried again; 0 if it has not failed. A generation
// for another roster does not wait.
func (k Keys) RetryHeight() uint64 {
	g := k.Generation
	if g.GetPhase() != wire.GENERATION_PHASE_FAILED || !k.invited() {
		return 0
	}
	return g.PhaseHeight + k.Params.PhaseBlocks*(1<<min(g.Attempt-1, maxDoublings)-1)
}

// Due says why a generation has to begin, or nothing.
func (k Keys) Due() string {
	switch {
	case len(k.Roster.GetMembers()) == 0 || Running(k.Generation) || k.Height < k.RetryHeight():
		return ""
	case k.Set.Epoch == 0:
		return ReasonGenesis
	case !k.serves():
		return ReasonRoster
	case Serving(k.Set) < k.Set.Threshold:
		return ReasonLost
	case k.Params.EpochBlocks != 0 && k.Height >= k.Set.Height+k.Params.EpochBlocks:
		return ReasonEpoch
	}
	return ""
}

// Ready says whether a generation that is due can come to an end: enough of its members are registered. The network's first
// waits a while for all of them.
func (k Keys) Ready(registered int) bool {
	if registered == len(k.Roster.Members) {
		return true
	}
	return registered >= int(k.Least()) && (k.Set.Epoch != 0 || k.Height >= k.Set.Height+genesisPhases*k.Params.PhaseBlocks)
}

// Begin is the next generation.
func (k Keys) Begin() (*wire.Generation, error) {
	epoch, attempt := k.Set.Epoch+1, uint32(1)
	if k.Generation.GetEpoch() == epoch {
		attempt = k.Generation.Attempt + 1
	}
	return generation.New(epoch, attempt, k.Roster.Threshold, k.Roster.Members, k.Height, k.Params.PhaseBlocks)
}

// Slash is which part of its bond a fault costs, in parts of 10000.
func Slash(p *wire.KeyParams, f wire.MemberFault) uint32 {
	switch f {
	case wire.MEMBER_FAULT_SILENT:
		return p.GetSlashSilent()
	case wire.MEMBER_FAULT_BAD_CONTRIBUTION, wire.MEMBER_FAULT_FALSE_COMPLAINT:
		return p.GetSlashLie()
	}
	return 0
}

// Lose marks the member that w is as lost if the boot that took part is another, or its registration is over. It says whether
// that is news.
func Lose(ref *wire.WorkerRef, identity []byte, fault *wire.MemberFault, w *wire.Worker, over bool) bool {
	if !ref.Is(w.Worker) || len(identity) == 0 || *fault != wire.MEMBER_FAULT_NONE || !over && string(identity) == string(w.IdentityKey) {
		return false
	}
	*fault = wire.MEMBER_FAULT_LOST
	return true
}
