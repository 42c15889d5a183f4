package engine

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed is a signature and all that goes with it.
type signed struct {
	hash, sig, key []byte
	param          uint32
}

func sign(msg string) signed {
	seed := sha256.Sum256([]byte("a test's key"))
	key := secp256k1.PrivKeyFromBytes(seed[:])
	hash := sha256.Sum256([]byte(msg))
	compact := ecdsa.SignCompact(key, hash[:], false)
	return signed{hash[:], compact[1:], key.PubKey().SerializeUncompressed(), uint32(compact[0] - 27)}
}

// highS gives the other signature of the same message.
func (s signed) highS() signed {
	var v secp256k1.ModNScalar
	v.SetByteSlice(s.sig[32:])
	other := v.Negate().Bytes()
	s.sig = append(bytes.Clone(s.sig[:32]), other[:]...)
	s.param ^= 1
	return s
}

func TestSecp256k1(t *testing.T) {
	s := sign("hello")
	// A vector of CosmWasm's own.
	published := signed{
		hash: fromHex(t, "5ae8317d34d1e595e3fa7247db80c0af4320cce1116de187f8f7e2e099c0d8d0"),
		sig: fromHex(t, "207082eb2c3dfa0b454e0906051270ba4074ac93760ba9e7110cd94714751111"+
			"51eb0dbbc9920e72146fb564f99d039802bf6ef2561446eb126ef364d21ee9c4"),
		key: fromHex(t, "04051c1ee2190ecfb174bfe4f90763f2b4ff7517b70a2aec1876ebcfd644c4633f"+
			"b03f3cfbd94b1f376e34592d9d41ccaf640bb751b00a1fadeb0c01157769eb73"),
	}
	parsed, err := secp256k1.ParsePubKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	hybrid := bytes.Clone(s.key)
	hybrid[0] = 6 + s.key[64]&1
	offCurve := bytes.Clone(s.key)
	offCurve[64] ^= 1
	for name, tc := range map[string]struct {
		hash, sig, key []byte
		want           uint64
	}{
		"good":        {s.hash, s.sig, s.key, valid},
		"published":   {published.hash, published.sig, published.key, valid},
		"compressed":  {s.hash, s.sig, parsed.SerializeCompressed(), valid},
		"high s":      {s.hash, s.highS().sig, s.key, valid},
		"other hash":  {sign("bye").hash, s.sig, s.key, invalid},
		"other key":   {published.hash, published.sig, s.key, invalid},
		"short hash":  {s.hash[1:], s.sig, s.key, badHash},
		"short sig":   {s.hash, s.sig[1:], s.key, badSignature},
		"no key":      {s.hash, s.sig, nil, badPublicKey},
		"short key":   {s.hash, s.sig, s.key[:64], badPublicKey},
		"hybrid key":  {s.hash, s.sig, hybrid, badPublicKey},
		"off curve":   {s.hash, s.sig, offCurve, badOther},
		"zero sig":    {s.hash, make([]byte, 64), s.key, badOther},
		"r too large": {s.hash, bytes.Repeat([]byte{0xff}, 64), s.key, badOther},
	} {
		if got := verifySecp256k1(tc.hash, tc.sig, tc.key); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}

func TestRecover(t *testing.T) {
	s := sign("hello")
	for name, tc := range map[string]struct {
		in   signed
		want uint64
	}{
		"good":      {s, valid},
		"high s":    {s.highS(), valid},
		"param":     {signed{s.hash, s.sig, nil, 2}, badRecoveryParam},
		"wide":      {signed{s.hash, s.sig, nil, 256}, badRecoveryParam},
		"zero sig":  {signed{s.hash, make([]byte, 64), nil, 0}, badOther},
		"short sig": {signed{s.hash, s.sig[1:], nil, 0}, badSignature},
		"no hash":   {signed{nil, s.sig, nil, 0}, badHash},
	} {
		key, code := recoverSecp256k1(tc.in.hash, tc.in.sig, tc.in.param)
		if code != tc.want || code == valid && !bytes.Equal(key, s.key) {
			t.Errorf("%s: got %d and %x", name, code, key)
		}
	}
}

func TestEd25519(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	key := []byte(private.Public().(ed25519.PublicKey))
	msg, other := []byte("hello"), []byte("bye")
	sig, sig2 := ed25519.Sign(private, msg), ed25519.Sign(private, other)
	for name, tc := range map[string]struct {
		msg, sig, key []byte
		want          uint64
	}{
		"good":       {msg, sig, key, valid},
		"other":      {other, sig, key, invalid},
		"short sig":  {msg, sig[1:], key, badSignature},
		"short key":  {msg, sig, key[1:], badPublicKey},
		"small key":  {msg, make([]byte, 64), make([]byte, 32), valid}, // of low order: ZIP 215 says so
		"bad key":    {msg, sig, bytes.Repeat([]byte{2}, 32), invalid},
		"empty text": {nil, ed25519.Sign(private, nil), key, valid},
	} {
		if got := verifyEd25519(tc.msg, tc.sig, tc.key); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
	l := func(b ...[]byte) [][]byte { return b }
	for name, tc := range map[string]struct {
		msgs, sigs, keys [][]byte
		want             uint64
	}{
		"nothing":       {nil, nil, nil, valid},
		"two":           {l(msg, other), l(sig, sig2), l(key, key), valid},
		"one key":       {l(msg, other), l(sig, sig2), l(key), valid},
		"one message":   {l(msg), l(sig, sig), l(key, key), valid},
		"one is wrong":  {l(msg, msg), l(sig, sig2), l(key), invalid},
		"counts differ": {l(msg, other), l(sig), l(key), badBatch},
		"malformed":     {l(other, msg), l(sig, sig[1:]), l(key), badSignature},
	} {
		if got := verifyEd25519Batch(tc.msgs, tc.sigs, tc.keys); got != tc.want {
			t.Errorf("batch, %s: got %d, want %d", name, got, tc.want)
		}
	}
}

func TestCryptoInWASM(t *testing.T) {
	e := newEngine(t, Config{})
	s := sign("hello")
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	key := []byte(private.Public().(ed25519.PublicKey))
	sig := ed25519.Sign(private, []byte("hello"))
	m := &asm{}
	text := func(b []byte) []byte { return m.text(string(b)) }
	wrap := byte(0xa7) // i32.wrap_i64
	shift := []byte{0x42, 32, 0x88, wrap}
	body := cat(
		m.storeCode("k1", cat(text(s.hash), text(s.sig), text(s.key), m.call("secp256k1_verify"))),
		m.store("key", cat(text(s.hash), text(s.sig), i32const(s.param), m.call("secp256k1_recover_pubkey"), []byte{wrap})),
		m.storeCode("param", cat(text(s.hash), text(s.sig), i32const(9), m.call("secp256k1_recover_pubkey"), shift)),
		m.storeCode("ed", cat(text([]byte("hello")), text(sig), text(key), m.call("ed25519_verify"))),
		m.storeCode("batch", cat(text(sections([]byte("hello"))), text(sections(sig, sig)), text(sections(key, key)), m.call("ed25519_batch_verify"))),
	)
	state, err := execute(t, e, m, body)
	if err != nil {
		t.Fatal(err)
	}
	zero := "\x00\x00\x00\x00"
	for k, want := range map[string]string{
		"k1": zero, "ed": zero, "batch": zero, "key": string(s.key), "param": "\x06\x00\x00\x00",
	} {
		if string(state[k]) != want {
			t.Errorf("%s: got %x, want %x", k, state[k], want)
		}
	}
}

func TestSections(t *testing.T) {
	in := [][]byte{[]byte("one"), {}, []byte("three")}
	out, err := split(sections(in...))
	if err != nil || len(out) != 3 || string(out[0]) != "one" || len(out[1]) != 0 || string(out[2]) != "three" {
		t.Errorf("got %q, %v", out, err)
	}
	for _, bad := range []string{"abc", "\x00\x00\x00\x01", "x\xff\xff\xff\xff"} {
		if _, err := split([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
