package executor_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// custody is a city with custodians: three, of whom two together can read its cluster's state.
type custody struct {
	*city
	terms *wire.EscrowTerms
	keys  []*escrow.Key
}

func newCustody(t *testing.T, delay uint64) *custody {
	t.Helper()
	c := &custody{city: newCity(t, 3, 2)}
	if delay > 0 {
		c.Chain.Put(storekey.Attestation, storekey.Network(), &wire.NetworkParams{Development: true, ActivationDelay: delay})
	}
	c.terms = &wire.EscrowTerms{Cluster: c.Cluster, Threshold: 2}
	for i, name := range []string{"anna", "bert", "cleo"} {
		k, err := escrow.NewKey(bytes.Repeat([]byte{byte(i + 1)}, escrow.SeedSize))
		if err != nil {
			t.Fatal(err)
		}
		c.keys = append(c.keys, k)
		c.terms.Custodians = append(c.terms.Custodians, k.Custodian(name))
	}
	return c
}

func (c *custody) deals(epoch uint64) []*wire.EscrowDeal {
	return c.Chain.Deals(c.Cluster, epoch, c.Chain.Cluster(c.Cluster).Roster)
}

// said counts the failures of all members that have these words.
func (c *custody) said(words string) (n int) {
	for _, f := range c.Failures() {
		if strings.Contains(f, words) {
			n++
		}
	}
	return n
}

// gave counts what members have given out for the chain's escrow.
func (c *custody) gave() (deals, requests int) {
	for _, x := range c.Members {
		for _, o := range x.Outs {
			if o.GetEscrowDeal() != nil {
				deals++
			}
			if o.GetEscrowRequest() != nil {
				requests++
			}
		}
	}
	return deals, requests
}

// answers has custodians answer whoever asks, with every deal that the chain has. Who lies gives another's share for its own.
func (c *custody) answers(lie bool, custodians ...uint32) {
	c.t.Helper()
	for _, x := range c.Members {
		r := c.Chain.Asked(c.Cluster, x.Ref)
		if r == nil {
			continue
		}
		for _, l := range c.Chain.KeyEscrow(c.Cluster).Labels {
			for n, d := range c.Chain.Deals(c.Cluster, l.Epoch, l.Roster) {
				for _, i := range custodians {
					from := i
					if lie {
						from = (i + 1) % uint32(len(c.keys))
					}
					s, err := c.keys[from].OpenDealt(enclavetest.ChainID, d, from)
					if err != nil {
						c.t.Fatal(err)
					}
					a, err := c.keys[i].Answer(enclavetest.ChainID, d, uint32(n), i, s, r)
					if err != nil {
						c.t.Fatal(err)
					}
					c.Chain.EscrowShare(a)
				}
			}
		}
	}
	c.Blocks(3)
}

// loses is the end of all memory: no member runs any more, and the gatekeepers have no key of the epoch.
func (c *custody) loses() {
	for _, x := range c.Members {
		x.Dead = true
	}
	c.issuer.Erase(c.Chain.Epoch())
	c.Chain.NextEpoch(2)
	c.Blocks(2)
}

func (c *custody) wakes() {
	for _, x := range c.Members {
		x.Restart()
	}
	c.Blocks(50)
}

// open says whether a member answers from the newest state there is.
func (c *custody) open(x *enclavetest.Node) bool {
	c.t.Helper()
	var a *wire.QueryReply
	for range 2 { // the first loads the contract
		a, _ = c.Query(x, &wire.QueryRequest{Contract: c.contract, Msg: []byte("{}")})
	}
	h := c.Chain.Head(c.Cluster)
	return a != nil && a.Failure == nil && string(a.Data) == "2" && a.Number == h.Number && bytes.Equal(a.Root, h.Root)
}

// Off by default: without the owner's consent and governance's word nothing is dealt, and nobody asked for anything; the word of one of
// them is none.
func TestNoEscrowNothingHappens(t *testing.T) {
	c := newCustody(t, 0)
	c.call()
	c.Blocks(15)
	c.Members[0].Restart()
	c.Blocks(50)
	cl := c.Chain.Cluster(c.Cluster)
	cl.EscrowConsent = escrow.TermsHash(c.terms) // the owner alone
	c.Chain.Put(storekey.Cluster, storekey.ClusterKey(c.Cluster), cl)
	c.Blocks(15)
	other := *c.terms // governance alone: other terms than the owner's
	other.Threshold = 3
	cl.EscrowHeight = c.Chain.Height
	c.Chain.Put(storekey.Cluster, storekey.ClusterKey(c.Cluster), cl)
	c.Chain.Put(storekey.Cluster, storekey.KeyEscrowKey(c.Cluster), &wire.KeyEscrow{Terms: &other, ApprovedHeight: cl.EscrowHeight})
	c.Blocks(15)
	if d, r := c.gave(); d+r != 0 {
		t.Errorf("%d deals and %d requests", d, r)
	}
}

// One deal is enough, of whoever's turn it is; the next epoch's key is dealt after the border.
func TestMembersDealOnce(t *testing.T) {
	c := newCustody(t, 0)
	c.Chain.Escrow(c.terms)
	c.Blocks(6)
	if n := len(c.deals(1)); n != 1 {
		t.Fatalf("%d deals; refused %q, failures %q", n, c.Chain.Refused, c.Failures())
	}
	c.Chain.NextEpoch(1)
	c.Blocks(16)
	c.inEpoch(2, 1)
	c.Blocks(30)
	if n := len(c.deals(2)); n != 1 {
		t.Errorf("%d deals of epoch 2", n)
	}
	c.Members[1].Restart() // it finds its state with the others
	c.Blocks(50)
	if d, r := c.gave(); d != 2 || r != 0 {
		t.Errorf("%d deals and %d requests were sent", d, r)
	}
}

// A member whose turn it is and who says nothing is waited for, and then another deals.
func TestASilentDealerIsReplaced(t *testing.T) {
	c := newCustody(t, 0)
	first := c.Chain.Cluster(c.Cluster)
	c.Members[int((first.Epoch+first.Roster)%3)].Mute = true
	c.Chain.Escrow(c.terms)
	c.Blocks(25)
	if n := len(c.deals(1)); n != 1 {
		t.Fatalf("%d deals; refused %q, failures %q", n, c.Chain.Refused, c.Failures())
	}
}

// P9: an escrow counts when the chain's state has shown it for the activation delay, whatever the chain says of it: not one block before.
func TestP09_AnEscrowWaitsForTheDelay(t *testing.T) {
	const delay = 40
	c := newCustody(t, delay)
	c.Blocks(delay)
	c.Chain.Escrow(c.terms)
	c.Blocks(1)
	at := c.Chain.Height
	// Validators who are in a hurry write that all was approved long ago, and that no delay holds here.
	cl := c.Chain.Cluster(c.Cluster)
	cl.EscrowHeight = 3
	c.Chain.Put(storekey.Cluster, storekey.ClusterKey(c.Cluster), cl)
	c.Chain.Put(storekey.Cluster, storekey.KeyEscrowKey(c.Cluster), &wire.KeyEscrow{Terms: c.terms, ApprovedHeight: 3})
	for c.Chain.Height < at+delay {
		if d, _ := c.gave(); d != 0 {
			t.Fatalf("dealt at height %d, it was said first at %d", c.Chain.Height, at)
		}
		c.Blocks(1)
	}
	c.Blocks(12)
	if n := len(c.deals(1)); n != 1 {
		t.Errorf("%d deals after the delay; refused %q, failures %q", n, c.Chain.Refused, c.Failures())
	}
	// Other terms begin anew, also where they take the place of others.
	c.terms.Threshold = 3
	c.Chain.Escrow(c.terms)
	c.Blocks(delay / 2)
	if d, _ := c.gave(); d != 1 {
		t.Error("the key was dealt under terms of today")
	}
}

// A cluster that has lost everything comes back with a threshold of its custodians, and with none fewer.
func TestCustodiansBringAClusterBack(t *testing.T) {
	c := newCustody(t, 0)
	c.Chain.Escrow(c.terms)
	for range 3 {
		c.call()
		c.Blocks(5)
	}
	c.DropCommit = true
	queued := c.alice.Execute(c.contract, fine, "700", "") // sealed to the input key that is lost
	c.Blocks(2)
	head := c.Chain.Head(c.Cluster)
	c.loses()
	c.DropCommit = false
	c.wakes()
	if _, r := c.gave(); r < 3 {
		t.Fatalf("%d requests; refused %q, failures %q", r, c.Chain.Refused, c.Failures())
	}
	c.answers(false, 2)
	c.Blocks(20)
	for _, x := range c.Members {
		if c.open(x) {
			t.Fatal("one custodian of two opens the state")
		}
	}
	c.inEpoch(1, 1)
	c.answers(false, 0)
	c.Blocks(25)
	c.inEpoch(3, 1)
	for _, x := range c.Members {
		if !c.open(x) {
			t.Errorf("%s does not have the state; failures %q", x.Ref.Name(), c.Failures())
		}
	}
	s := c.call()
	c.Blocks(12)
	c.final(s, "", c.Members...)
	if now := c.Chain.Head(c.Cluster); now.Number <= head.Number {
		t.Errorf("head %d, it was %d", now.Number, head.Number)
	}
	// What was in the inbox stays closed: an escrow has no input key. Its funds come back.
	for range 2 {
		c.Chain.NextEpoch(1)
		c.Blocks(14)
	}
	c.call()
	c.Blocks(12)
	for _, x := range c.Members {
		outs := queued.Ask(x)
		if f := enclavetest.Failure(outs); f == nil || f.Code != "wrong-epoch" || enclavetest.Reply(outs) != nil {
			t.Errorf("the queued input: %v", outs)
		}
	}
	if paid := c.Chain.Paid[c.alice.Addr]; paid.String() != "700" {
		t.Errorf("paid back %v", paid)
	}
}

// Whoever gives a false share is named, and the others are enough; so is whoever has dealt a false key.
func TestLiarsInAnEscrowAreNamed(t *testing.T) {
	c := newCustody(t, 0)
	// Member 2, whose TEE is broken, is first with a key of its own.
	liar := c.Members[2]
	c.Chain.Escrow(c.terms)
	c.Chain.Tx("a false deal", func() error {
		var b [keytree.Size]byte
		rand.Read(b[:])
		s, err := keytree.NewSecret(b[:])
		if err != nil {
			return err
		}
		d, err := escrow.Deal(enclavetest.ChainID, c.terms, 1, 1, s)
		if err != nil {
			return err
		}
		d.Worker = liar.Ref
		return c.Chain.PutDeal(c.Chain.KeyEscrow(c.Cluster), d)
	})
	c.call()
	c.Blocks(40)
	if n := len(c.deals(1)); n != 2 {
		t.Fatalf("%d deals; refused %q, failures %q", n, c.Chain.Refused, c.Failures())
	}
	if n := c.said(liar.Ref.Name() + " has dealt another state key"); n == 0 {
		t.Errorf("nobody names the false deal: %q", c.Failures())
	}
	c.loses()
	c.wakes()
	c.answers(true, 0) // anna
	c.answers(false, 1)
	c.Blocks(5)
	if n := c.said("custodian anna of cluster 1 gave a false share"); n == 0 {
		t.Errorf("nobody names the false share: %q", c.Failures())
	}
	if c.open(c.Members[0]) {
		t.Error("one right share and a false one open the state")
	}
	c.answers(false, 2)
	c.Blocks(40)
	for _, x := range c.Members {
		if !c.open(x) {
			t.Errorf("%s does not have the state; failures %q", x.Ref.Name(), c.Failures())
		}
	}
}

// No custodian's share, no key and no request stays in memory once the state is here.
func TestRescueLeavesNothing(t *testing.T) {
	c := newCustody(t, 0)
	c.Chain.Escrow(c.terms)
	c.call()
	c.Blocks(8)
	c.loses()
	broken := c.Members[0].Break()
	c.wakes()
	if asks, _ := broken.Executor().Rescue(c.Cluster); !asks {
		t.Fatal("it does not ask")
	}
	c.answers(false, 0, 1, 2)
	c.Blocks(40)
	for _, x := range c.Members {
		if !c.open(x) {
			t.Fatalf("%s does not have the state; failures %q", x.Ref.Name(), c.Failures())
		}
	}
	if asks, archived := broken.Executor().Rescue(c.Cluster); asks || archived != 0 {
		t.Errorf("it asks: %v, and has %d old state keys", asks, archived)
	}
	_, before := c.gave()
	c.Blocks(60)
	if _, after := c.gave(); after != before {
		t.Errorf("%d requests are made after the state is here", after-before)
	}
}

// Someone else than the members signs nothing for them.
func TestDealsAreSignedByTheirMember(t *testing.T) {
	c := newCustody(t, 0)
	c.Chain.Escrow(c.terms)
	c.Blocks(6)
	d := c.deals(1)[0]
	w := c.Chain.Worker(d.Worker)
	if !ed25519.Verify(w.IdentityKey, escrow.DealBytes(enclavetest.ChainID, d), d.Signature) {
		t.Error("the deal's signature is not its member's")
	}
	for i, k := range c.keys { // every custodian opens its share of it
		if _, err := k.OpenDealt(enclavetest.ChainID, d, uint32(i)); err != nil {
			t.Error(fmt.Errorf("custodian %d: %w", i, err))
		}
	}
}
