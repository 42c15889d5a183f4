package executor_test

import (
	"testing"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// city is a cluster of three whose gatekeepers make new keys when the test says so, with the echo contract in it.
type city struct {
	*enclavetest.Net
	t        *testing.T
	issuer   *enclavetest.Issuer
	alice    *enclavetest.User
	contract []byte
}

func newCity(t *testing.T, k int, quorum uint32) *city {
	t.Helper()
	c := &city{t: t}
	c.Net = enclavetest.New(t, k, quorum, func(n *enclavetest.Net) { c.issuer = n.Keeper.Issue() })
	c.Chain.Ahead = 2
	c.alice = c.User("alice")
	s := c.alice.Instantiate(c.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	c.Blocks(5)
	if f := s.Result(c.Members[0]).Failure; f != nil {
		t.Fatal(f)
	}
	c.contract = s.Item.Address
	return c
}

// final wants a call to be executed and all named members to know its result.
func (c *city) final(s *enclavetest.Sent, code string, members ...*enclavetest.Node) {
	c.t.Helper()
	for _, x := range members {
		if got := s.Result(x).Failure.GetCode(); got != code {
			c.t.Errorf("%s: result %q, want %q", x.Ref.Name(), got, code)
		}
	}
}

func (c *city) inEpoch(epoch, roster uint64) {
	c.t.Helper()
	k, cl := c.Chain.Key(c.Cluster), c.Chain.Cluster(c.Cluster)
	if k.GetEpoch() != epoch || k.GetRoster() != roster || cl.Epoch != epoch || cl.Roster != roster {
		c.t.Fatalf("key of epoch %d roster %d, cluster in %d and %d; want %d and %d; refused %q, failures %q",
			k.GetEpoch(), k.GetRoster(), cl.Epoch, cl.Roster, epoch, roster, c.Chain.Refused, c.Failures())
	}
}

func (c *city) call() *enclavetest.Sent { return c.alice.Execute(c.contract, fine, "", "") }

// The cluster follows its gatekeepers from epoch to epoch without a pause: what was sealed to the key before still opens.
func TestClustersFollowTheGatekeepersEpochs(t *testing.T) {
	c := newCity(t, 3, 2)
	first := c.Chain.Key(c.Cluster)
	c.Chain.NextEpoch(1)
	at, agreed := c.Chain.Height+1, uint64(0)
	var calls []*enclavetest.Sent
	for range 12 { // an input at every block across the border
		calls = append(calls, c.call())
		c.Blocks(1)
		if n := c.Chain.NextKey(c.Cluster); n != nil && agreed == 0 {
			agreed = c.Chain.Height
			if n.FromHeight != agreed+2 || n.Epoch != 2 {
				t.Errorf("next key %v at height %d", n, agreed)
			}
		}
	}
	c.inEpoch(2, 1)
	t.Logf("border at %d, next key agreed at %d", at, agreed)
	if agreed == 0 || agreed > at+4 {
		t.Errorf("the border was at height %d, the next key was agreed on at %d", at, agreed)
	}
	if string(first.InputKey) == string(c.Chain.Key(c.Cluster).InputKey) {
		t.Error("the key did not change")
	}
	late := c.User("late") // seals to the key before, within its grace
	old := seal.Context{Domain: seal.DomainInput, ChainID: enclavetest.ChainID, Cluster: c.Cluster, Epoch: 1, Roster: 1}
	calls = append(calls, late.SendTo(first, old, &wire.InputContext{Kind: wire.INPUT_KIND_CALL},
		&wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: c.contract, Msg: []byte(fine)}}}))
	c.Blocks(9)
	for _, s := range calls {
		c.final(s, "", c.Members...)
	}
	if h := c.Chain.Head(c.Cluster); c.Chain.Batch(c.Cluster, h.Number).Epoch != 2 {
		t.Error("the newest batch is of the epoch before")
	}
	for _, r := range c.Chain.Refused {
		t.Logf("refused: %s", r)
	}
}

// An item whose grace is over is void: the batch consumes it, its funds go back to the sender, and nobody opens it.
func TestVoidItemsGiveTheirFundsBack(t *testing.T) {
	c := newCity(t, 3, 2)
	c.DropCommit = true // the cluster stands still with an item in its inbox
	s := c.alice.Execute(c.contract, fine, "700", "")
	in := c.alice.Instantiate(c.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	c.Blocks(2)
	for epoch := range uint64(2) {
		c.Chain.NextEpoch(1)
		c.Blocks(10)
		c.inEpoch(epoch+2, 1)
	}
	c.DropCommit = false
	fresh := c.call()
	c.Blocks(9)
	for _, x := range c.Members {
		for _, v := range []*enclavetest.Sent{s, in} {
			outs := v.Ask(x)
			if f := enclavetest.Failure(outs); f == nil || f.Code != "wrong-epoch" || enclavetest.Reply(outs) != nil {
				t.Errorf("%v", outs)
			}
		}
	}
	if paid := c.Chain.Paid[c.alice.Addr]; paid.String() != "700" || c.Chain.Inbox(c.Cluster).Escrow != "0" {
		t.Errorf("paid back %v, escrow %s", paid, c.Chain.Inbox(c.Cluster).Escrow)
	}
	if got := c.Chain.ContractState(c.Cluster, in.Item.Address); got != wire.CONTRACT_STATE_FAILED {
		t.Errorf("the contract is %s", got)
	}
	c.final(fresh, "", c.Members...)
}

// Epochs may be skipped, and a cluster may be made before the network has any.
func TestEpochZeroAndJumps(t *testing.T) {
	c := newCity(t, 3, 2)
	c.Chain.NextEpoch(3)
	c.Blocks(10)
	c.inEpoch(4, 1)
	s := c.call()
	c.Blocks(5)
	c.final(s, "", c.Members...)
}

// A member that starts after the change of epoch needs the new keys alone: snapshots under them are all it reads (P7).
func TestP07_WhoStartsNeedsNoOldKeys(t *testing.T) {
	c := newCity(t, 3, 2)
	for range 3 {
		c.call()
		c.Blocks(5)
	}
	c.Chain.NextEpoch(1)
	c.Blocks(10)
	c.inEpoch(2, 1)
	s := c.call()
	c.Blocks(5)
	c.final(s, "", c.Members...)
	c.issuer.Erase(1)
	x := c.Members[0]
	x.Records = map[uint64]*wire.SealedRecord{}
	x.Chunks = nil
	x.Restart()
	c.Blocks(25)
	c.Query(x, &wire.QueryRequest{Contract: c.contract, Msg: []byte("{}")}) // loads the contract
	a, f := c.Query(x, &wire.QueryRequest{Contract: c.contract, Msg: []byte("{}")})
	if f != nil || string(a.Data) != "2" || a.Number != c.Chain.Head(c.Cluster).Number {
		t.Fatalf("%v %v; failures %q", a, f, c.Failures())
	}
	s = c.call()
	c.Blocks(9)
	c.final(s, "", c.Members...)
}

// A member that starts just after the border, before anybody has sealed under the new keys, asks for both.
func TestWhoStartsAtTheBorderAsksForBothKeys(t *testing.T) {
	c := newCity(t, 3, 2)
	x := c.Members[2]
	for _, m := range c.Members { // the others' snapshots under the new keys are lost
		m.Chunks = nil
	}
	c.Chain.NextEpoch(1)
	c.Blocks(10)
	c.inEpoch(2, 1)
	for _, m := range c.Members {
		m.Chunks = nil
	}
	x.Restart()
	c.Blocks(40)
	c.Query(x, &wire.QueryRequest{Contract: c.contract, Msg: []byte("{}")}) // loads the contract
	a, f := c.Query(x, &wire.QueryRequest{Contract: c.contract, Msg: []byte("{}")})
	if f != nil || string(a.Data) != "1" {
		t.Fatalf("%v %v; failures %q", a, f, c.Failures())
	}
}

// P8: a member removed in the middle of an epoch opens nothing that is sealed afterwards; what was sealed before is executed by those
// who are left, and work goes on.
func TestP08_ARemovedMemberOpensNothingNew(t *testing.T) {
	c := newCity(t, 4, 3)
	old := c.Chain.Key(c.Cluster)
	removed := c.Members[3]
	c.DropCommit = true
	queued := c.call() // sealed before the removal, still in the inbox after it
	c.Blocks(2)
	c.Chain.UpdateMembers(c.Cluster, 2, true, nil, []*wire.WorkerRef{removed.Ref})
	c.Blocks(1)
	at := c.Chain.Height
	late := c.alice.SendTo(old, seal.Context{Domain: seal.DomainInput, ChainID: enclavetest.ChainID, Cluster: c.Cluster, Epoch: 1, Roster: 1},
		&wire.InputContext{Kind: wire.INPUT_KIND_CALL}, &wire.Call{Body: &wire.Call_Execute{Execute: &wire.Execute{Contract: c.contract, Msg: []byte(fine)}}})
	c.DropCommit = false
	removed.Outs = nil
	c.Blocks(6)
	c.inEpoch(1, 2)
	t.Logf("removed at height %d, the new key is in force since %d", at, c.Chain.Key(c.Cluster).FromHeight)
	if late.Item.Index != 0 {
		t.Error("the chain has ordered what is sealed to the key that ended")
	}
	s := c.call()
	c.Blocks(9)
	left := c.Members[:3]
	c.final(queued, "", left...)
	c.final(s, "", left...)
	if f := enclavetest.Failure(s.Ask(removed)); f == nil {
		t.Error("the removed member has the result")
	}
	for _, o := range removed.Outs {
		if o.GetKeyRequest() != nil || o.GetAnnouncement() != nil || o.GetRecord() != nil || o.GetPeer() != nil || o.GetChunk() != nil {
			t.Errorf("the removed member goes on: %v", o)
		}
	}
	rotated := false
	for i := uint64(1); i < c.Chain.Inbox(c.Cluster).Next; i++ {
		rotated = rotated || c.Chain.Item(c.Cluster, i).Context.Kind == wire.INPUT_KIND_ROTATE
	}
	if !rotated {
		t.Error("contracts were not told to rotate")
	}
	for _, r := range left[0].Records {
		if c.Chain.Batch(c.Cluster, r.Number).Roster == 2 && r.Roster != 2 {
			t.Errorf("the record of batch %d is sealed under roster %d", r.Number, r.Roster)
		}
	}
}

// A member that joins reads the state from the others' snapshots, and what was queued before it came.
func TestAMemberIsReplaced(t *testing.T) {
	c := newCity(t, 3, 2)
	fresh := c.AddMember()
	queued := c.call()
	c.Chain.UpdateMembers(c.Cluster, 2, false, []*wire.WorkerRef{fresh.Ref}, []*wire.WorkerRef{c.Members[0].Ref})
	c.Blocks(1)
	fresh.Serve()
	c.Blocks(14)
	c.inEpoch(1, 2)
	s := c.call()
	c.Blocks(9)
	c.final(queued, "", c.Members[1], c.Members[2])
	c.final(s, "", c.Members[1], c.Members[2], fresh)
	if n := c.Chain.Cluster(c.Cluster).Admitted; n != 4 {
		t.Errorf("%d admitted, want 4", n)
	}
}
