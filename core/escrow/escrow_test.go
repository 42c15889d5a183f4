package escrow

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

const chainID = "phala-test"

func counted() (b [32]byte) {
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func secret(t testing.TB, b [32]byte) *keytree.Secret {
	t.Helper()
	s, err := keytree.NewSecret(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func custodian(t testing.TB, i int) *Key {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{byte(i + 1)}, SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// committee is threshold of n custodians, named by their places.
func committee(t testing.TB, threshold, n int) (*wire.EscrowTerms, []*Key) {
	t.Helper()
	terms, keys := &wire.EscrowTerms{Cluster: 7, Threshold: uint32(threshold)}, make([]*Key, n)
	for i := range keys {
		keys[i] = custodian(t, i)
		terms.Custodians = append(terms.Custodians, keys[i].Custodian(fmt.Sprint("custodian ", i)))
	}
	return terms, keys
}

var member = &wire.WorkerRef{Operator: "pha1member", Slot: 3}

func dealt(t testing.TB, terms *wire.EscrowTerms, s *keytree.Secret) *wire.EscrowDeal {
	t.Helper()
	d, err := Deal(chainID, terms, 5, 2, s)
	if err != nil {
		t.Fatal(err)
	}
	d.Worker = member
	return d
}

func request(t testing.TB) (*wire.EscrowRequest, hpke.PrivateKey) {
	t.Helper()
	one, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	id := ed25519.NewKeyFromSeed(make([]byte, 32))
	r := &wire.EscrowRequest{Cluster: 7, Worker: member, OneTimeKey: one.PublicKey().Bytes(), IdentityKey: id.Public().(ed25519.PublicKey)}
	r.Signature = ed25519.Sign(id, RequestBytes(chainID, r))
	return r, one
}

// The field against a multiplication by polynomials, all of it.
func TestField(t *testing.T) {
	slow := func(a, b byte) byte {
		p := uint16(0)
		for i := range 8 {
			if b>>i&1 == 1 {
				p ^= uint16(a) << i
			}
		}
		for bits.Len16(p) > 8 {
			p ^= 0x11b << (bits.Len16(p) - 9)
		}
		return byte(p)
	}
	for a := range 256 {
		for b := range 256 {
			if got, want := mul(byte(a), byte(b)), slow(byte(a), byte(b)); got != want {
				t.Fatalf("%d·%d = %d, want %d", a, b, got, want)
			}
		}
		if a > 0 && mul(byte(a), inv(byte(a))) != 1 {
			t.Fatalf("1/%d = %d", a, inv(byte(a)))
		}
	}
}

// Computed with another implementation, in Python; they stand in docs/spec/escrow.md: the key 000102…1f of cluster 7, epoch 5, roster 2,
// chain phala-test, 3 of 5, under terms whose hash is 32 times 0xee.
func TestVectors(t *testing.T) {
	b := counted()
	a := About{chainID, 7, 5, 2, bytes.Repeat([]byte{0xee}, 32)}
	shares := split(secret(t, b), a, 3, 5)
	for _, v := range []struct {
		name string
		got  []byte
		want string
	}{
		{"about", a.hash(), vectorAbout},
		{"check", check(secret(t, b), a), vectorCheck},
		{"share 0", shares[0].value, vectorShare0},
		{"share 4", shares[4].value, vectorShare4},
		{"salt 4", shares[4].salt, vectorSalt4},
		{"commitment 4", commitment(a, 4, shares[4]), vectorCommitment4},
	} {
		if got := hex.EncodeToString(v.got); got != v.want {
			t.Errorf("%s: %s, want %s", v.name, got, v.want)
		}
	}
}

// Any threshold of the shares give the key, whichever they are; fewer are consistent with every key there is.
func TestAnyThresholdAndNoFewer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := MinThreshold; n <= MaxCustodians; n++ {
		for m := MinThreshold; m <= n; m++ {
			var b [32]byte
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			shares := split(secret(t, b), About{ChainID: chainID, Epoch: uint64(n), Roster: uint64(m)}, uint32(m), n)
			for range 8 {
				got, err := interpolate(pick(r, shares, m))
				if err != nil || !bytes.Equal(got, b[:]) {
					t.Fatalf("%d of %d: %x, %v", m, n, got, err)
				}
				// m-1 of them and any other key at 0 lie on polynomials of the same degree: nothing is known of the key.
				few := pick(r, shares, m-1)
				other := make([]byte, shareSize)
				for i := range other {
					other[i] = byte(r.Uint32())
				}
				few[MaxCustodians-1] = &Share{value: missing(few, other, MaxCustodians-1)}
				if len(few) != m {
					continue // the last custodian was among them
				}
				if got, err := interpolate(few); err != nil || !bytes.Equal(got, other) {
					t.Fatalf("%d of %d: the shares of %d tell of the key", m, n, m-1)
				}
			}
		}
	}
}

func pick(r *rand.Rand, shares []*Share, m int) map[uint32]*Share {
	out := map[uint32]*Share{}
	for _, i := range r.Perm(len(shares))[:m] {
		out[uint32(i)] = shares[i]
	}
	return out
}

// missing is the share at index that makes the others come to secret.
func missing(others map[uint32]*Share, secret []byte, index uint32) []byte {
	with := map[uint32]*Share{index: {value: make([]byte, shareSize)}}
	for i, s := range others {
		if i != index {
			with[i] = s
		}
	}
	sum, _ := interpolate(with)
	l := byte(1)
	for j := range with {
		if j != index {
			l = mul(l, mul(point(j), inv(point(j)^point(index))))
		}
	}
	out := make([]byte, shareSize)
	for i := range out {
		out[i] = mul(sum[i]^secret[i], inv(l))
	}
	return out
}

// The whole way: dealt by a member, opened by custodians, answered to another member, combined.
func TestFromMemberToMember(t *testing.T) {
	b := counted()
	terms, keys := committee(t, 3, 5)
	d := dealt(t, terms, secret(t, b))
	if err := CheckDeal(terms, d); err != nil {
		t.Fatal(err)
	}
	r, one := request(t)
	if err := CheckRequest(chainID, r); err != nil {
		t.Fatal(err)
	}
	got := map[uint32]*Share{}
	for _, i := range []uint32{4, 0, 2} {
		if _, err := Combine(chainID, terms, d, got); !errors.Is(err, ErrFew) {
			t.Fatalf("%d shares: %v", len(got), err)
		}
		s, err := keys[i].OpenDealt(chainID, d, i)
		if err != nil {
			t.Fatal(err)
		}
		a, err := keys[i].Answer(chainID, d, 0, i, s, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckShare(chainID, terms, d, r, a); err != nil {
			t.Fatal(err)
		}
		if got[i], err = OpenAnswer(chainID, terms, d, one, a); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Combine(chainID, terms, d, got)
	if err != nil || !bytes.Equal(s.Expose(), b[:]) {
		t.Fatalf("%v, %v", s, err)
	}
	again := dealt(t, terms, secret(t, b))
	if !Same(d, again) || bytes.Equal(d.Sealed[0].Ciphertext, again.Sealed[0].Ciphertext) {
		t.Error("two members come to other shares, or to the same seals")
	}
	b[0]++
	if Same(d, dealt(t, terms, secret(t, b))) {
		t.Error("another key has the same shares")
	}
}

// Whoever lies is told from the others.
func TestLiesAreNamed(t *testing.T) {
	terms, keys := committee(t, 2, 3)
	d := dealt(t, terms, secret(t, counted()))
	r, one := request(t)
	share := func(i uint32) *Share {
		s, err := keys[i].OpenDealt(chainID, d, i)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("custodian", func(t *testing.T) {
		s := share(1)
		s.value[9] ^= 1
		a, err := keys[1].Answer(chainID, d, 0, 1, s, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckShare(chainID, terms, d, r, a); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAnswer(chainID, terms, d, one, a); err == nil || !strings.Contains(err.Error(), "custodian 1 of cluster 7 gave a false share") {
			t.Error(err)
		}
	})
	t.Run("dealer to a custodian", func(t *testing.T) {
		bad := *d
		bad.Sealed = append([]*wire.Envelope{}, d.Sealed[1], d.Sealed[1], d.Sealed[2])
		if _, err := keys[0].OpenDealt(chainID, &bad, 0); err == nil || !strings.Contains(err.Error(), "pha1member/3") {
			t.Error(err)
		}
	})
	t.Run("dealer to all", func(t *testing.T) {
		bad := *d
		bad.Check = make([]byte, 32)
		if _, err := Combine(chainID, terms, &bad, map[uint32]*Share{0: share(0), 2: share(2)}); err == nil || !strings.Contains(err.Error(), "pha1member/3") {
			t.Error(err)
		}
	})
}

// What was dealt for one thing opens for no other.
func TestDealsAreBound(t *testing.T) {
	terms, keys := committee(t, 2, 3)
	d := dealt(t, terms, secret(t, counted()))
	for name, f := range map[string]func(*wire.EscrowDeal){
		"cluster": func(d *wire.EscrowDeal) { d.Cluster++ },
		"epoch":   func(d *wire.EscrowDeal) { d.Epoch++ },
		"roster":  func(d *wire.EscrowDeal) { d.Roster++ },
		"terms":   func(d *wire.EscrowDeal) { d.Terms = make([]byte, 32) },
	} {
		bad := *d
		f(&bad)
		if _, err := keys[0].OpenDealt(chainID, &bad, 0); err == nil {
			t.Errorf("another %s: opened", name)
		}
	}
	if _, err := keys[0].OpenDealt("phala-tesu", d, 0); err == nil {
		t.Error("another chain: opened")
	}
	if _, err := keys[0].OpenDealt(chainID, d, 1); err == nil {
		t.Error("another's share: opened")
	}
	if _, err := keys[1].OpenDealt(chainID, d, 3); err == nil {
		t.Error("a share that is not there: opened")
	}
}

func TestTermsAreChecked(t *testing.T) {
	good := func() *wire.EscrowTerms { terms, _ := committee(t, 2, 3); return terms }
	if err := CheckTerms(good()); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*wire.EscrowTerms){
		"no cluster":      func(x *wire.EscrowTerms) { x.Cluster = 0 },
		"one is enough":   func(x *wire.EscrowTerms) { x.Threshold = 1 },
		"none is needed":  func(x *wire.EscrowTerms) { x.Threshold = 0 },
		"more than all":   func(x *wire.EscrowTerms) { x.Threshold = 4 },
		"far more":        func(x *wire.EscrowTerms) { x.Threshold = 1 << 31 },
		"nobody":          func(x *wire.EscrowTerms) { x.Custodians = nil },
		"a hole":          func(x *wire.EscrowTerms) { x.Custodians[1] = nil },
		"no name":         func(x *wire.EscrowTerms) { x.Custodians[1].Name = "" },
		"long name":       func(x *wire.EscrowTerms) { x.Custodians[1].Name = strings.Repeat("x", MaxName+1) },
		"a line's end":    func(x *wire.EscrowTerms) { x.Custodians[1].Name = "a\nb" },
		"no UTF-8":        func(x *wire.EscrowTerms) { x.Custodians[1].Name = "a\xff" },
		"same name":       func(x *wire.EscrowTerms) { x.Custodians[1].Name = x.Custodians[0].Name },
		"same key":        func(x *wire.EscrowTerms) { x.Custodians[1].SealingKey = x.Custodians[0].SealingKey },
		"same identity":   func(x *wire.EscrowTerms) { x.Custodians[1].IdentityKey = x.Custodians[0].IdentityKey },
		"short key":       func(x *wire.EscrowTerms) { x.Custodians[1].SealingKey = x.Custodians[1].SealingKey[1:] },
		"no such key":     func(x *wire.EscrowTerms) { x.Custodians[1].SealingKey = bytes.Repeat([]byte{0xff}, 1216) },
		"no identity key": func(x *wire.EscrowTerms) { x.Custodians[1].IdentityKey = nil },
		"seventeen":       func(x *wire.EscrowTerms) { more, _ := committee(t, 2, 17); x.Custodians = more.Custodians },
	} {
		x := good()
		f(x)
		if err := CheckTerms(x); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if CheckTerms(nil) == nil {
		t.Error("no terms: taken")
	}
}

// None of the secrets prints or is marshalled.
func TestNothingPrints(t *testing.T) {
	k := custodian(t, 0)
	s := split(secret(t, counted()), About{}, 2, 2)[0]
	out := fmt.Sprintf("%v %+v %#v %x %s %v %x", k, *k, k, *k, s, *s, *s)
	for _, leak := range []string{hex.EncodeToString(s.value[:8]), hex.EncodeToString(k.identity[:8]), fmt.Sprint(s.value[:4])[1:]} {
		if strings.Contains(out, leak) {
			t.Errorf("%q tells", out)
		}
	}
	for _, v := range []any{k, s} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T was marshalled: %s", v, b)
		}
	}
	s.Wipe()
	if !bytes.Equal(s.value, make([]byte, 32)) || !bytes.Equal(s.salt, make([]byte, 32)) {
		t.Error("a share outlived Wipe")
	}
}

func TestSeeds(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := NewKey(make([]byte, n)); err == nil {
			t.Errorf("a seed of %d bytes was taken", n)
		}
	}
	a, b := custodian(t, 0).Custodian("x"), custodian(t, 0).Custodian("x")
	if !bytes.Equal(wire.Marshal(a), wire.Marshal(b)) || bytes.Equal(a.IdentityKey, custodian(t, 1).Custodian("x").IdentityKey) {
		t.Error("keys do not come from their seeds")
	}
}

func BenchmarkDeal(b *testing.B) {
	terms, _ := committee(b, 5, 9)
	s := secret(b, counted())
	for b.Loop() {
		if _, err := Deal(chainID, terms, 1, 1, s); err != nil {
			b.Fatal(err)
		}
	}
}
