package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/cosmos/iavl"
	"github.com/cosmos/iavl/db"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/phala-go/phala/core/wire"
)

// store is a chain's state in the shape the SDK gives it: IAVL trees under a simple Merkle tree of their names and roots.
type store struct {
	trees map[string]*iavl.MutableTree
	names []string // sorted
}

func newStore(t testing.TB) *store {
	t.Helper()
	s := &store{trees: map[string]*iavl.MutableTree{}, names: []string{"attestation", "bank", "cluster", "gatekeeper", "worker"}}
	for _, n := range s.names {
		tree := iavl.NewMutableTree(db.NewMemDB(), 0, true, iavl.NewNopLogger())
		for i := range 20 {
			if _, err := tree.Set(fmt.Appendf(nil, "key %02d", i*2), fmt.Appendf(nil, "%s value %d", n, i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := tree.SaveVersion(); err != nil {
			t.Fatal(err)
		}
		s.trees[n] = tree
	}
	return s
}

func hashOf(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func prefixed(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

// outer gives the app hash and the proof that the tree of name lies under it: RFC 6962 over len(name) name len(SHA-256(root)) SHA-256(root).
func (s *store) outer(name string) ([]byte, *ics23.CommitmentProof) {
	var leaves [][]byte
	var at int
	for i, n := range s.names {
		if n == name {
			at = i
		}
		leaves = append(leaves, hashOf([]byte{0}, prefixed([]byte(n)), prefixed(hashOf(s.trees[n].Hash()))))
	}
	var path []*ics23.InnerOp
	var climb func(leaves [][]byte, at int) []byte
	climb = func(leaves [][]byte, at int) []byte {
		if len(leaves) == 1 {
			return leaves[0]
		}
		k := 1
		for k*2 < len(leaves) {
			k *= 2
		}
		inner := func(sub [][]byte, at int) []byte { return climb(sub, at) }
		switch {
		case at < 0:
			return hashOf([]byte{1}, inner(leaves[:k], -1), inner(leaves[k:], -1))
		case at < k:
			l, r := inner(leaves[:k], at), inner(leaves[k:], -1)
			path = append(path, &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{1}, Suffix: r})
			return hashOf([]byte{1}, l, r)
		default:
			l, r := inner(leaves[:k], -1), inner(leaves[k:], at-k)
			path = append(path, &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: append([]byte{1}, l...)})
			return hashOf([]byte{1}, l, r)
		}
	}
	root := climb(leaves, at)
	return root, &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: &ics23.ExistenceProof{
		Key: []byte(name), Value: s.trees[name].Hash(), Leaf: ics23.TendermintSpec.LeafSpec, Path: path,
	}}}
}

// prove answers a query: the value with its proof, or the proof of absence.
func (s *store) prove(t testing.TB, name, key string) ([]byte, *wire.StoreValue) {
	t.Helper()
	tree := s.trees[name]
	value, err := tree.Get([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	get := tree.GetMembershipProof
	if value == nil {
		get = tree.GetNonMembershipProof
	}
	inner, err := get([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	root, outer := s.outer(name)
	i, err := inner.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	o, err := outer.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return root, &wire.StoreValue{Key: &wire.StoreKey{Store: name, Key: []byte(key)}, Value: value, IavlProof: i, StoreProof: o}
}

func TestValuesAndAbsencesAreProven(t *testing.T) {
	s := newStore(t)
	for _, name := range s.names {
		for _, key := range []string{"key 00", "key 18", "key 38", "key 01", "key 37", "a key before all", "z key behind all"} {
			appHash, v := s.prove(t, name, key)
			if err := VerifyValue(appHash, v); err != nil {
				t.Errorf("%s/%s (value %q): %v", name, key, v.Value, err)
			}
		}
	}
}

// P3: bad app hash, proof of another key, absence shown as presence, and the like.
func TestP03_ForgedValues(t *testing.T) {
	s := newStore(t)
	appHash, present := s.prove(t, "cluster", "key 18")
	_, absent := s.prove(t, "cluster", "key 17")
	_, neighbour := s.prove(t, "cluster", "key 20")
	_, elsewhere := s.prove(t, "worker", "key 18")
	_, farAbsent := s.prove(t, "cluster", "key 05")

	with := func(v *wire.StoreValue, f func(v *wire.StoreValue)) *wire.StoreValue {
		c := &wire.StoreValue{
			Key:   &wire.StoreKey{Store: v.Key.Store, Key: bytes.Clone(v.Key.Key)},
			Value: bytes.Clone(v.Value), IavlProof: bytes.Clone(v.IavlProof), StoreProof: bytes.Clone(v.StoreProof),
		}
		f(c)
		return c
	}
	for name, v := range map[string]*wire.StoreValue{
		"nothing":                   nil,
		"no key":                    {Value: present.Value, IavlProof: present.IavlProof, StoreProof: present.StoreProof},
		"an empty key":              with(present, func(v *wire.StoreValue) { v.Key.Key = nil }),
		"no store":                  with(present, func(v *wire.StoreValue) { v.Key.Store = "" }),
		"no proof":                  with(present, func(v *wire.StoreValue) { v.IavlProof = nil }),
		"no store proof":            with(present, func(v *wire.StoreValue) { v.StoreProof = nil }),
		"absence by silence":        with(present, func(v *wire.StoreValue) { v.Value, v.IavlProof, v.StoreProof = nil, nil, nil }),
		"a value changed":           with(present, func(v *wire.StoreValue) { v.Value = []byte("cluster value 0") }),
		"a key changed":             with(present, func(v *wire.StoreValue) { v.Key.Key = []byte("key 20") }),
		"proof of a neighbour":      with(present, func(v *wire.StoreValue) { v.IavlProof = neighbour.IavlProof }),
		"another's value and proof": with(present, func(v *wire.StoreValue) { v.Value, v.IavlProof = neighbour.Value, neighbour.IavlProof }),
		"presence shown as absence": with(present, func(v *wire.StoreValue) { v.Value = nil }),
		"presence shown as absence with a neighbour's gap": with(present, func(v *wire.StoreValue) { v.Value, v.IavlProof = nil, absent.IavlProof }),
		"absence shown as presence":                        with(absent, func(v *wire.StoreValue) { v.Value = []byte("forged") }),
		"absence by a gap elsewhere":                       with(absent, func(v *wire.StoreValue) { v.IavlProof = farAbsent.IavlProof }),
		"absence by a presence":                            with(absent, func(v *wire.StoreValue) { v.IavlProof = present.IavlProof }),
		"another store's proof":                            with(present, func(v *wire.StoreValue) { v.StoreProof = elsewhere.StoreProof }),
		"another store's value":                            with(elsewhere, func(v *wire.StoreValue) { v.Key.Store = "cluster" }),
		"another store's tree":                             with(elsewhere, func(v *wire.StoreValue) { v.Key.Store, v.StoreProof = "cluster", present.StoreProof }),
		"an unknown store":                                 with(present, func(v *wire.StoreValue) { v.Key.Store = "clusters" }),
		"proofs in each other's place":                     with(present, func(v *wire.StoreValue) { v.IavlProof, v.StoreProof = v.StoreProof, v.IavlProof }),
		"garbage":                                          with(present, func(v *wire.StoreValue) { v.IavlProof = []byte{0xff} }),
		"garbage for the store":                            with(present, func(v *wire.StoreValue) { v.StoreProof = []byte{0xff} }),
		"no store exists":                                  with(present, func(v *wire.StoreValue) { v.StoreProof = absent.IavlProof }),
	} {
		if err := VerifyValue(appHash, v); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, h := range map[string][]byte{"no app hash": nil, "another app hash": hashOf([]byte("x")), "the tree's root": s.trees["cluster"].Hash()} {
		if VerifyValue(h, present) == nil || VerifyValue(h, absent) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := VerifyValue(appHash, with(present, func(v *wire.StoreValue) { v.IavlProof = nil })); !errors.Is(err, ErrNoProof) {
		t.Errorf("%v, want ErrNoProof", err)
	}
}

// Each bit of both proofs matters, or at least no flip proves something else.
func TestFlippedProofsProveNothingElse(t *testing.T) {
	s := newStore(t)
	appHash, v := s.prove(t, "gatekeeper", "key 10")
	for _, p := range []*[]byte{&v.IavlProof, &v.StoreProof} {
		for i := range len(*p) * 8 {
			(*p)[i/8] ^= 1 << (i % 8)
			forged := *v
			forged.Value = []byte("forged")
			if VerifyValue(appHash, &forged) == nil {
				t.Fatalf("bit %d proves a forged value", i)
			}
			forged.Value = nil
			if VerifyValue(appHash, &forged) == nil {
				t.Fatalf("bit %d proves absence", i)
			}
			(*p)[i/8] ^= 1 << (i % 8)
		}
	}
}

func FuzzVerifyValue(f *testing.F) {
	s := newStore(f)
	appHash, present := s.prove(f, "cluster", "key 18")
	_, absent := s.prove(f, "cluster", "key 17")
	for _, v := range []*wire.StoreValue{present, absent} {
		f.Add(v.Value, v.IavlProof, v.StoreProof, v.Key.Key)
	}
	f.Fuzz(func(t *testing.T, value, inner, outer, key []byte) {
		v := &wire.StoreValue{Key: &wire.StoreKey{Store: "cluster", Key: key}, Value: value, IavlProof: inner, StoreProof: outer}
		if VerifyValue(appHash, v) != nil {
			return
		}
		if want, err := s.trees["cluster"].Get(key); err != nil || !bytes.Equal(want, value) {
			t.Errorf("%x is proven to be %x, it is %x", key, value, want)
		}
	})
}

func BenchmarkProof(b *testing.B) {
	s := newStore(b)
	appHash, v := s.prove(b, "cluster", "key 18")
	for b.Loop() {
		if err := VerifyValue(appHash, v); err != nil {
			b.Fatal(err)
		}
	}
}
