package executor_test

import (
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

func said[T any](x *enclavetest.Node, from int, pick func(*wire.Out) *T) (out []*T) {
	for _, o := range x.Outs[from:] {
		if m := pick(o); m != nil {
			out = append(out, m)
		}
	}
	return out
}

func requests(x *enclavetest.Node, from int) []*wire.KeyRequest {
	return said(x, from, (*wire.Out).GetKeyRequest)
}

// A member that is told of its membership by the block that holds it, which nothing proves yet, has the key one block earlier.
func TestAKeyIsAskedForBeforeTheMembershipIsProven(t *testing.T) {
	blocks := map[bool]int{}
	for _, early := range []bool{false, true} {
		c := newCity(t, 3, 2)
		fresh := c.AddMember()
		c.Chain.UpdateMembers(c.Cluster, 2, false, []*wire.WorkerRef{fresh.Ref}, nil)
		c.Blocks(1) // holds the membership
		from, s := len(fresh.Outs), &wire.Serve{Cluster: c.Cluster}
		if early {
			s.Epoch, s.Roster = c.Chain.Epoch(), 2
		}
		fresh.Do(&wire.In{Body: &wire.In_Serve{Serve: s}})
		if got := requests(fresh, from); len(got) != map[bool]int{true: 1}[early] {
			t.Fatalf("early %v: %d requests at once", early, len(got))
		}
		for len(said(fresh, from, (*wire.Out).GetAnnouncement)) == 0 {
			if blocks[early]++; blocks[early] > 20 {
				t.Fatalf("early %v: no key: %q, %q", early, c.Failures(), c.Chain.Refused)
			}
			c.Blocks(1)
		}
		again := 0
		for _, r := range requests(fresh, from) {
			if r.Roster == 2 {
				again++
			}
		}
		if again != 1 {
			t.Errorf("early %v: it has asked %d times", early, again)
		}
	}
	if blocks[true]+1 != blocks[false] {
		t.Errorf("from the membership to the key: %d blocks, %d if it is asked for when it is proven", blocks[true], blocks[false])
	}
}

// A host that lies of a membership, or names other secrets, gets the enclave to ask for what the chain refuses, once a header, and no more.
func TestAnEarlyRequestIsNotBelieved(t *testing.T) {
	c := newCity(t, 3, 2)
	stranger := c.AddMember()
	from := len(stranger.Outs)
	serve := func(x *enclavetest.Node, epoch, roster uint64) {
		x.Do(&wire.In{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: c.Cluster, Epoch: epoch, Roster: roster}}})
	}
	for i := range uint64(10) {
		serve(stranger, 1+i, 1)
	}
	if got := requests(stranger, from); len(got) != 1 {
		t.Errorf("%d requests at one header", len(got))
	}
	serve(stranger, 0, 1)
	serve(stranger, 1, 0)
	refused := len(c.Chain.Refused)
	c.Blocks(5)
	if len(said(stranger, from, (*wire.Out).GetAnnouncement)) != 0 || len(c.Chain.Refused) == refused {
		t.Errorf("one that is no member has asked and announces: the chain refused %q", c.Chain.Refused[refused:])
	}

	// It becomes a member: what it asked for under a false name does not stand in the way.
	serve(stranger, 7, 9)
	c.Chain.UpdateMembers(c.Cluster, 2, false, []*wire.WorkerRef{stranger.Ref}, nil)
	c.Blocks(6)
	c.inEpoch(1, 2)
	if got := said(stranger, from, (*wire.Out).GetAnnouncement); len(got) == 0 {
		t.Errorf("a member has no key: %q", c.Failures())
	}
	// A member in force is not made to ask.
	from = len(stranger.Outs)
	serve(stranger, 1, 2)
	if got := requests(stranger, from); len(got) != 0 {
		t.Errorf("it asks for what it has: %d", len(got))
	}
}
