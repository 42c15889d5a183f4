package keytree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func fixed(t *testing.T) *Secret {
	t.Helper()
	b := make([]byte, Size)
	for i := range b {
		b[i] = byte(i)
	}
	s, err := NewSecret(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fixedState is the state secret beside it, 202122…3f.
func fixedState(t *testing.T) *Secret {
	t.Helper()
	b := make([]byte, Size)
	for i := range b {
		b[i] = byte(Size + i)
	}
	s, err := NewSecret(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func TestLabelVector(t *testing.T) {
	const rest = "00000007" + "7068616c612d31" + // phala-1
		"0000000000000001" + "0000000000000203" + "0000000000000004"
	for purpose, want := range map[Purpose]string{
		ClusterSecret: "7068616c612f636c75737465722d7365637265742f7631" + rest, // phala/cluster-secret/v1
		StateSecret:   "7068616c612f73746174652d7365637265742f7631" + rest,     // phala/state-secret/v1
	} {
		if got := hex.EncodeToString(Label(purpose, "phala-1", 1, 0x203, 4)); got != want {
			t.Errorf("label %s, want %s", got, want)
		}
	}
	seen := map[string]bool{}
	for _, p := range []Purpose{ClusterSecret, StateSecret} {
		for _, l := range [][]byte{Label(p, "a", 1, 2, 3), Label(p, "a", 1, 3, 2), Label(p, "a", 2, 1, 3), Label(p, "ab", 1, 2, 3), Label(p, "", 1, 2, 3)} {
			if seen[string(l)] {
				t.Errorf("two labels are equal: %x", l)
			}
			seen[string(l)] = true
		}
	}
}

func TestIsState(t *testing.T) {
	c, err := NewCluster(fixed(t), fixedState(t))
	if err != nil {
		t.Fatal(err)
	}
	if !IsState(fixedState(t), c.Check) || IsState(fixed(t), c.Check) || IsState(fixedState(t), c.Check[CheckSize/2:]) || IsState(fixedState(t), nil) {
		t.Error("the check tells another state secret's, or not its own")
	}
	if !IsPair(fixed(t), fixedState(t), c.Check) || IsPair(fixedState(t), fixed(t), c.Check) || IsPair(fixed(t), fixed(t), c.Check) ||
		IsPair(fixedState(t), fixedState(t), c.Check) || IsPair(fixed(t), fixedState(t), nil) {
		t.Error("the check tells another pair's, or not its own")
	}
}

// Vectors of docs/spec/keys.md. All but the input key were computed with another implementation (Python's hmac); they are fixed
// from here on: a change of one opens nothing that was sealed before.
func TestDerivationVectors(t *testing.T) {
	c, err := NewCluster(fixed(t), fixedState(t))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/spec/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct{ name, got, want string }{
		{"state key", hex.EncodeToString(c.State.b[:]), "83e81be855a8e40dfd7ecd8fd4af73a6cb39d827faa45da50038a5652b424d11"},
		{"randomness key", hex.EncodeToString(c.Randomness.b[:]), "cfcb7b384731ca13bef682b3e5abb61e07795b96674c4766ab227cfd50545875"},
		{"check", hex.EncodeToString(c.Check), "4dbc0b662b9043db529d495b843ece6a8e8600a3ca3b7a0b1a8d7405247cf3119dc2ad2fb8b95b2d8486a193772c5f51bbd76bc9cbcc232f32592f4d34e68820"},
		{"SHA-256 of the public input key", sum(c.Input.PublicKey().Bytes()), "a62518a86ff6d4e2c32c20ec107c13ef85d5e60afc697e9d8eaf10cfbc8413b6"},
		{"key with context", hex.EncodeToString(fixed(t).Key("phala/test/v1", []byte{1, 2}, []byte{3})), "b92454380ee4a1800a09fbd99244f3fe85d015f98e437f0953ba271014be40b9"},
	} {
		if v.got != v.want {
			t.Errorf("%s: %s, want %s", v.name, v.got, v.want)
		}
		if v.name != "key with context" && !strings.Contains(string(doc), "| "+v.name+" | `"+v.want+"` |") {
			t.Errorf("%s: the document has another", v.name)
		}
	}
}

func TestClusterWipesItsSecretAndItself(t *testing.T) {
	s := fixed(t)
	state := fixedState(t)
	c, err := NewCluster(s, state)
	if err != nil {
		t.Fatal(err)
	}
	if s.b != [Size]byte{} || state.b != [Size]byte{} {
		t.Error("a secret outlived the derivation")
	}
	seed, err := c.Input.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	c.Wipe()
	if !bytes.Equal(seed, make([]byte, len(seed))) {
		t.Error("the input key's seed outlived Wipe")
	}
	if c.State.b != [Size]byte{} || c.Randomness.b != [Size]byte{} || c.Input != nil {
		t.Error("keys outlived Wipe")
	}
}

func TestDomainsAndContextsSeparate(t *testing.T) {
	s := fixed(t)
	seen := map[string]string{}
	for name, k := range map[string][]byte{
		"a": s.Key("a"), "b": s.Key("b"), "a,1": s.Key("a", []byte{1}), "a,2": s.Key("a", []byte{2}),
	} {
		if other, ok := seen[string(k)]; ok {
			t.Errorf("%s and %s share a key", name, other)
		}
		seen[string(k)] = name
	}
	d := s.Derive("a")
	if !bytes.Equal(d.b[:], s.Key("a")) {
		t.Error("Derive and Key differ on one domain")
	}
}

func TestSecretOfAnotherSizeIsRefused(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := NewSecret(make([]byte, n)); err == nil {
			t.Errorf("%d bytes were taken", n)
		}
	}
}

// A secret prints in no way, by pointer or by value, alone or inside something.
func TestNothingPrintsASecret(t *testing.T) {
	s := fixed(t)
	c, err := NewCluster(fixed(t), fixedState(t))
	if err != nil {
		t.Fatal(err)
	}
	forms := []any{s, *s, c, *c, []*Secret{s}, []Secret{*s}, map[string]*Secret{"k": s}, struct{ S *Secret }{s}, struct{ S Secret }{*s}, c.State}
	var out bytes.Buffer
	for _, f := range forms {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d", "%o", "%b"} {
			fmt.Fprintf(&out, verb+"\n", f)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("event", "secret", f)
		}
		if b, err := json.Marshal(f); err == nil {
			t.Errorf("json took %T: %s", f, b)
		}
	}
	text := strings.ToLower(out.String())
	for _, leak := range []string{"000102", "0 1 2 3", "0x0, 0x1, 0x2", "\x00\x01\x02", `\x00\x01`, hex.EncodeToString(c.State.b[:8]), strings.Trim(fmt.Sprint(c.State.b[:4]), "[]")} {
		if strings.Contains(text, leak) {
			t.Errorf("output contains %q", leak)
		}
	}
}

// An HKDF-Expand written down again from RFC 5869, section 2.3, for one block.
func TestHKDFIsRFC5869(t *testing.T) {
	s := fixed(t)
	mac := func(key, msg []byte) []byte {
		ipad, opad := bytes.Repeat([]byte{0x36}, 64), bytes.Repeat([]byte{0x5c}, 64)
		for i, b := range key {
			ipad[i] ^= b
			opad[i] ^= b
		}
		in := sha256.Sum256(append(ipad, msg...))
		out := sha256.Sum256(append(opad, in[:]...))
		return out[:]
	}
	if got, want := s.Key("domain", []byte("context")), mac(s.b[:], []byte("domaincontext\x01")); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
