package attest

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

func item(kind wire.CollateralKind, data []byte) *wire.CollateralItem {
	return &wire.CollateralItem{Kind: kind, Data: data}
}

func packed(items ...*wire.CollateralItem) []byte {
	return wire.Marshal(&wire.Collateral{Items: items})
}

// What is shared by hash comes back the same, and only from bytes of that hash.
func TestShare(t *testing.T) {
	whole := &wire.Collateral{Items: []*wire.CollateralItem{
		item(wire.COLLATERAL_KIND_TCB_INFO, bytes.Repeat([]byte("t"), 5000)), item(wire.COLLATERAL_KIND_TCB_INFO_SIGNATURE, make([]byte, 64)),
		item(wire.COLLATERAL_KIND_PCK_CRL, bytes.Repeat([]byte("c"), 3000)), item(wire.COLLATERAL_KIND_PCK_CHAIN, bytes.Repeat([]byte("p"), 3000)),
	}}
	short, store := Share(whole)
	if len(store) != 2 || len(store[0]) != 5000 || len(store[1]) != 3000 {
		t.Fatalf("%d pieces to store", len(store))
	}
	ev := &wire.Evidence{Collateral: wire.Marshal(short)}
	if len(Hashes(ev)) != 2 || len(ev.Collateral) > 3300 {
		t.Errorf("%d hashes, %d bytes", len(Hashes(ev)), len(ev.Collateral))
	}
	kept := make(map[string][]byte)
	for _, b := range store {
		h := sha256.Sum256(b)
		kept[string(h[:])] = b
	}
	got, err := resolve(ev.Collateral, func(h []byte) []byte { return kept[string(h)] })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range whole.Items {
		if got[i].Kind != want.Kind || !bytes.Equal(got[i].Data, want.Data) {
			t.Errorf("%s came back other", want.Kind)
		}
	}
	if got.get(wire.COLLATERAL_KIND_SNP_CRL) != nil {
		t.Error("a piece that nobody gave")
	}
	for name, stored := range map[string]func([]byte) []byte{
		"nothing stored":        func([]byte) []byte { return nil },
		"a liar's bytes":        func([]byte) []byte { return []byte("other") },
		"nowhere to look it up": nil,
	} {
		if _, err := resolve(ev.Collateral, stored); reasonCodes(claims.Reasons(err, "")) != "collateral-missing" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformedCollateral(t *testing.T) {
	one := item(wire.COLLATERAL_KIND_TCB_INFO, []byte{1})
	var many []*wire.CollateralItem
	for k := range MaxItems + 1 {
		many = append(many, item(wire.CollateralKind(k+1), []byte{1}))
	}
	for name, b := range map[string][]byte{
		"garbage":        {0xff},
		"trailing bytes": append(packed(one), 0),
		"too many":       packed(many...),
		"twice":          packed(one, one),
		"out of order":   packed(item(wire.COLLATERAL_KIND_PCK_CRL, []byte{1}), one),
		"no kind":        packed(item(0, []byte{1})),
		"neither":        packed(item(wire.COLLATERAL_KIND_TCB_INFO, nil)),
		"both":           packed(&wire.CollateralItem{Kind: 1, Data: []byte{1}, Hash: make([]byte, 32)}),
		"a short hash":   packed(&wire.CollateralItem{Kind: 1, Hash: make([]byte, 31)}),
		"too long":       packed(item(1, make([]byte, MaxItem+1))),
	} {
		if _, err := ParseCollateral(b); reasonCodes(claims.Reasons(err, "")) != "bad-collateral" {
			t.Errorf("%s: %v", name, err)
		}
		if Hashes(&wire.Evidence{Collateral: b}) != nil {
			t.Errorf("%s has hashes", name)
		}
	}
	if items, err := ParseCollateral(nil); items != nil || err != nil {
		t.Error("nothing is no error here: the verifier says what is missing")
	}
}

// A piece that a kind has no use for is refused: nobody pays for bytes that nobody reads.
func TestCollateralOfAnotherKind(t *testing.T) {
	for kind, foreign := range map[wire.TeeKind]wire.CollateralKind{
		wire.TEE_KIND_TDX:     wire.COLLATERAL_KIND_SNP_CRL,
		wire.TEE_KIND_SGX:     wire.COLLATERAL_KIND_SNP_LEAF,
		wire.TEE_KIND_SEV_SNP: wire.COLLATERAL_KIND_ROOT_CRL,
	} {
		_, err := Check(&wire.Evidence{Kind: kind, Quote: []byte{1}, Collateral: packed(item(foreign, []byte{1}))}, Verifier{Roots: VendorRoots()})
		if reasonCodes(claims.Reasons(err, "")) != "bad-collateral" {
			t.Errorf("%s with %s: %v", kind, foreign, err)
		}
	}
}

func FuzzCollateral(f *testing.F) {
	f.Add(packed(item(1, []byte{1}), item(2, []byte{2})))
	f.Add(packed(&wire.CollateralItem{Kind: 1, Hash: make([]byte, 32)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := ParseCollateral(b)
		if err == nil && len(b) > 0 && !bytes.Equal(packed(items...), b) {
			t.Errorf("%x reads as another", b)
		}
	})
}
