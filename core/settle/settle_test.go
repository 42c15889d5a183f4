package settle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/wire"
)

const chain = "phala-test"

func private(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "member %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

func hash(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func root(s string) []byte { return merkle.Root([][]byte{[]byte(s)}) }

// valid is a batch of three inputs at height 105 by members 0 and 2 of three, on top of batch 6.
func valid() Input {
	c := &wire.Cluster{Id: 7, Owner: "owner", Quorum: 2, Roster: 2, Epoch: 4, CreatedHeight: 10}
	in := Input{
		ChainID:   chain,
		Cluster:   c,
		Head:      &wire.Head{Cluster: 7, Number: 6, BatchHash: hash("head"), Root: root("state 6"), ChainHeight: 100, CommittedHeight: 101, InboxNext: 40},
		InboxNext: 43,
		ChainHash: hash("block 105"),
		Height:    106,
		MaxAge:    10,
	}
	for i := range 3 {
		ref := &wire.WorkerRef{Operator: "pha1operator", Slot: uint32(i)}
		c.Members = append(c.Members, ref)
		in.Members = append(in.Members, &wire.Worker{
			Worker: ref, Role: wire.ROLE_EXECUTOR, IdentityKey: private(i).Public().(ed25519.PublicKey), RegisteredHeight: 50, ExpiryHeight: 1000,
		})
	}
	in.Batch = &wire.SignedBatch{Batch: &wire.Batch{
		ChainId: chain, Cluster: 7, Number: 7, View: 1, PrevBatchHash: hash("head"), PrevRoot: root("state 6"), Epoch: 4, Roster: 2,
		ChainHeight: 105, ChainHash: hash("block 105"), InboxFirst: 40, InboxCount: 3,
		DirectInputsRoot: EmptyRoot(), OutputsRoot: root("outputs"), EffectsRoot: root("effects"), NewRoot: root("state 7"), DataRoot: EmptyRoot(),
	}}
	sign(&in, 0, 2)
	return in
}

func sign(in *Input, members ...int) {
	in.Batch.Signatures = nil
	for _, m := range members {
		in.Batch.Signatures = append(in.Batch.Signatures, &wire.BatchSignature{Member: uint32(m), Signature: ed25519.Sign(private(m), BatchBytes(in.Batch.Batch))})
	}
}

func code(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	if err == nil {
		return "accepted"
	}
	return "another error: " + err.Error()
}

func TestAcceptTakesAValidBatch(t *testing.T) {
	for name, members := range map[string][]int{"quorum": {0, 2}, "other quorum": {1, 2}, "all": {0, 1, 2}} {
		in := valid()
		sign(&in, members...)
		if err := Accept(in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	one := valid()
	one.Cluster.Members, one.Members, one.Cluster.Quorum = one.Cluster.Members[:1], one.Members[:1], 1
	sign(&one, 0)
	if err := Accept(one); err != nil {
		t.Errorf("a cluster of one: %v", err)
	}
	edge := valid()
	edge.MaxAge = 1
	if err := Accept(edge); err != nil {
		t.Errorf("the youngest batch that can be: %v", err)
	}
}

// Every way in which a batch does not count. change is applied before the members sign, forge after it.
func TestAcceptRefuses(t *testing.T) {
	type in = *Input
	for _, c := range []struct {
		code, name    string
		change, forge func(in)
	}{
		{"malformed", "no batch", nil, func(i in) { i.Batch.Batch = nil }},
		{"malformed", "no signed batch", nil, func(i in) { i.Batch = nil }},
		{"malformed", "no cluster", nil, func(i in) { i.Cluster = nil }},
		{"malformed", "no head", nil, func(i in) { i.Head = nil }},
		{"malformed", "root without version", func(i in) { i.Batch.Batch.NewRoot = hash("x") }, nil},
		{"malformed", "root of another version", func(i in) { i.Batch.Batch.NewRoot[0] = 2 }, nil},
		{"malformed", "no outputs root", func(i in) { i.Batch.Batch.OutputsRoot = nil }, nil},
		{"malformed", "no effects root", func(i in) { i.Batch.Batch.EffectsRoot = nil }, nil},
		{"malformed", "no data root", func(i in) { i.Batch.Batch.DataRoot = nil }, nil},
		{"malformed", "no direct root", func(i in) { i.Batch.Batch.DirectInputsRoot = nil }, nil},
		{"direct-inputs", "direct inputs", func(i in) { i.Batch.Batch.DirectInputsRoot = root("direct") }, nil},
		{"direct-inputs", "data", func(i in) { i.Batch.Batch.DataRoot = root("data") }, nil},
		{"bad-quorum", "quorum of none", func(i in) { i.Cluster.Quorum = 0 }, func(i in) { i.Batch.Signatures = nil }},
		{"bad-quorum", "quorum of half", func(i in) { i.Cluster.Quorum = 1 }, nil},
		{"bad-quorum", "quorum above all", func(i in) { i.Cluster.Quorum = 4 }, nil},
		{"bad-quorum", "no members", func(i in) { i.Cluster.Members = nil }, nil},
		{"wrong-chain", "another chain", func(i in) { i.Batch.Batch.ChainId = "phala-other" }, nil},
		{"wrong-cluster", "another cluster", func(i in) { i.Batch.Batch.Cluster = 8 }, nil},
		{"stale-head", "number again", func(i in) { i.Batch.Batch.Number = 6 }, nil},
		{"stale-head", "number skipped", func(i in) { i.Batch.Batch.Number = 8 }, nil},
		{"stale-head", "another head", func(i in) { i.Batch.Batch.PrevBatchHash = hash("other") }, nil},
		{"stale-head", "another state", func(i in) { i.Batch.Batch.PrevRoot = root("other") }, nil},
		{"wrong-epoch", "epoch before", func(i in) { i.Batch.Batch.Epoch = 3 }, nil},
		{"wrong-epoch", "roster before", func(i in) { i.Batch.Batch.Roster = 1 }, nil},
		{"height-backwards", "below its head", func(i in) { i.Batch.Batch.ChainHeight, i.Batch.Batch.View = 99, 0 }, nil},
		{"height-unknown", "this block", func(i in) { i.Height = 105 }, nil},
		{"height-unknown", "a block to come", func(i in) { i.Height = 104 }, nil},
		{"height-too-old", "older than d", func(i in) { i.Height = 116 }, nil},
		{"height-too-old", "zero d", func(i in) { i.MaxAge = 0 }, nil},
		{"wrong-block", "another block", func(i in) { i.Batch.Batch.ChainHash = hash("fork") }, nil},
		{"wrong-block", "block not known any more", func(i in) { i.ChainHash = nil }, nil},
		{"wrong-block", "empty hashes", func(i in) { i.ChainHash, i.Batch.Batch.ChainHash = []byte{}, []byte{} }, nil},
		{"wrong-view", "view behind", func(i in) { i.Batch.Batch.View = 0 }, nil},
		{"wrong-view", "view ahead", func(i in) { i.Batch.Batch.View = 2 }, nil},
		{"inbox-skipped", "an item left out", func(i in) { i.Batch.Batch.InboxFirst = 41 }, nil},
		{"inbox-skipped", "an item again", func(i in) { i.Batch.Batch.InboxFirst = 39 }, nil},
		{"empty", "no input", func(i in) { i.Batch.Batch.InboxCount = 0 }, nil},
		{"inbox-beyond", "an item nobody sent", func(i in) { i.Batch.Batch.InboxCount = 4 }, nil},
		{"inbox-beyond", "all items there could be", func(i in) { i.Batch.Batch.InboxCount = 1<<32 - 1 }, nil},
		{"no-storage-receipts", "receipts demanded", func(i in) { i.Receipts = 1 }, nil},
		{"no-quorum", "one signature", nil, func(i in) { sign(i, 1) }},
		{"no-quorum", "no signature", nil, func(i in) { i.Batch.Signatures = nil }},
		{"malformed", "a signature twice", nil, func(i in) { sign(i, 0, 0) }},
		{"malformed", "out of order", nil, func(i in) { sign(i, 2, 0) }},
		{"malformed", "of no member", nil, func(i in) { sign(i, 0, 3) }},
		{"malformed", "of a member beyond int", nil, func(i in) { i.Batch.Signatures[1].Member = 1<<32 - 1 }},
		{"malformed", "no signature in its place", nil, func(i in) { i.Batch.Signatures[1] = nil }},
		{"malformed", "members missing", nil, func(i in) { i.Members = i.Members[:2] }},
		{"unregistered", "no registration", nil, func(i in) { i.Members[2] = nil }},
		{"unregistered", "another worker's record", nil, func(i in) { i.Members[2].Worker = &wire.WorkerRef{Operator: "pha1operator", Slot: 9} }},
		{"unregistered", "a record without a name", nil, func(i in) { i.Members[2].Worker = nil }},
		{"wrong-role", "a gatekeeper", nil, func(i in) { i.Members[2].Role = wire.ROLE_GATEKEEPER }},
		{"expired", "at its height", nil, func(i in) { i.Members[2].ExpiryHeight = 105 }},
		{"expired", "never valid", nil, func(i in) { i.Members[2].ExpiryHeight = 0 }},
		{"superseded", "registered at the batch's height", nil, func(i in) { i.Members[2].RegisteredHeight = 105 }},
		{"bad-signature", "rebooted member", nil, func(i in) { i.Members[2].IdentityKey = private(9).Public().(ed25519.PublicKey) }},
		{"bad-signature", "key of no size", nil, func(i in) { i.Members[2].IdentityKey = nil }},
		{"bad-signature", "signature of another batch", nil, func(i in) { i.Batch.Batch.GasClass++ }},
		{"bad-signature", "flipped", nil, func(i in) { i.Batch.Signatures[0].Signature[7] ^= 1 }},
		{"bad-signature", "short", nil, func(i in) { i.Batch.Signatures[0].Signature = i.Batch.Signatures[0].Signature[:63] }},
		{"bad-signature", "missing", nil, func(i in) { i.Batch.Signatures[0].Signature = nil }},
		{"bad-signature", "another member's", nil, func(i in) {
			i.Batch.Signatures[0].Signature = i.Batch.Signatures[1].Signature
		}},
		{"bad-signature", "over the bare hash", nil, func(i in) {
			i.Batch.Signatures[0].Signature = ed25519.Sign(private(0), BatchHash(i.Batch.Batch))
		}},
		{"same-identity", "one enclave under two names", nil, func(i in) {
			i.Members[2].IdentityKey = i.Members[0].IdentityKey
			i.Batch.Signatures[1].Signature = i.Batch.Signatures[0].Signature
		}},
	} {
		t.Run(c.code+"/"+c.name, func(t *testing.T) {
			in := valid()
			if c.change != nil {
				c.change(&in)
				sign(&in, 0, 2)
			}
			if c.forge != nil {
				c.forge(&in)
			}
			err := Accept(in)
			if code(err) != c.code {
				t.Fatalf("%v, want %s", err, c.code)
			}
			var r *Refusal
			if !errors.As(err, &r) || r.Message == "" {
				t.Errorf("a refusal without a reason: %v", err)
			}
			if want := c.code + ": " + r.Message; err.Error() != want {
				t.Errorf("%q, want %q", err, want)
			}
		})
	}
}

func TestAcceptOfNothing(t *testing.T) {
	if got := code(Accept(Input{})); got != "malformed" {
		t.Errorf("the zero input: %s", got)
	}
}

func TestVerifyMemberTakesNothingFromAStranger(t *testing.T) {
	in := valid()
	msg := BatchBytes(in.Batch.Batch)
	for _, s := range []*wire.BatchSignature{nil, {Member: 3}, {Member: 1<<32 - 1}} {
		if got := code(VerifyMember(in.Cluster, in.Members[0], s, msg, 105)); got != "malformed" {
			t.Errorf("%v: %s", s, got)
		}
	}
	if got := code(VerifyMember(nil, in.Members[0], &wire.BatchSignature{}, msg, 105)); got != "malformed" {
		t.Errorf("no cluster: %s", got)
	}
}

func TestViewsAndLeaders(t *testing.T) {
	h := &wire.Head{CommittedHeight: 100}
	for height, want := range map[uint64]uint64{0: 0, 99: 0, 100: 0, 101: 0, 102: 0, 103: 1, 105: 1, 106: 2, 400: 100} {
		if got := View(h, height); got != want {
			t.Errorf("view at %d is %d, want %d", height, got, want)
		}
	}
	c := valid().Cluster
	for _, v := range []struct {
		number, view uint64
		want         int
	}{{0, 0, 0}, {1, 0, 1}, {1, 1, 2}, {1, 2, 0}, {7, 1, 2}, {1<<64 - 1, 1, 0}} {
		if got := Leader(c, v.number, v.view); got != v.want {
			t.Errorf("leader of %d/%d is %d, want %d", v.number, v.view, got, v.want)
		}
	}
	if got := Leader(&wire.Cluster{}, 1, 0); got != -1 {
		t.Errorf("leader of no members is %d", got)
	}
}

func FuzzAccept(f *testing.F) {
	in := valid()
	f.Add(wire.Marshal(in.Batch), wire.Marshal(in.Cluster), wire.Marshal(in.Members[0]), wire.Marshal(in.Head))
	f.Fuzz(func(t *testing.T, batch, cluster, member, head []byte) {
		in := valid()
		good := wire.Marshal(in.Batch)
		var b wire.SignedBatch
		var c wire.Cluster
		var w wire.Worker
		var h wire.Head
		if wire.Unmarshal(batch, &b) != nil || wire.Unmarshal(cluster, &c) != nil || wire.Unmarshal(member, &w) != nil || wire.Unmarshal(head, &h) != nil {
			t.Skip()
		}
		// With the chain's own state, nothing but the batch that members signed counts.
		in.Batch = &b
		if err := Accept(in); err == nil && !bytes.Equal(wire.Marshal(b.Batch), wire.Marshal(valid().Batch.Batch)) {
			t.Errorf("another batch than %x counts: %x", good, batch)
		}
		// With any state, it only must not panic.
		in.Cluster, in.Head, in.Members[0] = &c, &h, &w
		_ = Accept(in)
	})
}

func BenchmarkAccept3(b *testing.B) {
	in := valid()
	sign(&in, 0, 1, 2)
	for b.Loop() {
		if err := Accept(in); err != nil {
			b.Fatal(err)
		}
	}
}
