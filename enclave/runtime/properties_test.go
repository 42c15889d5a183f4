package runtime_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// secrets are the kinds of Outs that depend on a batch's content and are not a sealed vote's business.
func leaked(outs []*wire.Out, number uint64) (out []string) {
	for _, o := range outs {
		switch b := o.Body.(type) {
		case *wire.Out_Effects:
			if b.Effects.Number >= number {
				out = append(out, "effects")
			}
		case *wire.Out_Record:
			if b.Record.Number >= number {
				out = append(out, "record")
			}
		case *wire.Out_ResultReady:
			if b.ResultReady.Number >= number {
				out = append(out, "result ready")
			}
		}
	}
	return out
}

// P4: the batch is executed and signed by all, and never committed.
func TestP04_NothingLeavesBeforeTheBatchIsFinal(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	n.DropCommit = true
	pay := `{"ok":{"messages":[{"id":0,"msg":{"bank":{"send":{"to_address":"` + u.Addr + `","amount":[{"denom":"ppha","amount":"3"}]}}},"gas_limit":null,"reply_on":"never"}],"attributes":[],"events":[],"data":null}}`
	s := u.Execute(contract, pay, "5", "5")
	var signed *wire.SignedBatch
	for range 12 { // over several views, so that every member leads
		n.Blocks(1)
		for _, x := range n.Members {
			for _, o := range x.Outs {
				if b := o.GetBatch(); b != nil && b.Batch.Number == 2 {
					signed = b
				}
			}
			x.Serve()
			outs := s.Ask(x)
			if f := enclavetest.Failure(outs); enclavetest.Reply(outs) != nil || f == nil || f.Code != "not-final" {
				t.Fatalf("result before the batch is final: %v", outs)
			}
			if got := state(t, n, x, contract); got != one {
				t.Fatalf("a query shows %q before the batch is final", got)
			}
			x.Do(&wire.In{Body: &wire.In_Record{Record: &wire.SealedRecord{Cluster: n.Cluster, Number: 2}}})
			x.Do(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{n.Chain.Block(n.Chain.Height)}}}})
			if l := leaked(x.Outs, 2); l != nil {
				t.Fatalf("before the batch is final there came out: %v", l)
			}
		}
	}
	if signed == nil {
		t.Fatal("no batch was signed: the test shows nothing")
	}
	// A peer that asks anew gets votes and nothing else.
	for _, x := range n.Members {
		for _, o := range x.Outs {
			if p := o.GetPeer(); p != nil && p.GetProposal() == nil && p.GetVote() == nil {
				t.Errorf("to a peer went %v", p)
			}
		}
	}
	n.DropCommit = false
	n.Blocks(6)
	if f := s.Result(n.Members[0]).Failure; f != nil {
		t.Error(f)
	}
	agree(t, n, contract, 2, n.Members...)
	if got := state(t, n, n.Members[1], contract); got != two {
		t.Errorf("state is %q", got)
	}
	if p := n.Chain.Paid[u.Addr]; p == nil || p.String() != "3" {
		t.Errorf("paid %v", p)
	}
}

func TestP18_AnotherSuiteIsRefused(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	for name, f := range map[string]func(e *wire.Envelope){
		"suite 0":         func(e *wire.Envelope) { e.Suite = 0 },
		"suite 2":         func(e *wire.Envelope) { e.Suite = 2 },
		"an X25519 key":   func(e *wire.Envelope) { e.Enc = e.Enc[:32] },
		"no key":          func(e *wire.Envelope) { e.Enc = nil },
		"a cut text":      func(e *wire.Envelope) { e.Ciphertext = e.Ciphertext[1:] },
		"nothing":         func(e *wire.Envelope) { *e = wire.Envelope{} },
		"a flipped text":  func(e *wire.Envelope) { e.Ciphertext[0] ^= 1 },
		"another's enc":   func(e *wire.Envelope) { e.Enc[0] ^= 1 },
		"an input's text": func(e *wire.Envelope) { *e, _ = must(n.Seal(n.At(seal.DomainInput), nil, []byte{})) },
	} {
		e, _ := n.Seal(n.At(seal.DomainQuery), nil, wire.Marshal(&wire.QueryRequest{Contract: contract, Msg: []byte("{}")}))
		f(e)
		outs := n.Members[0].Do(&wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: n.Cluster, Envelope: e}}})
		if f := enclavetest.Failure(outs); f == nil || f.Code != "malformed" && f.Code != "does-not-open" || enclavetest.Reply(outs) != nil {
			t.Errorf("%s: %v", name, outs)
		}
	}
	outs := n.Members[0].Do(&wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: n.Cluster}}})
	if f := enclavetest.Failure(outs); f == nil || f.Code != "malformed" {
		t.Errorf("no envelope: %v", outs)
	}
}

func must(e *wire.Envelope, k *seal.ReplyKey) (wire.Envelope, *seal.ReplyKey) { return *e, k }

func TestP05_AnswersBindHeightBatchAndRoot(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	isolated := n.Members[2]
	isolated.Cut = true
	seen := n.Chain.Height
	n.Blocks(2)
	q := &wire.QueryRequest{Contract: contract, Msg: []byte("{}"), MinHeight: n.Chain.Height}
	a, f := n.Query(isolated, q)
	if f != nil || a.Failure == nil || a.Failure.Code != "height-not-reached" || a.Data != nil || a.Height != seen {
		t.Errorf("an isolated enclave answers %v %v", a, f)
	}
	h := n.Chain.Head(n.Cluster)
	a, f = n.Query(n.Members[0], q)
	if f != nil || a.Failure != nil || a.Height < q.MinHeight || a.Number != h.Number || !bytes.Equal(a.BatchHash, h.BatchHash) || !bytes.Equal(a.Root, h.Root) || string(a.Data) != one {
		t.Errorf("answer %v %v, head %v", a, f, h)
	}
	isolated.Cut = false
	n.Blocks(1)
	if a, f = n.Query(isolated, q); f != nil || a.Failure != nil || a.Height != n.Chain.Height {
		t.Errorf("after it has caught up: %v %v", a, f)
	}
}

func TestP16_AStarvedEnclaveShuts(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	sent := n.User("alice").Execute(contract, fine, "", "")
	n.Blocks(4)
	if got := state(t, n, x, contract); got != two {
		t.Fatal(got)
	}
	n.Skew = 59 * time.Second
	if got := state(t, n, x, contract); got != two {
		t.Errorf("within W: %s", got)
	}
	n.Skew = 62 * time.Second
	if got := state(t, n, x, contract); got != "stale" {
		t.Errorf("starved, it answers %s", got)
	}
	if f := enclavetest.Failure(sent.Ask(x)); f == nil || f.Code != "stale" {
		t.Errorf("starved, it gives a result: %v", f)
	}
	// The gatekeeper: a request stands on the chain, and the header that proves it is old.
	n.Keeper.Outs = nil
	x.RT = nil // a new boot must ask anew
	x.Boot()
	n.Skew = 0
	n.Blocks(1)
	x.Register()
	n.Blocks(1)
	x.Serve()
	n.Chain.NewBlock()
	for _, y := range n.All() {
		y.Do(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{n.Chain.Block(n.Chain.Height - 1), n.Chain.Block(n.Chain.Height)}}}})
	}
	n.Chain.NewBlock()
	n.Keeper.Do(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{n.Chain.Block(n.Chain.Height)}}}})
	n.Skew = 62 * time.Second
	n.Keeper.Outs = nil
	hint := &wire.In{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: n.Cluster, Worker: x.Ref}}}
	n.Keeper.Do(hint)
	if f := enclavetest.Failure(n.Keeper.Outs); f == nil || f.Code != "stale" || !strings.Contains(f.Message, "ago") {
		t.Errorf("a starved gatekeeper: %v", n.Keeper.Outs)
	}
	if keyParts(n.Keeper) != 0 {
		t.Error("a starved gatekeeper gives key parts")
	}
	n.Skew = 0
	n.Blocks(1)
	n.Keeper.Do(hint)
	if keyParts(n.Keeper) == 0 {
		t.Errorf("with the chain alive, no key part: %q", n.Failures())
	}
	n.Blocks(3)
	state(t, n, x, contract) // asks for the code
	if got := state(t, n, x, contract); got != two {
		t.Errorf("recovered, it answers %s: %q", got, n.Failures())
	}
}

// Headers alone do not keep an enclave fresh: its host withholds the values.
func TestP16_HeadersWithoutValuesStarve(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	x.Mute = true
	n.Blocks(58)
	if got := state(t, n, x, contract); got != one {
		t.Errorf("within W: %s", got)
	}
	n.Blocks(5)
	if got := state(t, n, x, contract); got != "stale" {
		t.Errorf("fed with headers alone it answers %s", got)
	}
	x.Mute = false
	n.Blocks(1)
	if got := state(t, n, x, contract); got != one {
		t.Errorf("recovered, it answers %s", got)
	}
}

func keyParts(x *enclavetest.Node) (k int) {
	for _, o := range x.Outs {
		if o.GetPeer().GetKeyPart() != nil {
			k++
		}
	}
	return k
}

func TestP01_ASecondBootRetiresTheFirst(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	// The second boot has the first one's folder and name, and registers.
	first := *n.Members[1]
	old := &first
	n.Members[1].Restart()
	n.Blocks(6)
	agree(t, n, contract, 1, n.Members...)

	// The first sees itself retired, with the next proven values: it serves nobody.
	n.Members = append(n.Members, old)
	n.Blocks(2)
	if got := state(t, n, old, contract); got != "unknown-cluster" {
		t.Errorf("the retired identity answers %s", got)
	}
	n.Members = n.Members[:3]
	old.Outs = nil
	u.Execute(contract, fine, "", "")
	n.Blocks(1)
	n.DropCommit = true
	n.Blocks(9)
	n.DropCommit = false
	for _, o := range old.Outs {
		if o.GetPeer() != nil || o.GetBatch() != nil || o.GetKeyRequest() != nil {
			t.Errorf("the retired identity says %v", o)
		}
	}
	n.Blocks(4)
	agree(t, n, contract, 2, n.Members...)
}

// P1: what the old identity has signed is refused by name, everywhere: vote, batch, key request.
func TestP01_TheOldIdentityIsRefused(t *testing.T) {
	n := enclavetest.New(t, 3, 3) // all must sign
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	var member, leader *enclavetest.Node
	var votes []*wire.PeerMessage
	n.DropPeer = func(_ *enclavetest.Node, m *wire.PeerMessage) bool {
		if m.GetVote() != nil {
			votes = append(votes, m)
			return true
		}
		return false
	}
	u.Execute(contract, fine, "", "")
	n.Blocks(2)
	if len(votes) == 0 {
		t.Fatal("no votes")
	}
	v := votes[0]
	member = n.Members[v.GetVote().Signature.Member]
	for _, x := range n.Members {
		if x.Ref.Is(v.To) {
			leader = x
		}
	}
	var request *wire.KeyRequest
	for _, o := range member.Outs {
		if r := o.GetKeyRequest(); r != nil {
			request = r
		}
	}
	member.Restart()
	n.Blocks(1)
	out := leader.Do(&wire.In{Body: &wire.In_Peer{Peer: v}})
	if f := enclavetest.Failure(out); f == nil || !strings.Contains(f.Message, member.Ref.Name()) {
		t.Errorf("a vote of the retired identity: %v", out)
	}
	refused := len(n.Chain.Refused)
	n.Chain.RequestKey(request)
	n.Blocks(1)
	if r := n.Chain.Refused[refused:]; len(r) == 0 || !strings.Contains(r[0], "is not the registered one") {
		t.Errorf("a key request of the retired identity: %q", r)
	}
	n.DropPeer = nil
	n.Blocks(9)
	agree(t, n, contract, 2, n.Members...)
}

func TestP02_RestartRestoresFromRecords(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	for range 3 {
		u.Execute(contract, fine, "", "")
		n.Blocks(4)
	}
	x := n.Members[1]
	x.Outs = nil
	x.Restart()
	n.Blocks(6)
	agree(t, n, contract, 4, n.Members...)
	if got := state(t, n, x, contract); got != "not-serving" && got != two {
		t.Errorf("restored, it answers %s", got)
	}
	if got := state(t, n, x, contract); got != two { // its code has come meanwhile
		t.Errorf("restored, it answers %s: %q", got, n.Failures())
	}
	for _, o := range x.Outs {
		for _, k := range o.GetNeedValues().GetKeys() {
			if k.Store == storekey.Cluster && bytes.HasPrefix(k.Key, storekey.ItemKey(n.Cluster, 0)[:1]) {
				t.Fatal("it executed instead of applying its records")
			}
		}
	}
	// It takes part again.
	n.Members[0].Dead = true
	u.Execute(contract, fine, "", "")
	n.Blocks(8)
	agree(t, n, contract, 5, n.Members[1:]...)
}

// P2: an old, foreign, changed or missing record is never served from: the state comes from the chain's own inputs.
func TestP02_ABadFolderIsSeenAndRecovered(t *testing.T) {
	for name, lend := range map[string]func(good map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord{
		"nobody has any": func(map[uint64]*wire.SealedRecord, uint64) *wire.SealedRecord { return nil },
		"only the first": func(g map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord {
			if k > 1 {
				return nil
			}
			return g[1]
		},
		"an older one in place": func(g map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord {
			r := *g[1]
			r.Number = k
			return &r
		},
		"a changed one": func(g map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord {
			r := *g[k]
			r.Ciphertext = bytes.Clone(r.Ciphertext)
			r.Ciphertext[7] ^= 1
			return &r
		},
		"a nonce cut": func(g map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord {
			r := *g[k]
			r.Nonce = r.Nonce[1:]
			return &r
		},
		"no nonce": func(g map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord {
			return &wire.SealedRecord{Cluster: 1, Number: k, Ciphertext: []byte{1}}
		},
		"the header changed": func(g map[uint64]*wire.SealedRecord, k uint64) *wire.SealedRecord {
			r := *g[k]
			r.ChainId, r.BatchHash = "another", nil // the enclave takes these from the chain
			return &r
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := enclavetest.New(t, 2, 2)
			u := n.User("alice")
			contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
			u.Execute(contract, fine, "", "")
			n.Blocks(4)
			x := n.Members[1]
			good := n.Members[0].Records
			x.Lend = func(k uint64) *wire.SealedRecord { return lend(good, k) }
			x.Restart()
			for range 7 {
				if got := state(t, n, x, contract); got == one {
					t.Fatal("an older state is served")
				}
				n.Blocks(1)
			}
			state(t, n, x, contract)
			agree(t, n, contract, 2, x)
			if got := state(t, n, x, contract); got != two {
				t.Errorf("recovered, it answers %s: %q", got, n.Failures())
			}
		})
	}
}

// P2: a record that is good in itself and leads elsewhere is refused: the chain has another root.
func TestP02_AnotherRootIsRefused(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	good := x.Records[1]
	// An unasked record changes nothing.
	before := state(t, n, x, contract)
	x.Do(&wire.In{Body: &wire.In_Record{Record: good}})
	x.Do(&wire.In{Body: &wire.In_Record{Record: &wire.SealedRecord{}}})
	if got := state(t, n, x, contract); got != before {
		t.Errorf("an unasked record led to %s", got)
	}
}

// P3: forged headers and values at the endpoint change nothing.
func TestP03_ForgeriesAreRefused(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	contract := deploy(t, n, n.User("alice"), wire.QUERY_POLICY_OPEN)
	x := n.Members[0]
	h := n.Chain.Height
	root := bytes.Repeat([]byte{7}, 32)
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	forged, _ := n.Chain.Sign(h+1, n.Chain.Time().Add(time.Second), root, []byte(other))
	flipped := bytes.Clone(n.Chain.Block(h))
	for name, block := range map[string][]byte{
		"another validator": forged, "garbage": {0xff, 1, 2}, "nothing": {}, "half a block": n.Chain.Block(h)[:100],
	} {
		outs := x.Do(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{block}}}})
		if enclavetest.Failure(outs) == nil || outs[len(outs)-2].GetVerified().GetHeight() != h {
			t.Errorf("%s: %v", name, outs)
		}
	}
	for i := range flipped { // any byte: never more than what is known
		flipped[i] ^= 0x55
		outs := x.Do(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{flipped}}}})
		if v := outs[len(outs)-2].GetVerified(); v.GetHeight() != h || !bytes.Equal(v.Hash, n.Chain.Hash(h)) {
			t.Fatalf("byte %d flipped: %v", i, v)
		}
		flipped[i] ^= 0x55
	}

	keys := []*wire.StoreKey{
		{Store: storekey.Cluster, Key: storekey.ClusterKey(1)}, {Store: storekey.Cluster, Key: storekey.HeadKey(1)},
		{Store: storekey.Cluster, Key: storekey.InboxKey(1)}, {Store: storekey.Gatekeeper, Key: storekey.ClusterInputKey(1)},
		{Store: storekey.Gatekeeper, Key: storekey.NextInputKey(1)}, {Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey()},
		{Store: storekey.Gatekeeper, Key: storekey.PreviousSetKey()},
		{Store: storekey.Worker, Key: storekey.WorkerKey(x.Ref.Operator, x.Ref.Slot)},
	}
	x.Mute = true
	n.Blocks(1)
	fresh := func() *wire.StoreValues { return n.Chain.Prove(n.Chain.Height, keys...) }
	head := &wire.Head{Cluster: 1, Number: 9, BatchHash: make([]byte, 32), Root: settle.EmptyRoot()}
	for name, f := range map[string]func(v *wire.StoreValues){
		"a forged head":       func(v *wire.StoreValues) { v.Values[1].Value = wire.Marshal(head) },
		"absence of the head": func(v *wire.StoreValues) { v.Values[1].Value = nil },
		"no proof":            func(v *wire.StoreValues) { v.Values[0].IavlProof = nil },
		"no store proof":      func(v *wire.StoreValues) { v.Values[0].StoreProof = nil },
		"no key":              func(v *wire.StoreValues) { v.Values[0].Key = nil },
		"a nil value":         func(v *wire.StoreValues) { v.Values[2] = &wire.StoreValue{} },
		"swapped proofs":      func(v *wire.StoreValues) { v.Values[0].IavlProof = v.Values[1].IavlProof },
		"an unknown height":   func(v *wire.StoreValues) { v.Height += 7 },
		"height zero":         func(v *wire.StoreValues) { v.Height = 0 },
		"another height":      func(v *wire.StoreValues) { v.Height-- },
	} {
		v := fresh()
		f(v)
		x.Outs = nil
		outs := x.Do(&wire.In{Body: &wire.In_StoreValues{StoreValues: v}})
		if enclavetest.Failure(outs) == nil {
			// Versions of trees that did not change prove the same at both heights; then nothing false was said.
			if name != "another height" {
				t.Errorf("%s: %v", name, outs)
			}
		}
		a, fail := n.Query(x, &wire.QueryRequest{Contract: contract, Msg: []byte("{}")})
		if fail != nil || a.Height != h || a.Number != 1 {
			t.Errorf("%s: the enclave is at %v %v", name, a, fail)
		}
	}
	x.Do(&wire.In{Body: &wire.In_StoreValues{StoreValues: fresh()}})
	if a, f := n.Query(x, &wire.QueryRequest{Contract: contract, Msg: []byte("{}")}); f != nil || a.Height != h+1 {
		t.Errorf("with true values: %v %v", a, f)
	}
}
