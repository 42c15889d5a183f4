package runtime_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
	"github.com/phala-go/phala/enclave/runtime"
	"github.com/phala-go/phala/enclave/tee"
)

func TestADeadLeaderIsPassedOver(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	s := u.Execute(contract, fine, "", "")
	n.Blocks(1)
	var dead *enclavetest.Node // who leads at the header that shows the input
	n.Chain.NewBlock()
	dead = n.Leader()
	dead.Dead = true
	n.Blocks(10)
	var alive []*enclavetest.Node
	for _, x := range n.Members {
		if x != dead {
			alive = append(alive, x)
		}
	}
	agree(t, n, contract, 2, alive...)
	if b := n.Chain.Batch(n.Cluster, 2); b.View == 0 {
		t.Error("no view was passed over")
	}
	if f := s.Result(alive[0]).Failure; f != nil {
		t.Error(f)
	}
	dead.Dead = false
	n.Blocks(2)
	agree(t, n, contract, 2, n.Members...)
}

// P14: a liar alone never gets a quorum; the next leader finishes.
func TestP14_ALiarIsNotSigned(t *testing.T) {
	for name, lie := range map[string]func(b *wire.Batch){
		"root":    func(b *wire.Batch) { h := sha256.Sum256([]byte("lie")); b.NewRoot = append([]byte{1}, h[:]...) },
		"outputs": func(b *wire.Batch) { h := sha256.Sum256([]byte("lie")); b.OutputsRoot = append([]byte{1}, h[:]...) },
		"effects": func(b *wire.Batch) { b.EffectsRoot = settle.EmptyRoot() },
		"view":    func(b *wire.Batch) { b.View++ },
		"inputs":  func(b *wire.Batch) { b.InboxFirst++ },
		"count":   func(b *wire.Batch) { b.InboxCount = 0 },
		"many":    func(b *wire.Batch) { b.InboxCount = 1 << 31 },
		"block":   func(b *wire.Batch) { b.ChainHash = make([]byte, 32) },
		"gas":     func(b *wire.Batch) { b.GasClass = 7 },
		"roots":   func(b *wire.Batch) { b.NewRoot = nil },
	} {
		t.Run(name, func(t *testing.T) {
			lying := false
			n := enclavetest.New(t, 3, 2, func(n *enclavetest.Net) {
				n.Members[0].Tamper = func(b *wire.Batch) {
					if lying {
						lie(b)
					}
				}
			})
			u := n.User("alice")
			contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
			lying = true
			n.Members[0].Outs = nil
			for i := range 3 {
				u.Execute(contract, fine, "", "")
				n.Blocks(9)
				agree(t, n, contract, uint64(i+2), n.Members[1:]...)
			}
			proposed := false
			for _, o := range n.Members[0].Outs {
				proposed = proposed || o.GetPeer().GetProposal() != nil
				if o.GetBatch() != nil {
					t.Errorf("the liar has a batch: %v", o)
				}
			}
			if !proposed {
				t.Error("the liar never led: the test shows nothing")
			}
			for k := uint64(2); k <= 4; k++ {
				if b := n.Chain.Batch(n.Cluster, k); settle.Leader(n.Chain.Cluster(n.Cluster), k, b.View) == 0 {
					t.Errorf("batch %d is the liar's", k)
				}
			}
		})
	}
}

func votes(x *enclavetest.Node) (out []*wire.Vote) {
	for _, o := range x.Outs {
		if v := o.GetPeer().GetVote(); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// P14: a leader whose key is taken signs two proposals of one view: a member signs at most one, and executes at most one lie.
func TestP14_OneSignatureAView(t *testing.T) {
	var broken *enclavetest.Broken
	n := enclavetest.New(t, 2, 2, func(n *enclavetest.Net) { broken = n.Members[0].Break() })
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	var p *wire.Proposal // the broken leader's, kept back
	n.DropPeer = func(from *enclavetest.Node, m *wire.PeerMessage) bool {
		if q := m.GetProposal(); q != nil && from == n.Members[0] && p == nil {
			p = q
		}
		return true
	}
	u.Execute(contract, fine, "", "")
	u.Execute(contract, fine, "", "")
	for range 9 {
		n.Blocks(1)
		if p != nil {
			break
		}
	}
	if p == nil {
		t.Fatal("nothing proposed")
	}
	member := n.Members[1]
	member.Outs = nil
	send := func(p *wire.Proposal) []*wire.Out {
		return member.Do(&wire.In{Body: &wire.In_Peer{Peer: &wire.PeerMessage{To: member.Ref, Body: &wire.PeerMessage_Proposal{Proposal: p}}}})
	}
	other := func(f func(b *wire.Batch)) *wire.Proposal {
		var c wire.Proposal
		if err := wire.Unmarshal(wire.Marshal(p), &c); err != nil {
			t.Fatal(err)
		}
		f(c.Batch)
		c.Signature.Signature = ed25519.Sign(broken.Identity, settle.BatchBytes(c.Batch))
		return &c
	}
	said := func(text string) (k int) {
		for _, o := range member.Outs {
			if strings.Contains(o.GetFailure().GetMessage(), text) {
				k++
			}
		}
		return k
	}
	for name, f := range map[string]func(m *wire.Proposal){
		"no batch":          func(m *wire.Proposal) { m.Batch = nil },
		"an empty batch":    func(m *wire.Proposal) { m.Batch = &wire.Batch{} },
		"no signature":      func(m *wire.Proposal) { m.Signature = nil },
		"of nobody":         func(m *wire.Proposal) { m.Signature.Member = 1 << 31 },
		"of another":        func(m *wire.Proposal) { m.Signature.Member = 1 },
		"a changed batch":   func(m *wire.Proposal) { m.Batch.NewRoot[3] ^= 1 },
		"an empty proposal": func(m *wire.Proposal) { *m = wire.Proposal{} },
	} {
		q := other(func(*wire.Batch) {})
		f(q)
		if outs := send(q); enclavetest.Failure(outs) == nil {
			t.Errorf("%s: %v", name, outs)
		}
	}
	for name, f := range map[string]func(b *wire.Batch){
		"an old number":   func(b *wire.Batch) { b.Number = 1 },
		"a far height":    func(b *wire.Batch) { b.ChainHeight = 1 << 60 },
		"another cluster": func(b *wire.Batch) { b.Cluster = 77 },
		"a far view":      func(b *wire.Batch) { b.View += 2 << 40 },
		"another prev":    func(b *wire.Batch) { b.PrevBatchHash[1] ^= 1 },
		"another root":    func(b *wire.Batch) { b.PrevRoot[1] ^= 1 },
		"no count":        func(b *wire.Batch) { b.InboxCount = 0 },
		"a large count":   func(b *wire.Batch) { b.InboxCount = 1 << 31 },
		"another block":   func(b *wire.Batch) { b.ChainHash[1] ^= 1 },
		"a block before":  func(b *wire.Batch) { b.ChainHeight -= 9 },
		"another epoch":   func(b *wire.Batch) { b.Epoch++ },
		"no roots":        func(b *wire.Batch) { b.NewRoot, b.OutputsRoot = nil, nil },
	} {
		if outs := send(other(f)); enclavetest.Failure(outs) == nil {
			t.Errorf("%s: %v", name, outs)
		}
	}
	if len(votes(member)) != 0 || said("comes to another result") != 0 {
		t.Fatalf("votes %v on what is not even well formed", votes(member))
	}
	send(p)
	send(p)
	send(other(func(b *wire.Batch) { b.NewRoot[4] ^= 1 }))
	send(other(func(b *wire.Batch) { b.InboxCount-- }))
	if v := votes(member); len(v) != 1 || !bytes.Equal(v[0].BatchHash, settle.BatchHash(p.Batch)) {
		t.Errorf("votes %v", v)
	}
	if said("another one was judged in view") != 2 {
		t.Errorf("failures %q", n.Failures())
	}
	// The votes that come to the leader: hostile ones change nothing.
	leader := n.Members[0]
	hash := settle.BatchHash(p.Batch)
	for name, v := range map[string]*wire.Vote{
		"empty":             {},
		"of nobody":         {Cluster: n.Cluster, BatchHash: hash, Signature: &wire.BatchSignature{Member: 1 << 31}},
		"without signature": {Cluster: n.Cluster, BatchHash: hash},
		"badly signed":      {Cluster: n.Cluster, BatchHash: hash, Signature: &wire.BatchSignature{Member: 1, Signature: make([]byte, 64)}},
		"on nothing":        {Cluster: n.Cluster, BatchHash: make([]byte, 32), Signature: &wire.BatchSignature{Member: 1}},
		"in another name":   {Cluster: n.Cluster, BatchHash: hash, Signature: &wire.BatchSignature{Member: 0, Signature: votes(member)[0].Signature.Signature}},
	} {
		for _, o := range leader.Do(&wire.In{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_Vote{Vote: v}}}}) {
			if o.GetBatch() != nil {
				t.Errorf("%s: it makes a quorum", name)
			}
		}
	}
	n.DropPeer = nil
	n.Blocks(8)
	agree(t, n, contract, 2, n.Members...)
}

// P14: of one view's lies the first is executed, the others are refused unexecuted, and the truth comes a view later.
func TestP14_ALiarGetsOneExecutionAView(t *testing.T) {
	var broken *enclavetest.Broken
	n := enclavetest.New(t, 2, 2, func(n *enclavetest.Net) { broken = n.Members[0].Break() })
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	lies := byte(0)
	n.DropPeer = func(from *enclavetest.Node, m *wire.PeerMessage) bool {
		q := m.GetProposal()
		if q == nil || from != n.Members[0] || lies > 0 {
			return false
		}
		for range 5 {
			lies++
			var c wire.Proposal
			if err := wire.Unmarshal(wire.Marshal(q), &c); err != nil {
				t.Fatal(err)
			}
			c.Batch.NewRoot[9] ^= lies
			c.Signature.Signature = ed25519.Sign(broken.Identity, settle.BatchBytes(c.Batch))
			n.Post(n.Members[1], &wire.In{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_Proposal{Proposal: &c}}}})
		}
		return true
	}
	final := uint64(1)
	for ; lies == 0 && final < 5; final++ { // until it leads
		u.Execute(contract, fine, "", "")
		n.Blocks(9)
	}
	executed, unexecuted := 0, 0
	for _, f := range n.Failures() {
		if strings.Contains(f, "comes to another result") {
			executed++
		}
		if strings.Contains(f, "another one was judged") {
			unexecuted++
		}
	}
	if lies != 5 || executed != 1 || executed+unexecuted > 5 {
		t.Errorf("of %d lies %d were executed and %d refused before: %q", lies, executed, unexecuted, n.Failures())
	}
	agree(t, n, contract, final, n.Members...)
}

func TestDelayedMemberCatchesUp(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	contract := deploy(t, n, u, wire.QUERY_POLICY_OPEN)
	late := n.Members[2]
	late.Cut = true
	for range 3 {
		u.Execute(contract, fine, "", "")
		n.Blocks(9)
	}
	agree(t, n, contract, 4, n.Members[:2]...)
	late.Cut = false
	n.Blocks(2)
	agree(t, n, contract, 4, n.Members...)
}

func TestLostMessagesAndCodeArePutUpWith(t *testing.T) {
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	n.DropCode = true
	s := u.Instantiate(n.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, fine)
	n.Blocks(4)
	if n.Chain.Head(n.Cluster).Number != 0 {
		t.Fatal("executed without the code")
	}
	n.DropCode = false
	n.Blocks(6)
	contract := s.Item.Address
	agree(t, n, contract, 1, n.Members...)
	drops := 0
	n.DropPeer = func(*enclavetest.Node, *wire.PeerMessage) bool { drops++; return drops < 7 }
	u.Execute(contract, fine, "", "")
	n.Blocks(20)
	agree(t, n, contract, 2, n.Members...)
}

// A module of another hash, unasked, or too large changes nothing.
func TestBadCodeIsRefused(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	u := n.User("alice")
	n.DropCode = true
	id := n.Upload(enclavetest.Echo())
	packed := n.Codes[string(id)]
	unasked := &wire.In{Body: &wire.In_Code{Code: &wire.CodeBytes{Id: bytes.Repeat([]byte{1}, 32), Packed: packed}}}
	x := n.Members[0]
	x.Do(unasked)
	u.Instantiate(id, wire.QUERY_POLICY_OPEN, fine)
	n.Blocks(3)
	for name, c := range map[string]*wire.CodeBytes{
		"garbage": {Id: id, Packed: []byte("garbage")}, "nothing": {Id: id}, "cut": {Id: id, Packed: packed[:40]},
	} {
		if f := enclavetest.Failure(x.Do(&wire.In{Body: &wire.In_Code{Code: c}})); f == nil || f.Code != "malformed" {
			t.Errorf("%s: %v", name, f)
		}
	}
	other := enclavetest.Echo()
	other = append(other, 0, 2, 1, 'x') // a custom section: another module
	n.Upload(other)
	for k, p := range n.Codes {
		if k != string(id) {
			if f := enclavetest.Failure(x.Do(&wire.In{Body: &wire.In_Code{Code: &wire.CodeBytes{Id: id, Packed: p}}})); f == nil || !strings.Contains(f.Message, "has the hash") {
				t.Errorf("another module: %v", f)
			}
		}
	}
	n.DropCode = false
	n.Blocks(5)
	if n.Chain.Head(n.Cluster).Number != 1 {
		t.Error("the right code does not help any more")
	}
}

func TestNewRefuses(t *testing.T) {
	sim := tee.SimulatedAs(enclavetest.Measurement(wire.ROLE_EXECUTOR))
	for name, c := range map[string]runtime.Config{
		"a simulated TEE without a development genesis": {Genesis: enclavetest.GenesisFile(false), Role: wire.ROLE_EXECUTOR, TEE: sim},
		"no TEE":     {Genesis: enclavetest.GenesisFile(true), Role: wire.ROLE_EXECUTOR},
		"no genesis": {Role: wire.ROLE_EXECUTOR, TEE: sim},
		"no role":    {Genesis: enclavetest.GenesisFile(true), TEE: sim},
	} {
		if _, err := runtime.New(context.Background(), c); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

// Everything that can be said, to an enclave that knows nothing yet and to each role: no panic, and always a Done.
func TestHostileMessages(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	for _, known := range []bool{true, false} {
		for _, x := range n.All() {
			if !known {
				x.Boot()
			}
			id := x.Do(&wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})[0].GetIdentity()
			if id == nil || len(id.IdentityKey) != 32 || id.Role != x.Role {
				t.Errorf("identity %v", id)
			}
			for _, in := range []*wire.In{
				{}, {Body: &wire.In_Attest{Attest: &wire.Attest{}}},
				{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: &wire.WorkerRef{}, NonceHash: make([]byte, 32)}}},
				{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: enclavetest.Ref(9), NonceHash: make([]byte, 31)}}},
				{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{}}},
				{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{nil, {1}}}}},
				{Body: &wire.In_StoreValues{StoreValues: &wire.StoreValues{}}},
				{Body: &wire.In_StoreValues{StoreValues: &wire.StoreValues{Height: 1, Values: []*wire.StoreValue{{}}}}},
				{Body: &wire.In_Code{Code: &wire.CodeBytes{}}},
				{Body: &wire.In_Peer{Peer: &wire.PeerMessage{}}},
				{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_Proposal{Proposal: &wire.Proposal{}}}}},
				{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{Cluster: 1}}}}},
				{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_KeyPart{KeyPart: &wire.KeyPart{Cluster: 1, Epoch: 1, Roster: 1, Worker: x.Ref}}}}},
				{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_KeyPart{KeyPart: &wire.KeyPart{Cluster: 1, Epoch: 1, Roster: 1, Worker: x.Ref, Family: 9}}}}},
				{Body: &wire.In_Peer{Peer: &wire.PeerMessage{Body: &wire.PeerMessage_KeptShares{KeptShares: &wire.KeptShares{Cluster: 1}}}}},
				{Body: &wire.In_Serve{Serve: &wire.Serve{}}},
				{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: 1 << 63}}},
				{Body: &wire.In_Query{Query: &wire.QueryCall{}}},
				{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: 1, Envelope: &wire.Envelope{}}}},
				{Body: &wire.In_Result{Result: &wire.ResultCall{}}},
				{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: 1, Index: 1 << 63}}},
				{Body: &wire.In_Record{Record: &wire.SealedRecord{}}},
				{Body: &wire.In_Record{Record: &wire.SealedRecord{Cluster: 1, Number: 1}}},
				{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{}}},
				{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Worker: &wire.WorkerRef{Operator: strings.Repeat("x", 1<<16)}}}},
				{Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{Cluster: 7, Worker: enclavetest.Ref(3)}}},
			} {
				x.Do(in)
			}
		}
	}
	for i := range uint64(80) {
		n.Members[0].Do(&wire.In{Body: &wire.In_Serve{Serve: &wire.Serve{Cluster: i}}})
	}
}

func TestTheFirstNameStays(t *testing.T) {
	n := enclavetest.New(t, 1, 1)
	x := n.Members[0]
	in := &wire.In{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: enclavetest.Ref(5), NonceHeight: 1, NonceHash: make([]byte, 32)}}}
	if f := enclavetest.Failure(x.Do(in)); f == nil || !strings.Contains(f.Message, "already") {
		t.Errorf("a second name: %v", f)
	}
}
