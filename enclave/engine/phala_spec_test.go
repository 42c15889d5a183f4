package engine

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
)

// TestExtensionVectors runs those of docs/spec/contract-extensions.md.
func TestExtensionVectors(t *testing.T) {
	e := newEngine(t, Config{})
	want := documented(t, "engine")
	a := &asm{}
	var body []byte
	do := func(name, f string, args ...[]byte) {
		p := a.region(nil, 65)
		body = cat(body, a.storeCode("code "+name, cat(cat(args...), i32const(p), a.call(f))), a.store(name, i32const(p)))
	}
	path := a.text("wallet/0")
	do("key of secp256k1", "derive_public_key", path, i32const(1))
	do("key of Ed25519", "derive_public_key", path, i32const(2))
	do("signature of secp256k1", "sign", path, i32const(1), a.text(hash32()))
	do("signature of Ed25519", "sign", path, i32const(2), a.text("message"))
	do("first draw", "random")
	do("second draw", "random")
	s, _, err := use(t, e, a, Execute, body, extended(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != 6 || len(s) != 2*len(want) {
		t.Errorf("%d vectors in the document, %d values in the state", len(want), len(s))
	}
	for name, want := range want {
		if string(s["code "+name]) != code(granted) || hex.EncodeToString(s[name]) != want {
			t.Errorf("%s: code %x, %x, want %s", name, s["code "+name], s[name], want)
		}
	}
}

// TestDerivationVectors are those of the same document from a cluster's secret
// on.
func TestDerivationVectors(t *testing.T) {
	cluster, err := keytree.NewCluster(counting(t), counting(t).Derive("state"))
	if err != nil {
		t.Fatal(err)
	}
	fill := func(b byte) [32]byte { return [32]byte(bytes.Repeat([]byte{b}, 32)) }
	drawn := cluster.ContractSecret(fill(0xaa), fill(0xbb))
	secret, err := keytree.NewSecret(drawn)
	if err != nil {
		t.Fatal(err)
	}
	key := func(curve keytree.Curve) []byte {
		k, err := secret.ExternalKey(curve, []byte("wallet/0"))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	call := cluster.InputRandomness(fill(0xbb), fill(0xcc)).CallRandomness(fill(0xaa), 1)
	got := map[string][]byte{
		"contract secret": drawn, "external key, secp256k1": key(keytree.Secp256k1), "external key, Ed25519": key(keytree.Ed25519),
		"draw 0": call.Draw(0), "draw 1": call.Draw(1),
	}
	want := documented(t, "derivation")
	if len(want) != len(got) {
		t.Errorf("%d vectors in the document, want %d", len(want), len(got))
	}
	for name, v := range got {
		if hex.EncodeToString(v) != want[name] {
			t.Errorf("%s: %x, want %s", name, v, want[name])
		}
	}
}

// documented reads the table of the document whose first column has that title.
func documented(t testing.TB, title string) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/spec/contract-extensions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "\n| "+title+" | value |\n|---|---|\n")
	if !ok {
		t.Fatalf("the document has no table of %s vectors", title)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	out := map[string]string{}
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(row), "|")
		if len(cells) != 4 {
			t.Fatalf("row %q", row)
		}
		out[strings.TrimSpace(cells[1])] = strings.Trim(cells[2], " `")
	}
	return out
}

// TestDocumentedFunctions: the document has each function with its type, its
// charge, and each code.
func TestDocumentedFunctions(t *testing.T) {
	page, err := os.ReadFile("../../docs/spec/contract-extensions.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range phalaModule().funcs {
		params := strings.TrimSuffix(strings.Repeat("i32, ", len(f.params)), ", ")
		if row := fmt.Sprintf("\n| `%s` | `(%s) -> i32` |", name, params); !strings.Contains(string(page), row) {
			t.Errorf("the document has no row %q", row)
		}
		if prices()[name] == nil {
			t.Errorf("%s has no price", name)
		}
	}
	for n := granted; n <= tooManyEvents; n++ {
		if row := fmt.Sprintf("\n| %d | ", n); strings.Count(string(page), row) != 1 {
			t.Errorf("the document has no code %d", n)
		}
	}
}
