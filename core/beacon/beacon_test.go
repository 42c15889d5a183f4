package beacon

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudflare/circl/sign/bls"
)

const chainID = "phala-test"

// made is a group of n members of whom t make a signature, dealt by all of them.
func made(t testing.TB, n, threshold int) (*Group, []*Share) {
	t.Helper()
	var dealers [][][]byte
	dealt := make([][][]byte, n)
	for range n {
		commitments, shares, err := Deal(n, threshold, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		dealers = append(dealers, commitments)
		for i, s := range shares {
			if err := CheckShare(commitments, i, s); err != nil {
				t.Fatal(err)
			}
			dealt[i] = append(dealt[i], s)
		}
	}
	sum, err := Sum(dealers)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGroup(sum, n)
	if err != nil {
		t.Fatal(err)
	}
	shares := make([]*Share, n)
	for i := range shares {
		if shares[i], err = NewShare(i, dealt[i]); err != nil {
			t.Fatal(err)
		}
	}
	return g, shares
}

func parts(t testing.TB, g *Group, shares []*Share, epoch, height uint64, members ...int) map[int][]byte {
	t.Helper()
	out := map[int][]byte{}
	for _, i := range members {
		p, err := shares[i].Sign(chainID, epoch, height)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.VerifyPart(chainID, epoch, height, i, p); err != nil {
			t.Fatal(err)
		}
		out[i] = p
	}
	return out
}

// Whoever signs, a height has one value; fewer than the threshold have none.
func TestOneValueForEachHeight(t *testing.T) {
	g, shares := made(t, 4, 2)
	seen := map[string]bool{}
	for _, who := range [][]int{{0, 1}, {2, 3}, {1, 3}, {0, 1, 2, 3}} {
		sig, err := g.Combine(parts(t, g, shares, 3, 70, who...))
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(g.PublicKey(), chainID, 3, 70, sig); err != nil {
			t.Errorf("members %v: %v", who, err)
		}
		seen[string(Value(sig))] = true
	}
	if len(seen) != 1 {
		t.Errorf("height 70 has %d values", len(seen))
	}
	if _, err := g.Combine(parts(t, g, shares, 3, 70, 2)); err == nil {
		t.Error("one member made a signature")
	}
	sig, err := g.Combine(parts(t, g, shares, 3, 71, 0, 1))
	if err != nil || seen[string(Value(sig))] {
		t.Errorf("height 71 has the value of height 70, or none: %v", err)
	}
}

// Another implementation takes our signatures: the standard's suite, keys on G2.
func TestSignaturesAreStandard(t *testing.T) {
	g, shares := made(t, 3, 2)
	sig, err := g.Combine(parts(t, g, shares, 1, 9, 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	var key bls.PublicKey[bls.KeyG2SigG1]
	if err := key.UnmarshalBinary(g.PublicKey()); err != nil {
		t.Fatal(err)
	}
	if !bls.Verify(&key, Message(chainID, 1, 9), sig) {
		t.Error("circl's own verifier refuses the signature")
	}
}

func TestVerifyRefuses(t *testing.T) {
	g, shares := made(t, 3, 2)
	sig, err := g.Combine(parts(t, g, shares, 1, 9, 0, 2))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := made(t, 3, 2)
	flipped := bytes.Clone(sig)
	flipped[20] ^= 1
	identity := append([]byte{0xc0}, make([]byte, PublicKeySize-1)...)
	for name, c := range map[string]struct {
		public        []byte
		chain         string
		epoch, height uint64
		sig           []byte
	}{
		"another key":     {other.PublicKey(), chainID, 1, 9, sig},
		"another chain":   {g.PublicKey(), "x", 1, 9, sig},
		"another epoch":   {g.PublicKey(), chainID, 2, 9, sig},
		"another height":  {g.PublicKey(), chainID, 1, 10, sig},
		"a flipped bit":   {g.PublicKey(), chainID, 1, 9, flipped},
		"no signature":    {g.PublicKey(), chainID, 1, 9, nil},
		"trailing bytes":  {g.PublicKey(), chainID, 1, 9, append(bytes.Clone(sig), 0)},
		"a long key":      {append(bytes.Clone(g.PublicKey()), 0), chainID, 1, 9, sig},
		"no key":          {nil, chainID, 1, 9, sig},
		"the identity":    {identity, chainID, 1, 9, append([]byte{0xc0}, make([]byte, SignatureSize-1)...)},
		"no point's code": {bytes.Repeat([]byte{0xff}, PublicKeySize), chainID, 1, 9, sig},
	} {
		if Verify(c.public, c.chain, c.epoch, c.height, c.sig) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestDealtSharesAreChecked(t *testing.T) {
	commitments, shares, err := Deal(4, 3, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	order := []byte{
		0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05,
		0x53, 0xbd, 0xa4, 0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
	}
	flipped := bytes.Clone(shares[1])
	flipped[31] ^= 1
	for name, err := range map[string]error{
		"another member's":   CheckShare(commitments, 0, shares[1]),
		"a flipped bit":      CheckShare(commitments, 1, flipped),
		"the group's order":  CheckShare(commitments, 1, order),
		"a short one":        CheckShare(commitments, 1, shares[1][1:]),
		"fewer commitments":  CheckShare(commitments[:2], 1, shares[1]),
		"no commitments":     CheckShare(nil, 1, shares[1]),
		"broken commitments": CheckShare([][]byte{commitments[0], commitments[1][1:], commitments[2]}, 1, shares[1]),
	} {
		if err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if _, _, err := Deal(2, 3, rand.Reader); err == nil {
		t.Error("three of two members")
	}
	if _, _, err := Deal(17, 3, rand.Reader); err == nil {
		t.Error("seventeen members")
	}
	if _, _, err := Deal(3, 2, strings.NewReader("too little")); err == nil {
		t.Error("a polynomial out of too little randomness")
	}
	if _, err := NewShare(0, nil); err == nil {
		t.Error("a share out of nothing")
	}
	if _, err := Sum(nil); err == nil {
		t.Error("a group that nobody dealt")
	}
	if _, err := NewGroup(commitments, 2); err == nil {
		t.Error("three of two members")
	}
}

func TestPartsAreChecked(t *testing.T) {
	g, shares := made(t, 4, 2)
	p, err := shares[1].Sign(chainID, 1, 5)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another member":  g.VerifyPart(chainID, 1, 5, 0, p),
		"another height":  g.VerifyPart(chainID, 1, 6, 1, p),
		"no member":       g.VerifyPart(chainID, 1, 5, 4, p),
		"a negative one":  g.VerifyPart(chainID, 1, 5, -1, p),
		"a shortened one": g.VerifyPart(chainID, 1, 5, 1, p[1:]),
	} {
		if err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if _, err := g.Combine(map[int][]byte{0: p[1:], 1: p}); err == nil {
		t.Error("a broken part is combined")
	}
}

func TestSharesDoNotPrint(t *testing.T) {
	_, shares := made(t, 1, 1)
	secret, err := shares[0].v.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if s := fmt.Sprintf(verb, *shares[0]); s != "[beacon share]" || strings.Contains(s, fmt.Sprintf("%x", secret)) {
			t.Errorf("%s prints %q", verb, s)
		}
	}
	if _, err := shares[0].MarshalText(); err == nil {
		t.Error("a share is marshalled")
	}
	shares[0].Wipe()
	if again, _ := shares[0].v.MarshalBinary(); !bytes.Equal(again, make([]byte, ShareSize)) {
		t.Error("a wiped share is still there")
	}
}

// FuzzVerify: nothing from outside makes the verifier panic, nor passes.
func FuzzVerify(f *testing.F) {
	g, _ := made(f, 2, 2)
	f.Add(g.PublicKey(), make([]byte, SignatureSize))
	f.Fuzz(func(t *testing.T, public, sig []byte) {
		if Verify(public, chainID, 1, 1, sig) == nil && bytes.Equal(public, g.PublicKey()) {
			t.Errorf("signature %x passes", sig)
		}
		_ = CheckShare([][]byte{public}, 0, sig)
	})
}

func BenchmarkVerify(b *testing.B) {
	g, shares := made(b, 4, 2)
	sig, err := g.Combine(parts(b, g, shares, 1, 1, 0, 1))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Verify(g.PublicKey(), chainID, 1, 1, sig); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckShare(b *testing.B) {
	commitments, shares, err := Deal(16, 11, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := CheckShare(commitments, 3, shares[3]); err != nil {
			b.Fatal(err)
		}
	}
}
