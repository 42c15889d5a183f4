package runtime_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// begin makes a border and lets the gatekeepers look around after it.
func begin(t *testing.T, n *enclavetest.Net) {
	t.Helper()
	n.Chain.Border()
	next := n.Chain.Epoch() + 1
	for range 60 {
		if n.Blocks(1); n.Chain.Epoch() == next {
			n.Blocks(46)
			return
		}
	}
	t.Fatalf("epoch %d has not begun: %v, refused %q, said %q", next, n.Chain.Generation(), n.Chain.Refused, n.Failures())
}

// roster is a vote on who holds parts from now on.
func roster(n *enclavetest.Net, keepers ...*enclavetest.Node) {
	var refs []*wire.WorkerRef
	for _, x := range keepers {
		refs = append(refs, x.Ref)
	}
	n.Chain.Roster(n.Chain.Height+1, 2, refs...)
}

// asleep is a network whose cluster has a call behind it and no member alive, with five gatekeepers of whom four hold parts.
func asleep(t *testing.T) (n *enclavetest.Net, alice *enclavetest.User, contract []byte) {
	t.Helper()
	n = enclavetest.New(t, 3, 2, enclavetest.Gatekeepers(4, 2))
	n.DropPeer = func(_ *enclavetest.Node, m *wire.PeerMessage) bool { return m.GetBeaconPart() != nil } // nothing is drawn here
	five := n.AddKeeper()
	five.Boot()
	n.Blocks(1)
	five.Register()
	alice = n.User("alice")
	contract = deploy(t, n, alice, wire.QUERY_POLICY_OPEN)
	alice.Execute(contract, fine, "", "")
	n.Blocks(4)
	for _, x := range n.Members {
		x.Dead = true
	}
	return n, alice, contract
}

func wake(n *enclavetest.Net) {
	for _, x := range n.Members {
		x.Restart()
	}
}

// A cluster all of whose members were gone while its gatekeepers went from 4 to 5 and to 4 others finds its state again, and no gatekeeper
// still holds what opens its inputs (P7).
func TestP07_ALaggingClusterComesBack(t *testing.T) {
	n, alice, contract := asleep(t)
	head := n.Chain.Head(n.Cluster)
	first := map[string]bool{}
	for _, x := range n.Keepers[:4] {
		for _, k := range dumped(x.RT).secrets {
			first[string(k)] = true
		}
	}
	roster(n, n.Keepers...)
	begin(t, n) // epoch 2: the keys of 1 are still there, and its parts are handed on
	roster(n, n.Keepers[1:]...)
	begin(t, n)
	n.Keepers[0].Dead = true
	begin(t, n) // epoch 4
	if c := n.Chain.Cluster(n.Cluster); c.Epoch != 1 || n.Chain.Epoch() != 4 {
		t.Fatalf("the cluster is in epoch %d, its gatekeepers in %d", c.Epoch, n.Chain.Epoch())
	}

	if !slices.ContainsFunc(n.Keepers[1:], keeps) {
		t.Fatalf("nothing is kept; said %q", n.Failures())
	}

	// P7: in all their memory together is no k_B of epoch 1, nor a part under the label of the cluster secret.
	for i, x := range n.Keepers[1:] {
		d := dumped(x.RT)
		for k := range first {
			if d.has([]byte(k)) {
				t.Errorf("gatekeeper %d still holds a key of epoch 1", i+1)
			}
			if s, err := keytree.NewSecret([]byte(k)); err != nil || d.has(dprf.Eval(0, s, labels(n.Cluster, 1)[0]).Value) {
				t.Errorf("gatekeeper %d holds a part that opens inputs (%v)", i+1, err)
			}
		}
	}

	wake(n)
	n.Blocks(60)
	if c := n.Chain.Cluster(n.Cluster); c.Epoch != 4 {
		t.Fatalf("the cluster is in epoch %d: refused %q, said %q", c.Epoch, n.Chain.Refused, n.Failures())
	}
	agree(t, n, contract, head.Number, n.Members...)
	s := alice.Execute(contract, fine, "", "")
	n.Blocks(5)
	if f := s.Result(n.Members[0]).Failure; f != nil {
		t.Fatalf("a call after it: %v", f)
	}
	agree(t, n, contract, head.Number+1, n.Members...)

	// What was kept is needed once, and gone after the next border.
	begin(t, n)
	n.Blocks(40)
	if slices.ContainsFunc(n.Keepers[1:], keeps) {
		t.Error("parts are kept of a cluster that has moved on")
	}
}

// keeps says whether a gatekeeper keeps parts of any label.
func keeps(x *enclavetest.Node) bool {
	return reflect.ValueOf(x.RT).Elem().FieldByName("keeper").Elem().FieldByName("kept").FieldByName("parts").Len() > 0
}

// Gatekeepers that restart lose what they keep and get it again at the next border, so that none of the first boots is needed in the end.
func TestKeptPartsOutliveEveryBoot(t *testing.T) {
	n, _, contract := asleep(t)
	head := n.Chain.Head(n.Cluster)
	for i := range 4 {
		begin(t, n)
		n.Keepers[i].Restart()
		n.Blocks(1)
	}
	begin(t, n)
	wake(n)
	n.Blocks(60)
	agree(t, n, contract, head.Number, n.Members...)
}

// With fewer than t left of those that keep its parts the state stays closed, and the cluster where it was: it does not move on to keys
// under which there is nothing.
func TestKeptPartsAreLostBelowTheThreshold(t *testing.T) {
	n, _, contract := asleep(t)
	begin(t, n)
	begin(t, n)
	for _, x := range n.Keepers[:3] {
		x.Restart()
	}
	n.Blocks(40)
	wake(n)
	n.Blocks(60)
	if c := n.Chain.Cluster(n.Cluster); c.Epoch != 1 || n.Chain.Epoch() < 4 {
		t.Errorf("the cluster is in epoch %d, its gatekeepers in %d", c.Epoch, n.Chain.Epoch())
	}
	if got := state(t, n, n.Members[0], contract); got != "not-serving" && got != "stale" {
		t.Errorf("a member answers %s", got)
	}
}
