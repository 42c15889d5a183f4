package settle

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/wire"
)

// Fixed from here on: signatures of members in the field are over these.
func TestVectors(t *testing.T) {
	in := valid()
	for _, v := range []struct{ name, got, want string }{
		{"batch hash", hex.EncodeToString(BatchHash(in.Batch.Batch)), "e0cdfe0ba8a483b953003736c9f3c042a4bd5620ac2c98f9dae2b3d1f71fb1aa"},
		{"address", hex.EncodeToString(ContractAddress(7, hash("code"), 41)), "a2dd20755f5fe0f8f1d11b341040f88e82c4cb515c130bfe60a2902f79e5a33b"},
		{"output leaf", hex.EncodeToString(OutputLeaf(&wire.Result{Cluster: 7, Index: 41, Data: []byte("ok")}, hash("salt"))), "18203a15c468f24e7d5abc201f5e66f48426054e7cb1f778439bef4e939f82b6"},
		{"effect leaf", hex.EncodeToString(EffectLeaf(&wire.Effect{Salt: hash("salt"), Body: &wire.Effect_Nothing{Nothing: &wire.Nothing{}}})), "b9b6abccca526dab664593dfec523dc2d835bc3a3d811d0e147881d76809ab8f"},
		{"empty root", hex.EncodeToString(EmptyRoot()), "01e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	} {
		if v.got != v.want {
			t.Errorf("%s: %s, want %s", v.name, v.got, v.want)
		}
	}
	if got, want := BatchBytes(in.Batch.Batch), append([]byte("phala/batch/v1"), BatchHash(in.Batch.Batch)...); !bytes.Equal(got, want) {
		t.Errorf("signed bytes %x", got)
	}
}

// A signature covers everything but itself and what the chain adds, and names its chain.
func TestSignedBytesCoverTheirMessage(t *testing.T) {
	r := &wire.KeyRequest{Cluster: 1, Epoch: 2, Roster: 3, Worker: &wire.WorkerRef{Operator: "o"}, OneTimeKey: []byte{1}, IdentityKey: []byte{2}}
	base := KeyRequestBytes("a", r)
	signed := *r
	signed.Signature, signed.Height = []byte{9}, 9
	if !bytes.Equal(KeyRequestBytes("a", &signed), base) {
		t.Error("the signature or the height the chain adds is signed")
	}
	if signed.Signature == nil || signed.Height == 0 {
		t.Error("the message was changed")
	}
	other := *r
	other.OneTimeKey = []byte{2}
	if bytes.Equal(KeyRequestBytes("a", &other), base) || bytes.Equal(KeyRequestBytes("b", r), base) {
		t.Error("another one-time key or chain gives the same bytes")
	}

	a := &wire.Announcement{Cluster: 1, InputKey: []byte{1}}
	with := *a
	with.Signature = []byte{1}
	if !bytes.Equal(AnnouncementBytes("a", a), AnnouncementBytes("a", &with)) || bytes.Equal(AnnouncementBytes("a", a), AnnouncementBytes("b", a)) {
		t.Error("announcement")
	}
	p := &wire.KeyPart{Cluster: 1, Enc: []byte{1}}
	withP := *p
	withP.Signature = []byte{1}
	if !bytes.Equal(KeyPartBytes("a", p), KeyPartBytes("a", &withP)) || bytes.Equal(KeyPartBytes("a", p), KeyPartBytes("b", p)) {
		t.Error("key part")
	}
	if bytes.Equal(KeyPartBytes("a", &wire.KeyPart{}), AnnouncementBytes("a", &wire.Announcement{})) {
		t.Error("two kinds of message share signed bytes")
	}
}

func TestContractAddressesDiffer(t *testing.T) {
	base := ContractAddress(1, hash("code"), 2)
	for _, o := range [][]byte{ContractAddress(2, hash("code"), 2), ContractAddress(1, hash("other"), 2), ContractAddress(1, hash("code"), 3)} {
		if bytes.Equal(o, base) {
			t.Error("two contracts share an address")
		}
	}
}

func effects(n int) (leaves [][]byte, es []*wire.Effect) {
	for i := range n {
		e := &wire.Effect{Salt: hash(fmt.Sprint("salt ", i)), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: "pha1someone", Amount: fmt.Sprint(i)}}}
		es = append(es, e)
		leaves = append(leaves, EffectLeaf(e))
	}
	return leaves, es
}

func TestEffectsOpen(t *testing.T) {
	for _, n := range []int{1, 4, 16, 64} {
		leaves, es := effects(n)
		root := merkle.Root(leaves)
		for i, e := range es {
			o := &wire.EffectOpening{Effect: e, Leaf: uint32(i), Leaves: uint32(n), Path: merkle.Path(leaves, i)}
			if err := VerifyEffect(root, o); err != nil {
				t.Fatalf("effect %d of %d: %v", i, n, err)
			}
		}
	}
}

// One leaf has one place: otherwise a payout would be presented, and paid, once for each.
func TestAnEffectHasOnePlace(t *testing.T) {
	leaves, es := effects(4)
	root := merkle.Root(leaves)
	for i := range es {
		path := merkle.Path(leaves, i)
		for n := uint32(0); n < 300; n++ {
			for at := range n {
				o := &wire.EffectOpening{Effect: es[i], Leaf: at, Leaves: n, Path: path}
				if err := VerifyEffect(root, o); err == nil && (at != uint32(i) || n != 4) {
					t.Fatalf("effect %d of 4 opens as %d of %d too", i, at, n)
				}
			}
		}
	}
}

func TestForgedEffectsDoNotOpen(t *testing.T) {
	leaves, es := effects(4)
	root := merkle.Root(leaves)
	path := merkle.Path(leaves, 2)
	richer := &wire.Effect{Salt: es[2].Salt, Body: &wire.Effect_Payout{Payout: &wire.Payout{To: "pha1someone", Amount: "1000000"}}}
	resalted := *es[2]
	resalted.Salt = hash("another")
	unsalted := *es[2]
	unsalted.Salt = nil
	for name, o := range map[string]*wire.EffectOpening{
		"nil":            nil,
		"no effect":      {Leaf: 2, Leaves: 4, Path: path},
		"another amount": {Effect: richer, Leaf: 2, Leaves: 4, Path: path},
		"another salt":   {Effect: &resalted, Leaf: 2, Leaves: 4, Path: path},
		"no salt":        {Effect: &unsalted, Leaf: 2, Leaves: 4, Path: path},
		"another place":  {Effect: es[2], Leaf: 3, Leaves: 4, Path: path},
		"no path":        {Effect: es[2], Leaf: 2, Leaves: 4},
		"no leaves":      {Effect: es[2], Leaf: 0, Leaves: 0, Path: path},
		"two leaves":     {Effect: es[2], Leaf: 0, Leaves: 2, Path: path[:1]},
	} {
		if err := VerifyEffect(root, o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if err := VerifyEffect(root[1:], &wire.EffectOpening{Effect: es[2], Leaf: 2, Leaves: 4, Path: path}); err == nil {
		t.Error("opened against a root without version")
	}
}

func final() *wire.FinalResult {
	b := valid().Batch.Batch
	var leaves [][]byte
	var rs []*wire.Result
	for i := range 3 {
		r := &wire.Result{Cluster: 7, Index: 40 + uint64(i), Data: fmt.Appendf(nil, "answer %d", i)}
		rs = append(rs, r)
		leaves = append(leaves, OutputLeaf(r, hash(fmt.Sprint("salt ", i))))
	}
	b.OutputsRoot = merkle.Root(leaves)
	return &wire.FinalResult{Result: rs[1], Salt: hash("salt 1"), Leaf: 1, Leaves: 3, Path: merkle.Path(leaves, 1), Batch: b}
}

func TestResultsOpenAndForgedOnesDoNot(t *testing.T) {
	if err := VerifyResult(final()); err != nil {
		t.Fatal(err)
	}
	if VerifyResult(nil) == nil {
		t.Error("nil was taken")
	}
	for name, change := range map[string]func(*wire.FinalResult){
		"no result":       func(f *wire.FinalResult) { f.Result = nil },
		"no batch":        func(f *wire.FinalResult) { f.Batch = nil },
		"no salt":         func(f *wire.FinalResult) { f.Salt = nil },
		"another salt":    func(f *wire.FinalResult) { f.Salt = hash("x") },
		"another answer":  func(f *wire.FinalResult) { f.Result.Data = []byte("x") },
		"a failure":       func(f *wire.FinalResult) { f.Result.Failure = &wire.Failure{Code: "x"} },
		"another cluster": func(f *wire.FinalResult) { f.Result.Cluster = 8 },
		"another batch":   func(f *wire.FinalResult) { f.Batch.OutputsRoot = root("x") },
		"another item":    func(f *wire.FinalResult) { f.Result.Index = 40 },
		"item before":     func(f *wire.FinalResult) { f.Result.Index = 39 },
		"place":           func(f *wire.FinalResult) { f.Leaf = 0 },
		"place and item":  func(f *wire.FinalResult) { f.Leaf, f.Result.Index = 0, 40 },
		"leaves":          func(f *wire.FinalResult) { f.Leaves = 4 },
		"fewer leaves":    func(f *wire.FinalResult) { f.Leaves = 2 },
		"beyond":          func(f *wire.FinalResult) { f.Batch.InboxCount, f.Leaves = 1, 1 },
		"path":            func(f *wire.FinalResult) { f.Path = f.Path[:1] },
	} {
		f := final()
		change(f)
		if err := VerifyResult(f); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
