package keepertest

import (
	"bytes"
	"slices"
	"testing"

	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

func (w *world) policy() *wire.Policy {
	w.t.Helper()
	p, err := w.App.AttestationKeeper.Policy(w.Ctx(), wire.ROLE_EXECUTOR)
	w.check(err)
	for _, m := range p.Measurements {
		m.ApprovedHeight = 0 // the chain's to write
	}
	return p
}

func (w *world) mustVote(p *wire.Policy) {
	w.t.Helper()
	if prop := w.vote(p); prop.Status != govv1.StatusPassed {
		w.t.Fatalf("%s %s", prop.Status, prop.FailedReason)
	}
}

func (w *world) vote(p *wire.Policy) *govv1.Proposal {
	w.t.Helper()
	return w.Govern(&attestationtypes.MsgUpdatePolicy{Authority: authority(), Policy: p})
}

// stored is what the chain keeps of a program's approval.
func (w *world) stored(program string) *wire.Measurement {
	w.t.Helper()
	p, err := w.App.AttestationKeeper.Policy(w.Ctx(), wire.ROLE_EXECUTOR)
	w.check(err)
	i := slices.IndexFunc(p.Measurements, func(m *wire.Measurement) bool { return bytes.Equal(m.Digest, measurement(program)) })
	if i < 0 {
		w.t.Fatalf("%s is not approved", program)
	}
	return p.Measurements[i]
}

func (w *world) expiry(b *boot) uint64 {
	w.t.Helper()
	got, err := w.App.WorkerKeeper.Worker(w.Ctx(), b.ref)
	w.check(err)
	return got.ExpiryHeight
}

// P9 on the chain: a program that governance approves counts only after the network's delay, whatever the proposal says.
func TestP09_ApprovalIsDelayed(t *testing.T) {
	const delay = 50
	w := newDelayedWorld(t, delay)
	p := w.policy()
	p.Measurements = append(p.Measurements, &wire.Measurement{Digest: measurement("new"), SourceCommit: "abc", ActivationHeight: uint64(w.Height)})
	if prop := w.vote(p); prop.Status != govv1.StatusFailed {
		t.Fatalf("a proposal that skips the delay: %s %s", prop.Status, prop.FailedReason)
	}
	p.Measurements[len(p.Measurements)-1].ActivationHeight = 0
	w.mustVote(p)
	m := w.stored("new")
	if m.ApprovedHeight == 0 || m.ActivationHeight != m.ApprovedHeight+delay {
		t.Fatalf("approved at %d, counts from %d", m.ApprovedHeight, m.ActivationHeight)
	}
	b := newBoot(w.Accounts[2], 0, wire.ROLE_EXECUTOR, "new boot")
	for {
		reg := w.registration(b)
		reg.Evidence = attested(reg.Evidence.Identity, "new")
		res := w.MustDeliver(w.Accounts[2], reg)
		if uint64(w.Height) >= m.ActivationHeight {
			w.event(res, workertypes.EventRegistered, workertypes.AttributeOperator, w.Accounts[2].String())
			break
		}
		w.event(res, workertypes.EventRefused, workertypes.AttributeCode, "not-active")
	}
	// The same policy again, and one that forgets and takes the program back: neither moves the first approval or skips the delay.
	again := w.policy()
	w.mustVote(again)
	if got := w.stored("new"); got.ApprovedHeight != m.ApprovedHeight {
		t.Errorf("approved again at %d", got.ApprovedHeight)
	}
	without := w.policy()
	without.Measurements = without.Measurements[:len(without.Measurements)-1]
	w.mustVote(without)
	if w.expiry(b) > uint64(w.Height) {
		t.Error("a worker outlives the approval of its program")
	}
	again = w.policy()
	again.Measurements = append(again.Measurements, &wire.Measurement{Digest: measurement("new")})
	w.mustVote(again)
	if got := w.stored("new"); got.ActivationHeight != got.ApprovedHeight+delay || got.ApprovedHeight <= m.ApprovedHeight {
		t.Errorf("taken back at once: %+v", got)
	}
}

// A measurement that is to end ends its workers at the stated height, and takes none anew that would live longer.
func TestP09_RetirementEndsWorkers(t *testing.T) {
	w := newWorld(t)
	b := w.executors(1)[0]
	p := w.policy()
	end := uint64(w.Height) + 300
	p.Measurements[0].RetireHeight = end
	w.mustVote(p)
	if got := w.expiry(b); got != end {
		t.Errorf("the worker ends at %d, not at %d", got, end)
	}
	w.register(w.Accounts[0], b)
	if got := w.expiry(b); got != end {
		t.Errorf("renewed, it ends at %d, not at %d", got, end)
	}
	for uint64(w.Height) < end-1 {
		w.Blocks(1)
	}
	w.event(w.MustDeliver(w.Accounts[0], w.registration(b)), workertypes.EventRefused, workertypes.AttributeCode, "retired")
	p.Measurements[0].RetireHeight = end
	if prop := w.vote(p); prop.Status != govv1.StatusFailed {
		t.Errorf("an end in the past: %s", prop.Status)
	}
}

// Kinds that a policy drops end with it.
func TestDroppedKindEndsWorkers(t *testing.T) {
	w := newWorld(t)
	b := w.executors(1)[0]
	p := w.policy()
	p.Kinds = nil
	w.mustVote(p)
	if w.expiry(b) > uint64(w.Height) {
		t.Error("the worker goes on")
	}
}
