package runtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// host stands before a gatekeeper and records what goes in; replay gives it again, as badly as it can.
type host struct {
	enclavetest.Handler
	heard []*wire.In
	said  []*wire.Out
	rand  *rand.Rand
}

func (h *host) Handle(ctx context.Context, in *wire.In) []*wire.Out {
	h.heard = append(h.heard, in)
	outs := h.Handler.Handle(ctx, in)
	h.said = append(h.said, outs...)
	return outs
}

// worsen gives everything that was heard once more, in another order, changed here and there, with other heights and with garbage.
// What the enclave says to it goes nowhere.
func (h *host) worsen(t *testing.T) {
	t.Helper()
	before := len(h.heard)
	for _, i := range h.rand.Perm(before) {
		var in wire.In
		if err := wire.Unmarshal(wire.Marshal(h.heard[i]), &in); err != nil {
			t.Fatal(err)
		}
		if v := in.GetStoreValues(); v != nil && len(v.Values) > 0 {
			switch h.rand.IntN(8) {
			case 0:
				v.Height += uint64(h.rand.IntN(5))
			case 1:
				v.Values = v.Values[:h.rand.IntN(len(v.Values))] // withheld
			case 2:
				x := v.Values[h.rand.IntN(len(v.Values))]
				if len(x.Value) > 0 {
					x.Value[h.rand.IntN(len(x.Value))] ^= 1
				}
			case 3:
				v.Values[0].Value, v.Values[len(v.Values)-1].Value = v.Values[len(v.Values)-1].Value, v.Values[0].Value
			case 4:
				v.Values[0].IavlProof = []byte("garbage")
			}
		}
		h.said = append(h.said, h.Handler.Handle(t.Context(), &in)...)
	}
	for _, in := range []*wire.In{
		{}, {Body: &wire.In_StoreValues{StoreValues: &wire.StoreValues{}}}, {Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{nil, []byte("x")}}}},
		{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: 77, Worker: &wire.WorkerRef{Operator: "nobody"}}}},
		{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{}}}, {Body: &wire.In_Peer{Peer: &wire.PeerMessage{}}},
		{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_KeptRequest{KeptRequest: &wire.KeptRequest{}}}}},
		{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_KeptShares{KeptShares: &wire.KeptShares{}}}}}, {Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: 1}}},
	} {
		h.said = append(h.said, h.Handler.Handle(t.Context(), in)...)
	}
}

// once checks that a member has said one thing only in each attempt of each epoch, however often it was asked.
func (h *host) once(t *testing.T) (said map[string]int) {
	t.Helper()
	said = map[string]int{}
	first := map[string]string{}
	for _, o := range h.said {
		var name string
		var m wire.Message
		switch b := o.Body.(type) {
		case *wire.Out_GenerationJoin:
			name, m = fmt.Sprintf("join %d/%d", b.GenerationJoin.Epoch, b.GenerationJoin.Attempt), b.GenerationJoin
		case *wire.Out_Contribution:
			name, m = fmt.Sprintf("contribution %d/%d", b.Contribution.Epoch, b.Contribution.Attempt), b.Contribution
		case *wire.Out_Confirmation:
			name, m = fmt.Sprintf("confirmation %d/%d", b.Confirmation.Epoch, b.Confirmation.Attempt), b.Confirmation
		case *wire.Out_Complaint:
			t.Errorf("it complains about %d", b.Complaint.Against)
			continue
		default:
			continue
		}
		said[name]++
		hash := string(wire.Hash(m))
		if was, ok := first[name]; ok && was != hash {
			t.Errorf("%s: it said two things", name)
		}
		first[name] = hash
	}
	return said
}

// A host that replays, reorders, changes and withholds what its gatekeeper is told changes nothing: the gatekeeper says the same
// things as the others, and no key goes to anybody who was not entitled to it.
func TestAHostileHostOfAGatekeeperChangesNothing(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2))
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	h := &host{Handler: n.Keepers[1].RT, rand: rand.New(rand.NewPCG(1, 2))}
	n.Keepers[1].RT = h
	for epoch := range uint64(3) {
		n.Chain.Border()
		for range 20 {
			n.Blocks(1)
			h.worsen(t)
			h.heard = h.heard[max(0, len(h.heard)-60):]
		}
		if got := holders(n); n.Chain.Epoch() != epoch+2 || len(got) != 4 {
			t.Fatalf("epoch %d of %v: %v, refused %q, said %q", n.Chain.Epoch(), got, n.Chain.Generation(), n.Chain.Refused, n.Failures())
		}
	}
	said := h.once(t)
	for epoch := 2; epoch <= 4; epoch++ {
		for _, what := range []string{"join", "contribution", "confirmation"} {
			if got := said[fmt.Sprintf("%s %d/1", what, epoch)]; got == 0 {
				t.Errorf("no %s of epoch %d: %v", what, epoch, said)
			}
		}
	}
	if len(said) != 9 {
		t.Errorf("it said %v", said)
	}
	for _, o := range h.said {
		if p := o.GetPeer().GetKeyPart(); p != nil && !p.Worker.Is(n.Members[0].Ref) {
			t.Errorf("a part for %s", p.Worker.Name())
		}
	}
	// It still serves.
	for i, x := range n.Keepers {
		if i == 0 || i == 2 {
			x.Dead = true
		}
	}
	restarts(t, n, n.Members[0], contract)
}

// What a host withholds from its gatekeeper only keeps that one out, and it is back at the border after.
func TestAStarvedGatekeeperIsLeftBehind(t *testing.T) {
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(4, 2))
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	n.Keepers[3].Mute = true
	border(t, n, contract)
	if got := fmt.Sprint(holders(n)); got != "[0 1 2]" {
		t.Errorf("with one starved, %s count", got)
	}
	n.Keepers[3].Mute = false
	border(t, n, contract)
	if got := holders(n); len(got) != 4 {
		t.Errorf("after the next border %v count: %v", got, n.Failures())
	}
	restarts(t, n, n.Members[0], contract)
}
