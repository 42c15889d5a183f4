package runtime_test

import (
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// holders are the gatekeepers whose parts count in the epoch in force.
func holders(n *enclavetest.Net) (out []int) {
	for i, m := range n.Chain.Set().Members {
		if m.Fault == wire.MEMBER_FAULT_NONE {
			out = append(out, i)
		}
	}
	return out
}

// border makes a generation and waits for its end, with work going on: the cluster answers at every block.
func border(t *testing.T, n *enclavetest.Net, contract []byte) {
	t.Helper()
	n.Chain.Border()
	next := n.Chain.Epoch() + 1
	for range 60 {
		n.Blocks(1)
		if n.Chain.Epoch() == next {
			settleDown(n)
			return
		}
		if got := state(t, n, n.Members[0], contract); got == "not-serving" {
			t.Errorf("height %d: the cluster does not answer while keys are made", n.Chain.Height)
		}
	}
	t.Fatalf("epoch %d has not begun: %v, refused %q, said %q", next, n.Chain.Generation(), n.Chain.Refused, n.Failures())
}

// settleDown lets the cluster move to the epoch in force.
func settleDown(n *enclavetest.Net) {
	for range 30 {
		if n.Chain.Cluster(n.Cluster).Epoch == n.Chain.Epoch() {
			return
		}
		n.Blocks(1)
	}
}

// restarts: a member that starts anew gets its keys from the gatekeepers in force.
func restarts(t *testing.T, n *enclavetest.Net, x *enclavetest.Node, contract []byte) {
	t.Helper()
	x.Restart()
	n.Blocks(12)
	state(t, n, x, contract) // asks for the code
	n.Blocks(1)
	if got := state(t, n, x, contract); got == "not-serving" || got == "stale" {
		t.Errorf("epoch %d: a member that restarted answers %s: the chain refused %q, it said %q", n.Chain.Epoch(), got, n.Chain.Refused, x.Outs[max(0, len(x.Outs)-40):])
	}
}

// P8: gatekeepers join and leave, restart and are lost; each is one border, and the clusters answer all the while.
func TestP08_GatekeepersComeAndGo(t *testing.T) {
	n := enclavetest.New(t, 3, 2, enclavetest.Gatekeepers(4, 2))
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	if got := holders(n); len(got) != 4 || n.Chain.Epoch() != 1 {
		t.Fatalf("epoch %d of %v", n.Chain.Epoch(), got)
	}
	restarts(t, n, n.Members[0], contract)

	// A fifth is added.
	five := n.AddKeeper()
	five.Boot()
	n.Blocks(1)
	five.Register()
	n.Blocks(1)
	var refs []*wire.WorkerRef
	for _, x := range n.Keepers {
		refs = append(refs, x.Ref)
	}
	n.Chain.Roster(n.Chain.Height+1, 2, refs...)
	border(t, n, contract)
	if got := holders(n); len(got) != 5 || n.Chain.Epoch() != 2 {
		t.Fatalf("epoch %d of %v", n.Chain.Epoch(), got)
	}
	restarts(t, n, n.Members[1], contract)

	// One is restarted: it holds nothing, the others go on, and at the next border it is back.
	n.Keepers[1].Restart()
	n.Blocks(2)
	if got := fmt.Sprint(holders(n)); got != "[0 2 3 4]" {
		t.Errorf("with one restarted, %s count", got)
	}
	restarts(t, n, n.Members[2], contract)
	border(t, n, contract)
	if got := holders(n); len(got) != 5 {
		t.Errorf("after the border %v count", got)
	}

	// The first is removed.
	n.Keepers[0].Dead = true
	n.Chain.Roster(n.Chain.Height+1, 2, refs[1:]...)
	border(t, n, contract)
	if got := n.Chain.Set(); len(got.Members) != 4 || len(holders(n)) != 4 {
		t.Errorf("epoch %d of %v", got.Epoch, got)
	}
	restarts(t, n, n.Members[0], contract)

	// Fewer than t are left: a new epoch begins at once.
	was := n.Chain.Epoch()
	for _, x := range n.Keepers[1:4] {
		x.Restart()
	}
	n.Blocks(10)
	if n.Chain.Epoch() != was+1 || len(holders(n)) != 4 {
		t.Errorf("epoch %d after %d: %v", n.Chain.Epoch(), was, n.Chain.Generation())
	}
	restarts(t, n, n.Members[1], contract)
}

// A member that is absent, or dies at any step, holds nothing of the epoch; the rest finish.
func TestP08_AGatekeeperDiesAtEachStep(t *testing.T) {
	for phase, steps := range map[wire.GenerationPhase]string{
		wire.GENERATION_PHASE_JOIN: "before it joins", wire.GENERATION_PHASE_CONTRIBUTE: "before it contributes", wire.GENERATION_PHASE_CONFIRM: "before it confirms",
	} {
		t.Run(steps, func(t *testing.T) {
			n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2))
			contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
			n.Chain.Border()
			victim := n.Keepers[2]
			for range 60 {
				n.Chain.NewBlock() // the hosts bring it below
				if g := n.Chain.Generation(); g.Epoch == 2 && g.Phase == phase {
					victim.Dead = true
				}
				n.Blocks(1)
				if n.Chain.Epoch() == 2 {
					break
				}
			}
			if got := fmt.Sprint(holders(n)); n.Chain.Epoch() != 2 || got != "[0 1 3]" {
				t.Fatalf("epoch %d of %s: %v, refused %q, said %q", n.Chain.Epoch(), got, n.Chain.Generation(), n.Chain.Refused, n.Failures())
			}
			if f := n.Chain.Set().Members[2].Fault; f != wire.MEMBER_FAULT_SILENT {
				t.Errorf("it is called %s", f)
			}
			restarts(t, n, n.Members[0], contract)
		})
	}
}

// A member that sends wrong shares is named and excluded.
func TestP08_ALiarIsExcluded(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2), func(n *enclavetest.Net) {
		n.Keepers[3].Lie = func(c *wire.Contribution) { c.Shares[1].Ciphertext[3] ^= 1 }
	})
	if got := fmt.Sprint(holders(n)); got != "[0 1 2]" {
		t.Fatalf("%s count; the chain refused %q, said %q", got, n.Chain.Refused, n.Failures())
	}
	if f := n.Chain.Set().Members[3].Fault; f != wire.MEMBER_FAULT_BAD_CONTRIBUTION {
		t.Errorf("the liar is called %s", f)
	}
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	restarts(t, n, n.Members[0], contract)
}
