package executor_test

import (
	"bytes"
	"testing"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// loot is a copy of the keys that an enclave holds: later erasure does not take it back.
func loot(b *enclavetest.Broken, cluster uint64) map[[2]uint64]*keytree.Cluster {
	out := map[[2]uint64]*keytree.Cluster{}
	for l, k := range b.Executor().Held(cluster) {
		state, random := *k.State, *k.Randomness
		out[l] = &keytree.Cluster{Input: k.Input, State: &state, Randomness: &random}
	}
	return out
}

// reads says whether an attacker with these keys reads an input, whatever label it pretends the input to have.
func reads(keys map[[2]uint64]*keytree.Cluster, it *wire.InboxItem) bool {
	for l, k := range keys {
		for _, at := range [][2]uint64{l, {it.Epoch, it.Roster}} {
			in := seal.Context{Domain: seal.DomainInput, ChainID: enclavetest.ChainID, Cluster: it.Cluster, Epoch: at[0], Roster: at[1]}
			if _, _, err := seal.Open(k.Input, in, wire.Marshal(it.Context), it.Sealed); err == nil {
				return true
			}
		}
	}
	return false
}

// P7: everything that a member's enclave holds in epoch e, with all recorded inputs: those of e-2 and of e+1 stay closed. Erased keys
// are overwritten where they lay.
func TestP07_KeysOfOneEpochOpenNoOther(t *testing.T) {
	var broken *enclavetest.Broken
	c := &city{t: t}
	c.Net = enclavetest.New(t, 3, 2, func(n *enclavetest.Net) {
		c.issuer = n.Keeper.Issue()
		broken = n.Members[2].Break()
	})
	c.alice = c.User("alice")
	s := c.alice.Instantiate(c.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	c.Blocks(5)
	c.contract = s.Item.Address

	recorded := map[uint64][]*wire.InboxItem{1: {s.Item}}
	first := broken.Executor().Held(c.Cluster)[[2]uint64{1, 1}]
	var stolen map[[2]uint64]*keytree.Cluster
	for epoch := uint64(1); epoch <= 4; epoch++ {
		if epoch > 1 {
			c.Chain.NextEpoch(1)
			c.Blocks(8)
		}
		c.inEpoch(epoch, 1)
		for range 3 {
			call := c.call()
			c.Blocks(5)
			c.final(call, "", c.Members...)
			recorded[epoch] = append(recorded[epoch], call.Item)
		}
		if epoch == 3 {
			stolen = loot(broken, c.Cluster)
		}
	}
	for epoch, want := range map[uint64]bool{1: false, 2: true, 3: true, 4: false} {
		for _, it := range recorded[epoch] {
			if got := reads(stolen, it); got != want {
				t.Errorf("the keys of epoch 3 open an input of epoch %d: %v, want %v", epoch, got, want)
			}
		}
	}
	zero, err := keytree.NewSecret(make([]byte, keytree.Size))
	if err != nil {
		t.Fatal(err)
	}
	if first.Input != nil || !bytes.Equal(first.State.Key("x"), zero.Key("x")) || !bytes.Equal(first.Randomness.Key("x"), zero.Key("x")) {
		t.Error("the keys of epoch 1 were not erased")
	}
}

// P8: what a removed member took along opens what was sealed while it was a member, and nothing of the next roster.
func TestP08_KeysOfTheRemovedOpenNothingNew(t *testing.T) {
	var broken *enclavetest.Broken
	c := &city{t: t}
	c.Net = enclavetest.New(t, 4, 3, func(n *enclavetest.Net) {
		c.issuer = n.Keeper.Issue()
		broken = n.Members[3].Break()
	})
	c.alice = c.User("alice")
	s := c.alice.Instantiate(c.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	c.Blocks(5)
	c.contract = s.Item.Address
	stolen := loot(broken, c.Cluster)
	c.Chain.UpdateMembers(c.Cluster, 2, true, nil, []*wire.WorkerRef{c.Members[3].Ref})
	c.Blocks(6)
	c.inEpoch(1, 2)
	after := c.call()
	c.Blocks(6)
	c.final(after, "", c.Members[:3]...)
	if !reads(stolen, s.Item) || reads(stolen, after.Item) {
		t.Errorf("the removed member reads its own time %v, the time after it %v", reads(stolen, s.Item), reads(stolen, after.Item))
	}
	if len(broken.Executor().Held(c.Cluster)) != 0 {
		t.Error("an honest enclave keeps keys after its removal")
	}
}
