package types

import (
	"bytes"

	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/wire"
)

// checkTurn says whether a message for this attempt from this member has its turn in g.
func checkTurn(g *wire.Generation, phase wire.GenerationPhase, epoch uint64, attempt, member uint32) error {
	switch {
	case g == nil || epoch != g.Epoch || attempt != g.Attempt:
		return ErrRound.Wrapf("message is for epoch %d attempt %d, the newest generation is epoch %d attempt %d: make a join of that one", epoch, attempt, g.GetEpoch(), g.GetAttempt())
	case g.Phase != phase:
		return ErrPhase.Wrapf("message belongs to %s, epoch %d attempt %d is in %s since height %d", phase, g.Epoch, g.Attempt, g.Phase, g.PhaseHeight)
	case member >= uint32(len(g.Members)):
		return ErrMalformed.Wrapf("member %d: the generation has %d members, counted from 0", member, len(g.Members))
	case g.Members[member].Fault != wire.MEMBER_FAULT_NONE:
		return ErrExcluded.Wrapf("member %d, worker %s, is excluded (%s): wait for the next generation", member, g.Members[member].Worker.Name(), g.Members[member].Fault)
	}
	return nil
}

// CheckTurnToJoin says whether j may be looked at: g waits for it.
func CheckTurnToJoin(g *wire.Generation, j *wire.GenerationJoin) error {
	if err := checkTurn(g, wire.GENERATION_PHASE_JOIN, j.GetEpoch(), j.GetAttempt(), j.GetMember()); err != nil {
		return err
	}
	if m := g.Members[j.GetMember()]; len(m.JoinHash) != 0 {
		return ErrRepeated.Wrapf("member %d has joined with identity key %x: nothing to do", j.GetMember(), m.IdentityKey)
	}
	return nil
}

// CheckJoin decides whether j counts; w is the worker that it is from, nil if not registered, joined those that joined before.
func CheckJoin(chainID string, height uint64, n *wire.NetworkParams, g *wire.Generation, w *wire.Worker, joined []*wire.Worker, j *wire.GenerationJoin) error {
	if err := CheckTurnToJoin(g, j); err != nil {
		return err
	}
	ref := g.Members[j.Member].Worker
	switch {
	case !InService(w, height):
		return ErrWorker.Wrapf("member %d is worker %s, which is not registered as a gatekeeper, or no longer: register it", j.Member, ref.Name())
	case !bytes.Equal(j.IdentityKey, w.IdentityKey):
		return ErrIdentity.Wrapf("join names identity key %x, worker %s has %x in force: register the boot that joins first", j.IdentityKey, ref.Name(), w.IdentityKey)
	}
	kinds := []wire.TeeKind{w.Kind}
	for _, o := range joined {
		if Vendor(o.GetKind()) == Vendor(w.Kind) {
			kinds = append(kinds, o.Kind)
		}
	}
	if err := CheckVendors(n, g.Threshold, kinds); err != nil {
		return err
	}
	return whole(generation.CheckJoin(chainID, g, j))
}

// InService says whether w is a gatekeeper whose registration is in force at height.
func InService(w *wire.Worker, height uint64) bool {
	return w != nil && w.Role == wire.ROLE_GATEKEEPER && w.ExpiryHeight > height
}

// CheckContribution decides whether c counts.
func CheckContribution(chainID string, g *wire.Generation, c *wire.Contribution) error {
	if err := checkTurn(g, wire.GENERATION_PHASE_CONTRIBUTE, c.GetEpoch(), c.GetAttempt(), c.GetMember()); err != nil {
		return err
	}
	if len(g.Members[c.GetMember()].ContributionHash) != 0 {
		return ErrRepeated.Wrapf("member %d has contributed, and its first counts: nothing to do", c.GetMember())
	}
	return whole(generation.CheckContribution(chainID, g, c))
}

// CheckTurnToComplain says whether k may be looked at.
func CheckTurnToComplain(g *wire.Generation, k *wire.Complaint) error {
	if err := checkTurn(g, wire.GENERATION_PHASE_CONFIRM, k.GetEpoch(), k.GetAttempt(), k.GetMember()); err != nil {
		return err
	}
	switch a := k.GetAgainst(); {
	case g.Members[k.GetMember()].Confirmed:
		return ErrComplaint.Wrapf("member %d has confirmed that all is right: a complaint comes before", k.GetMember())
	case a >= uint32(len(g.Members)) || a == k.GetMember():
		return ErrComplaint.Wrapf("member %d complains about member %d: name another of the %d members", k.GetMember(), a, len(g.Members))
	case g.Members[a].Fault != wire.MEMBER_FAULT_NONE:
		return ErrComplaint.Wrapf("member %d is excluded (%s): nothing to do", a, g.Members[a].Fault)
	}
	return nil
}

// Judge decides a complaint: who is excluded, and why. join is that of who complains, c what the accused contributed.
func Judge(chainID string, g *wire.Generation, join *wire.GenerationJoin, c *wire.Contribution, k *wire.Complaint) (uint32, wire.MemberFault, error) {
	if err := CheckTurnToComplain(g, k); err != nil {
		return 0, 0, err
	}
	excluded, fault, err := generation.Judge(chainID, g, join, c, k)
	if err != nil {
		return 0, 0, ErrComplaint.Wrapf("%v: nobody is excluded; pass it on as pruntime made it", err)
	}
	return excluded, fault, nil
}

// CheckConfirmation decides whether c counts.
func CheckConfirmation(chainID string, g *wire.Generation, c *wire.Confirmation) error {
	if err := checkTurn(g, wire.GENERATION_PHASE_CONFIRM, c.GetEpoch(), c.GetAttempt(), c.GetMember()); err != nil {
		return err
	}
	if g.Members[c.GetMember()].Confirmed {
		return ErrRepeated.Wrapf("member %d has confirmed: nothing to do", c.GetMember())
	}
	return whole(generation.CheckConfirmation(chainID, g, c))
}

// whole gives what core/dprf/generation says about a message's form and signature the module's error.
func whole(err error) error {
	if err != nil {
		return ErrMalformed.Wrapf("%v: pass the message on as pruntime made it", err)
	}
	return nil
}
