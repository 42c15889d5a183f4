package runtime_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/lightclient"
)

// Everything that a host can hand to a gatekeeper, malformed, replayed, out of order, oversized, wrongly signed or of another epoch: it is
// answered with a reason, or with nothing where it may be one that is early or late; nothing leaves, no header is taken, and whoever
// is entitled to keys gets them afterwards.
func TestBadMessagesToAGatekeeperChangeNothing(t *testing.T) {
	n := enclavetest.New(t, 3, 2, enclavetest.Gatekeepers(4, 2))
	g, other := n.Keepers[0], n.Keepers[1].Ref
	n.Blocks(2)
	h := n.Chain.Height
	good := n.Chain.Prove(h, &wire.StoreKey{Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey()})
	values := func(f func(*wire.StoreValues)) *wire.In {
		c := &wire.StoreValues{}
		if err := wire.Unmarshal(wire.Marshal(good), c); err != nil {
			t.Fatal(err)
		}
		f(c)
		return &wire.In{Body: &wire.In_StoreValues{StoreValues: c}}
	}
	blocks := func(b ...[]byte) *wire.In {
		return &wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: b}}}
	}
	peer := func(m *wire.PeerMessage) *wire.In { m.To = g.Ref; return &wire.In{Body: &wire.In_Peer{Peer: m}} }
	word := func(f func(*wire.HeaderWord)) *wire.In {
		w := &wire.HeaderWord{Height: h, Hash: n.Chain.Hash(h), Gatekeeper: other, Asks: true}
		f(w)
		return peer(&wire.PeerMessage{Body: &wire.PeerMessage_HeaderWord{HeaderWord: w}})
	}
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	forged, _ := n.Chain.Sign(h+1, n.Chain.Time(), make([]byte, 32), []byte(stranger))
	lb, err := light.Decode(n.Chain.Block(h))
	if err != nil {
		t.Fatal(err)
	}
	lb.Commit.Signatures[0].Signature[0] ^= 1
	broken, err := light.Encode(lb)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   *wire.In
		code string // of the failure; empty: nothing is said
	}{
		"nothing":                     {&wire.In{}, "refused"},
		"a cluster to serve":          {&wire.In{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: 1}}}, "refused"},
		"code":                        {&wire.In{Body: &wire.In_Code{Code: &wire.CodeBytes{Id: make([]byte, 32), Packed: make([]byte, 1<<20)}}}, "refused"},
		"a record":                    {&wire.In{Body: &wire.In_Record{Record: &wire.SealedRecord{}}}, "refused"},
		"a chunk":                     {&wire.In{Body: &wire.In_Chunk{Chunk: &wire.SealedChunk{}}}, "refused"},
		"a query":                     {&wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{}}}, "refused"},
		"a question for a result":     {&wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{}}}, "refused"},
		"another name":                {&wire.In{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: other, NonceHeight: h, NonceHash: n.Chain.Hash(h)}}}, "refused"},
		"no name":                     {&wire.In{Body: &wire.In_Attest{Attest: &wire.Attest{NonceHash: n.Chain.Hash(h)}}}, "refused"},
		"half a nonce":                {&wire.In{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: g.Ref, NonceHash: make([]byte, 16)}}}, "refused"},
		"no header":                   {blocks(nil), "refused"},
		"garbage for a header":        {blocks([]byte("garbage")), "refused"},
		"a megabyte for a header":     {blocks(make([]byte, 1<<20)), "refused"},
		"a header by others":          {blocks(forged), "refused"},
		"a header replayed":           {blocks(n.Chain.Block(h)), ""},
		"an old header":               {blocks(n.Chain.Block(h - 1)), ""},
		"a known header, changed":     {blocks(broken), ""},
		"values of a height to come":  {values(func(v *wire.StoreValues) { v.Height += 9 }), "refused"},
		"values of height 0":          {values(func(v *wire.StoreValues) { v.Height = 0 }), "refused"},
		"values of the height before": {values(func(v *wire.StoreValues) { v.Height-- }), "refused"},
		"another value":               {values(func(v *wire.StoreValues) { v.Values[0].Value[0] ^= 1 }), "refused"},
		"an absence that is none":     {values(func(v *wire.StoreValues) { v.Values[0].Value = nil }), "refused"},
		"a value of another key":      {values(func(v *wire.StoreValues) { v.Values[0].Key.Key = storekey.RosterKey() }), "refused"},
		"a value of another store":    {values(func(v *wire.StoreValues) { v.Values[0].Key.Store = storekey.Worker }), "refused"},
		"a value of no key":           {values(func(v *wire.StoreValues) { v.Values[0].Key = nil }), "refused"},
		"no proof":                    {values(func(v *wire.StoreValues) { v.Values[0].IavlProof = nil }), "refused"},
		"garbage for a proof":         {values(func(v *wire.StoreValues) { v.Values[0].StoreProof = make([]byte, 1<<20) }), "refused"},
		"a value nobody asked for":    {values(func(*wire.StoreValues) {}), ""},
		"a hint of nobody":            {&wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: 1}}}, "ignored"},
		"a hint of a long name": {&wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{
			Cluster: 1, Worker: &wire.WorkerRef{Operator: strings.Repeat("x", 1<<20)},
		}}}, "ignored"},
		"no message":      {peer(&wire.PeerMessage{}), "refused"},
		"a proposal":      {peer(&wire.PeerMessage{Body: &wire.PeerMessage_Proposal{Proposal: &wire.Proposal{}}}), "refused"},
		"a vote":          {peer(&wire.PeerMessage{Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{}}}), "refused"},
		"a part of a key": {peer(&wire.PeerMessage{Body: &wire.PeerMessage_KeyPart{KeyPart: &wire.KeyPart{}}}), "refused"},
		"a forged word": {word(func(w *wire.HeaderWord) {
			w.Signature = ed25519.Sign(stranger, lightclient.WordBytes(enclavetest.ChainID, w))
		}), "header-word"},
		"a stranger's word": {word(func(w *wire.HeaderWord) { w.Gatekeeper = n.Members[0].Ref }), "header-word"},
		"nobody's word":     {word(func(w *wire.HeaderWord) { w.Gatekeeper = nil }), "header-word"},
		"a part of a beacon of another epoch": {peer(&wire.PeerMessage{Body: &wire.PeerMessage_BeaconPart{BeaconPart: &wire.BeaconPart{
			Epoch: 9, Height: h, Member: 1, Part: make([]byte, 48),
		}}}), "ignored"},
		"a part of a value that is known": {peer(&wire.PeerMessage{Body: &wire.PeerMessage_BeaconPart{BeaconPart: &wire.BeaconPart{
			Epoch: 1, Height: h, Member: 1, Part: make([]byte, 48),
		}}}), ""},
		"a part of a beacon of no member": {peer(&wire.PeerMessage{Body: &wire.PeerMessage_BeaconPart{BeaconPart: &wire.BeaconPart{
			Epoch: 1, Height: h, Member: 99, Part: make([]byte, 48),
		}}}), "beacon-part"},
		"a question for shares of what does not lag": {peer(&wire.PeerMessage{Body: &wire.PeerMessage_KeptRequest{KeptRequest: &wire.KeptRequest{To: 1, Cluster: 1, Epoch: 1, Roster: 1}}}), "ignored"},
		"shares that nobody asked for":               {peer(&wire.PeerMessage{Body: &wire.PeerMessage_KeptShares{KeptShares: &wire.KeptShares{To: 1, Cluster: 1, Epoch: 1, Roster: 1}}}), "ignored"},
	} {
		var failure *wire.Failure
		for range 2 { // a replay is as bad; what is wrong with a matter is said once
			for _, o := range g.Do(c.in) {
				switch b := o.Body.(type) {
				case *wire.Out_Failure:
					failure = b.Failure
				case *wire.Out_Done, *wire.Out_NeedValues:
				case *wire.Out_Verified:
					if b.Verified.Height != h {
						t.Errorf("%s: the enclave follows to height %d", name, b.Verified.Height)
					}
				default:
					t.Errorf("%s: %T leaves", name, o.Body)
				}
			}
		}
		switch {
		case failure.GetCode() != c.code:
			t.Errorf("%s: %v, want %q", name, failure, c.code)
		case failure != nil && failure.Message == "":
			t.Errorf("%s: no reason", name)
		}
	}
	n.Members[0].Restart()
	n.Blocks(12)
	if _, f := n.Query(n.Members[0], &wire.QueryRequest{Contract: make([]byte, 32), Msg: []byte("{}")}); f != nil && f.Code == "not-serving" {
		t.Errorf("a member that starts anew gets no keys: %v, %q", f, n.Failures())
	}
	for _, e := range n.Chain.Refused {
		t.Errorf("the chain refused %s", e)
	}
}
