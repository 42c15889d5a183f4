package seal

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

var update = flag.Bool("update", false, "record the envelope of testdata anew")

var ctx = Context{Domain: DomainInput, ChainID: "phala-test", Cluster: 1, Epoch: 2, Roster: 3}

func key(t testing.TB, seed byte) hpke.PrivateKey {
	t.Helper()
	sk, err := hpke.MLKEM768X25519().DeriveKeyPair(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sk
}

func envelope(t testing.TB, plain string) (hpke.PrivateKey, *wire.Envelope, *ReplyKey) {
	t.Helper()
	sk := key(t, 1)
	e, rk, err := Seal(sk.PublicKey(), ctx, []byte("aad"), []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sk, e, rk
}

func TestSealedOpens(t *testing.T) {
	for _, n := range []int{0, 1, 252, 253, 5000, MaxPlaintext} {
		plain := strings.Repeat("x", n)
		sk, e, _ := envelope(t, plain)
		got, _, err := Open(sk, ctx, []byte("aad"), e)
		if err != nil || string(got) != plain {
			t.Errorf("%d bytes: %v", n, err)
		}
		if len(e.Enc) != EncSize || len(e.Ciphertext) != Class(n)+tagSize {
			t.Errorf("%d bytes: sizes %d and %d", n, len(e.Enc), len(e.Ciphertext))
		}
	}
	if _, _, err := Seal(key(t, 1).PublicKey(), ctx, nil, make([]byte, MaxPlaintext+1)); err == nil {
		t.Error("more than one envelope holds was sealed")
	}
}

// P18: whatever lies on a public chain is sealed with the hybrid KEM; no other suite is made, taken or opened.
func TestP18_OnlyTheHybridSuite(t *testing.T) {
	sk, good, _ := envelope(t, "secret")
	if id := sk.KEM().ID(); id != 0x647a {
		t.Fatalf("the KEM is %#x, want X-Wing", id)
	}
	for _, suite := range []uint32{0, 2, 3, 0x20, 0x647a, 1 << 31} {
		e := *good
		e.Suite = suite
		if _, _, err := Open(sk, ctx, []byte("aad"), &e); err == nil || !strings.Contains(err.Error(), "suite") {
			t.Errorf("suite %d: %v", suite, err)
		}
	}
	for _, kem := range []hpke.KEM{
		hpke.DHKEM(ecdh.X25519()), hpke.DHKEM(ecdh.P256()), hpke.MLKEM768(), hpke.MLKEM1024(), hpke.MLKEM768P256(), hpke.MLKEM1024P384(),
	} {
		other, err := kem.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		pk := other.PublicKey()
		if _, _, err := Seal(pk, ctx, nil, []byte("m")); err == nil {
			t.Errorf("sealed to a key of KEM %#x", kem.ID())
		}
		if _, err := PublicKey(pk.Bytes()); err == nil {
			t.Errorf("a public key of KEM %#x was taken for X-Wing's", kem.ID())
		}
		// The same words sealed by hand with that KEM, in an envelope that claims to be suite 1.
		enc, sender, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), ctx.info())
		if err != nil {
			t.Fatal(err)
		}
		ct, err := sender.Seal([]byte("aad"), Pad([]byte("m")))
		if err != nil {
			t.Fatal(err)
		}
		forged := &wire.Envelope{Suite: Suite, Enc: enc, Ciphertext: ct}
		for _, k := range []hpke.PrivateKey{sk, other} {
			if _, _, err := Open(k, ctx, []byte("aad"), forged); err == nil {
				t.Errorf("an envelope of KEM %#x was opened", kem.ID())
			}
		}
	}
	// The same KEM with another KDF or AEAD is another suite.
	for name, s := range map[string]struct {
		kdf  hpke.KDF
		aead hpke.AEAD
	}{
		"AES-128-GCM":       {hpke.HKDFSHA256(), hpke.AES128GCM()},
		"ChaCha20-Poly1305": {hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()},
		"HKDF-SHA512":       {hpke.HKDFSHA512(), hpke.AES256GCM()},
	} {
		enc, sender, err := hpke.NewSender(sk.PublicKey(), s.kdf, s.aead, ctx.info())
		if err != nil {
			t.Fatal(err)
		}
		ct, err := sender.Seal([]byte("aad"), Pad([]byte("m")))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(sk, ctx, []byte("aad"), &wire.Envelope{Suite: Suite, Enc: enc, Ciphertext: ct}); err == nil {
			t.Errorf("an envelope with %s was opened", name)
		}
	}
	for _, n := range []int{0, 32, 1184, PublicKeySize - 1, PublicKeySize + 1} {
		if _, err := PublicKey(make([]byte, n)); err == nil {
			t.Errorf("a public key of %d bytes was taken", n)
		}
	}
	if _, err := PublicKey(sk.PublicKey().Bytes()); err != nil {
		t.Errorf("X-Wing's own public key: %v", err)
	}
	if _, err := PublicKey(bytes.Repeat([]byte{0xff}, PublicKeySize)); err == nil {
		t.Error("a public key whose ML-KEM half is not reduced was taken")
	}
}

func TestAnotherContextDoesNotOpen(t *testing.T) {
	sk, e, _ := envelope(t, "secret")
	for name, c := range map[string]Context{
		"domain query":    {DomainQuery, "phala-test", 1, 2, 3},
		"domain key part": {DomainKeyPart, "phala-test", 1, 2, 3},
		"chain":           {DomainInput, "phala-tesu", 1, 2, 3},
		"cluster":         {DomainInput, "phala-test", 9, 2, 3},
		"epoch":           {DomainInput, "phala-test", 1, 9, 3},
		"roster":          {DomainInput, "phala-test", 1, 2, 9},
		"zero":            {},
	} {
		if _, _, err := Open(sk, c, []byte("aad"), e); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, _, err := Open(sk, ctx, []byte("another sender"), e); err == nil {
		t.Error("opened with another aad")
	}
	if _, _, err := Open(sk, ctx, nil, e); err == nil {
		t.Error("opened without aad")
	}
	if _, _, err := Open(key(t, 2), ctx, []byte("aad"), e); err == nil {
		t.Error("opened with another key")
	}
}

func TestChangedEnvelopesDoNotOpen(t *testing.T) {
	sk, good, _ := envelope(t, "secret")
	change := func(f func(e *wire.Envelope)) *wire.Envelope {
		e := &wire.Envelope{Suite: good.Suite, Enc: bytes.Clone(good.Enc), Ciphertext: bytes.Clone(good.Ciphertext)}
		f(e)
		return e
	}
	for name, e := range map[string]*wire.Envelope{
		"nil":                   nil,
		"empty":                 {},
		"enc short":             change(func(e *wire.Envelope) { e.Enc = e.Enc[1:] }),
		"enc long":              change(func(e *wire.Envelope) { e.Enc = append(e.Enc, 0) }),
		"enc flipped":           change(func(e *wire.Envelope) { e.Enc[5] ^= 1 }),
		"enc X25519 flipped":    change(func(e *wire.Envelope) { e.Enc[1100] ^= 1 }),
		"ciphertext truncated":  change(func(e *wire.Envelope) { e.Ciphertext = e.Ciphertext[:len(e.Ciphertext)-1] }),
		"ciphertext long":       change(func(e *wire.Envelope) { e.Ciphertext = append(e.Ciphertext, 0) }),
		"ciphertext next class": change(func(e *wire.Envelope) { e.Ciphertext = append(e.Ciphertext, make([]byte, 768)...) }),
		"ciphertext flipped":    change(func(e *wire.Envelope) { e.Ciphertext[0] ^= 1 }),
		"tag flipped":           change(func(e *wire.Envelope) { e.Ciphertext[len(e.Ciphertext)-1] ^= 1 }),
	} {
		if _, k, err := Open(sk, ctx, []byte("aad"), e); err == nil || k != nil {
			t.Errorf("%s: opened or gave a reply key", name)
		}
	}
}

// Who seals without padding as agreed learns that it failed, by a sealed reply.
func TestWrongPaddingInsideIsRefusedWithAReplyKey(t *testing.T) {
	sk := key(t, 1)
	padded := Pad([]byte("m"))
	padded[len(padded)-1] = 1
	enc, sender, err := hpke.NewSender(sk.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), ctx.info())
	if err != nil {
		t.Fatal(err)
	}
	ct, err := sender.Seal([]byte("aad"), padded)
	if err != nil {
		t.Fatal(err)
	}
	plain, k, err := Open(sk, ctx, []byte("aad"), &wire.Envelope{Suite: Suite, Enc: enc, Ciphertext: ct})
	if err == nil || plain != nil || k == nil {
		t.Errorf("plain %q, reply key %t, error %v", plain, k != nil, err)
	}
}

func TestClasses(t *testing.T) {
	for _, c := range [][2]int{
		{0, 256}, {252, 256}, {253, 1024}, {1020, 1024}, {1021, 4096}, {4092, 4096}, {4093, 16384}, {16380, 16384}, {16381, 65536},
		{65532, 65536}, {65533, 2 * 65536}, {2*65536 - 4, 2 * 65536}, {2*65536 - 3, 3 * 65536}, {MaxPlaintext, MaxPlaintext + 65536},
	} {
		if got := Class(c[0]); got != c[1] {
			t.Errorf("Class(%d) = %d, want %d", c[0], got, c[1])
		}
	}
	valid := map[int]bool{}
	for n := 0; n <= MaxPlaintext; n += 4 {
		valid[Class(n)+tagSize] = true
	}
	for n := -1; n < MaxPlaintext+4*65536; n++ {
		if ValidCiphertextSize(n) != valid[n] {
			t.Fatalf("ValidCiphertextSize(%d) = %t", n, !valid[n])
		}
	}
}

func TestUnpadRefusesEveryOtherPadding(t *testing.T) {
	for n := range 700 {
		b := bytes.Repeat([]byte{7}, n)
		got, err := Unpad(Pad(b))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes do not come back: %v", n, err)
		}
	}
	good := Pad([]byte("abc"))
	set := func(i int, v byte) []byte { b := bytes.Clone(good); b[i] = v; return b }
	for name, b := range map[string][]byte{
		"nothing":            {},
		"no length":          {0, 0, 0},
		"only a length":      {0, 0, 0, 0},
		"truncated":          good[:len(good)-1],
		"one longer":         append(bytes.Clone(good), 0),
		"a larger class":     append(bytes.Clone(good), make([]byte, 768)...),
		"length beyond":      set(2, 0xff),
		"length enormous":    set(0, 0xff),
		"padding not zero":   set(len(good)-1, 1),
		"padding not zero 2": set(7, 1),
		"length shorter":     set(3, 2),
	} {
		if p, err := Unpad(b); err == nil {
			t.Errorf("%s: %q", name, p)
		}
	}
}

func TestRepliesDifferAndOpen(t *testing.T) {
	sk, e, mine := envelope(t, "question")
	_, theirs, err := Open(sk, ctx, []byte("aad"), e)
	if err != nil {
		t.Fatal(err)
	}
	a, b := theirs.Reply([]byte("answer")), theirs.Reply([]byte("answer"))
	if bytes.Equal(a.Nonce, b.Nonce) || bytes.Equal(a.Ciphertext, b.Ciphertext) {
		t.Error("two replies to one envelope are equal")
	}
	for _, r := range []*wire.SealedReply{a, b} {
		if got, err := mine.OpenReply(r); err != nil || string(got) != "answer" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if !ValidCiphertextSize(len(a.Ciphertext)) {
		t.Errorf("a reply of %d bytes is in no class", len(a.Ciphertext))
	}
	_, _, other := envelope(t, "question")
	flipped := &wire.SealedReply{Nonce: a.Nonce, Ciphertext: bytes.Clone(a.Ciphertext)}
	flipped.Ciphertext[3] ^= 1
	for name, f := range map[string]func() ([]byte, error){
		"another envelope": func() ([]byte, error) { return other.OpenReply(a) },
		"nil":              func() ([]byte, error) { return mine.OpenReply(nil) },
		"short nonce": func() ([]byte, error) {
			return mine.OpenReply(&wire.SealedReply{Nonce: a.Nonce[1:], Ciphertext: a.Ciphertext})
		},
		"another nonce": func() ([]byte, error) {
			return mine.OpenReply(&wire.SealedReply{Nonce: b.Nonce, Ciphertext: a.Ciphertext})
		},
		"flipped":       func() ([]byte, error) { return mine.OpenReply(flipped) },
		"no ciphertext": func() ([]byte, error) { return mine.OpenReply(&wire.SealedReply{Nonce: a.Nonce}) },
	} {
		if got, err := f(); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestReplyKeyDoesNotPrint(t *testing.T) {
	_, _, k := envelope(t, "m")
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		for _, f := range []any{k, *k} {
			if got := fmt.Sprintf(verb, f); got != "[reply key]" {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

func TestNewAEADTakesOnly32Bytes(t *testing.T) {
	if _, err := NewAEAD(make([]byte, 5)); err == nil {
		t.Error("a key of 5 bytes was taken")
	}
	if _, err := NewAEAD(make([]byte, 16)); err == nil {
		t.Error("AES-128 was taken for AES-256")
	}
	if _, err := NewAEAD(make([]byte, 32)); err != nil {
		t.Error(err)
	}
}

// The pinned half of interoperation: key pair from a fixed ikm (32 bytes of 1), and an envelope recorded once. A build that
// cannot open it cannot open what lies on the chain.
func TestRecordedEnvelopeOpens(t *testing.T) {
	sk := key(t, 1)
	pub := sha256.Sum256(sk.PublicKey().Bytes())
	const wantPub = "b37e773a08cf16cce4c4ea2694d2e980e109303c538ed6f6202d30cfb562d9b6"
	if got := hex.EncodeToString(pub[:]); got != wantPub {
		t.Errorf("public key of ikm 0101…: SHA-256 %s, want %s", got, wantPub)
	}
	const plain, reply = "a bid of 42 PHA", "you have won"
	if *update {
		_, e, rk := envelope(t, plain)
		out := hex.EncodeToString(wire.Marshal(e)) + "\n" + hex.EncodeToString(wire.Marshal(rk.Reply([]byte(reply)))) + "\n"
		if err := os.WriteFile("testdata/envelope.hex", []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile("testdata/envelope.hex")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(file))
	var e wire.Envelope
	var r wire.SealedReply
	for i, m := range []wire.Message{&e, &r} {
		b, err := hex.DecodeString(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
	}
	got, rk, err := Open(sk, ctx, []byte("aad"), &e)
	if err != nil || string(got) != plain {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := rk.OpenReply(&r); err != nil || string(got) != reply {
		t.Errorf("reply %q, %v", got, err)
	}
}

func FuzzUnpad(f *testing.F) {
	f.Add(Pad([]byte("abc")))
	f.Add([]byte{0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Unpad(b)
		if err == nil && !bytes.Equal(Pad(p), b) {
			t.Errorf("%x has a second padding", b)
		}
	})
}

func BenchmarkOpen256(b *testing.B) {
	sk, e, _ := envelope(b, "m")
	for b.Loop() {
		if _, _, err := Open(sk, ctx, []byte("aad"), e); err != nil {
			b.Fatal(err)
		}
	}
}
