package gatekeeper_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/runtime"
	"github.com/phala-go/phala/enclave/tee"
)

// delay is the activation delay of these networks, in blocks.
const delay = 40

// hurried is the digest of a program that nobody has looked at yet.
func hurried() []byte {
	h := sha256.Sum256([]byte("a program of this morning"))
	return h[:]
}

// with makes enclaves of a node run that program.
func with(t *testing.T, n *enclavetest.Net, x *enclavetest.Node) {
	x.Make = func() enclavetest.Handler {
		rt, err := runtime.New(t.Context(), runtime.Config{
			Genesis: n.Chain.Genesis, Role: x.Role, TEE: tee.SimulatedAs(hurried()), Version: "test", Now: n.Clock,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { rt.Close(context.Background()) })
		return rt
	}
}

// approve writes a measurement into a policy as validators do who agree to skip the rules: the application's state says it, two
// thirds have signed it, and every proof of it is right.
func approve(c *enclavetest.Chain, r wire.Role, m *wire.Measurement) {
	c.Put(storekey.Attestation, storekey.Policy(int32(r)), &wire.Policy{
		Role: r, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}, MaxAgeBlocks: 1000, Measurements: []*wire.Measurement{{Digest: enclavetest.Measurement(r)}, m},
	})
}

func delayed(n *enclavetest.Net) {
	n.Chain.Put(storekey.Attestation, storekey.Network(), &wire.NetworkParams{Development: true, ActivationDelay: delay})
}

// partsFor counts the parts that all gatekeepers gave to a worker.
func partsFor(n *enclavetest.Net, w *wire.WorkerRef) (k int) {
	for _, x := range n.Keepers {
		for _, o := range x.Outs {
			if p := o.GetPeer(); p.GetKeyPart() != nil && p.To.Is(w) {
				k++
			}
		}
	}
	return k
}

func said(x *enclavetest.Node, words string) bool {
	for _, o := range x.Outs {
		if f := o.GetFailure(); f != nil && strings.Contains(f.Message, words) {
			return true
		}
	}
	return false
}

// P9: validators who want a program to have the keys today write into the state that it has been approved for ever, or that its
// approval counts at once. The chain registers the worker, has it in a cluster and records its request. No gatekeeper gives it a part
// before the activation delay has passed since the state first said so.
func TestP09_AMeasurementWithoutTheDelayGetsNoKey(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2), delayed)
	n.Blocks(delay)
	x := n.AddMember()
	with(t, n, x)
	since := n.Chain.Height + 1
	approve(n.Chain, wire.ROLE_EXECUTOR, &wire.Measurement{Digest: hurried()})
	n.Chain.UpdateMembers(n.Cluster, 1, false, []*wire.WorkerRef{x.Ref}, nil)
	n.Blocks(1)
	was := partsFor(n, x.Ref)
	x.Restart()
	if w := n.Chain.Worker(x.Ref); w == nil || w.RegisteredHeight < since {
		t.Fatalf("the lying chain does not register the program: %q", n.Chain.Refused)
	}
	for n.Chain.Height < since+delay {
		n.Blocks(1)
		if got := partsFor(n, x.Ref); got != was {
			t.Fatalf("height %d: %d parts for a program that was approved at height %d, with a delay of %d blocks", n.Chain.Height, got-was, since, delay)
		}
	}
	asked := false
	for _, o := range x.Outs {
		asked = asked || o.GetKeyRequest() != nil
	}
	if !asked {
		t.Error("the program has not asked: nothing was refused")
	}
	for i, k := range n.Keepers {
		if !said(k, "before the activation delay") {
			t.Errorf("gatekeeper %d does not say why: %q", i, n.Failures())
		}
	}
	n.Blocks(40) // requests are made anew after a while
	if partsFor(n, x.Ref) == was {
		t.Errorf("it gets no part after the delay either: %q", n.Failures())
	}

	// Honest heights, and no delay between them.
	y := n.AddMember()
	with(t, n, y)
	approve(n.Chain, wire.ROLE_EXECUTOR, &wire.Measurement{Digest: hurried(), ApprovedHeight: n.Chain.Height + 1, ActivationHeight: n.Chain.Height + 1})
	n.Blocks(1)
	y.Restart()
	if w := n.Chain.Worker(y.Ref); w != nil && string(w.Measurement) == string(hurried()) {
		t.Error("a chain that follows its own rules registers what it approved without the delay")
	}
}

// P9 for the gatekeepers themselves: nothing of a generation is sealed to a gatekeeper whose program was approved without the delay,
// or that came into the roster without it.
func TestP09_AGatekeeperWithoutTheDelayIsGivenNothing(t *testing.T) {
	for name, hurry := range map[string]func(t *testing.T, n *enclavetest.Net, x *enclavetest.Node){
		"its program": func(t *testing.T, n *enclavetest.Net, x *enclavetest.Node) {
			with(t, n, x)
			approve(n.Chain, wire.ROLE_GATEKEEPER, &wire.Measurement{Digest: hurried()})
		},
		"its place": func(_ *testing.T, n *enclavetest.Net, x *enclavetest.Node) {
			n.Chain.Roster(n.Chain.Height+1, 2, n.Keepers[0].Ref, n.Keepers[1].Ref, n.Keepers[2].Ref, x.Ref)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2), delayed)
			n.Blocks(delay)
			x := n.Keepers[3]
			if name == "its place" {
				x = n.AddKeeper()
			}
			hurry(t, n, x)
			n.Blocks(1)
			x.Boot()
			n.Blocks(1)
			x.Register()
			n.Blocks(1)
			if n.Chain.Worker(x.Ref) == nil {
				t.Fatalf("the lying chain does not register it: %q", n.Chain.Refused)
			}
			from, epoch := make([]int, 3), n.Chain.Epoch()
			for i := range from {
				from[i] = len(n.Keepers[i].Outs)
			}
			n.Chain.Border()
			for range 20 {
				n.Blocks(1)
			}
			for i := range from {
				for _, o := range n.Keepers[i].Outs[from[i]:] {
					if o.GetContribution() != nil {
						t.Errorf("gatekeeper %d seals its contribution to one that is in a hurry", i)
					}
				}
				if !said(n.Keepers[i], "before the activation delay") {
					t.Errorf("gatekeeper %d does not say why", i)
				}
			}
			if n.Chain.Epoch() != epoch {
				t.Errorf("epoch %d was made with it", n.Chain.Epoch())
			}
		})
	}
}
