package attest

import (
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/nitro/nitrotest"
	"github.com/phala-go/phala/core/wire"
)

func TestCheckNitro(t *testing.T) {
	for kind, other := range map[wire.TeeKind]wire.TeeKind{
		wire.TEE_KIND_NITRO: wire.TEE_KIND_NITRO_TPM, wire.TEE_KIND_NITRO_TPM: wire.TEE_KIND_NITRO,
	} {
		m, err := nitrotest.New()
		if err != nil {
			t.Fatal(err)
		}
		m.TPM = kind == wire.TEE_KIND_NITRO_TPM
		doc, root, err := m.Document()
		if err != nil {
			t.Fatal(err)
		}
		network := &wire.NetworkParams{Development: true, DevelopmentRoots: []*wire.TrustedRoot{{Kind: wire.TEE_KIND_NITRO, Certificate: root}}}
		ours := Verifier{Time: m.Now, Roots: RootsOf(network)}
		crl := wire.Marshal(&wire.Collateral{Items: []*wire.CollateralItem{{Kind: wire.COLLATERAL_KIND_ROOT_CRL, Data: []byte{1}}}})
		for name, c := range map[string]struct {
			ev   *wire.Evidence
			v    Verifier
			code string
		}{
			"good":       {&wire.Evidence{Kind: kind, Quote: doc}, ours, ""},
			"other kind": {&wire.Evidence{Kind: other, Quote: doc}, ours, "wrong-kind"},
			"AWS":        {&wire.Evidence{Kind: kind, Quote: doc}, Verifier{Time: m.Now, Roots: VendorRoots()}, "wrong-root"},
			"nobody":     {&wire.Evidence{Kind: kind, Quote: doc}, Verifier{Time: m.Now}, "no-trust"},
			"collateral": {&wire.Evidence{Kind: kind, Quote: doc, Collateral: crl}, ours, "bad-collateral"},
			"cut":        {&wire.Evidence{Kind: kind, Quote: doc[:len(doc)-1]}, ours, "malformed"},
		} {
			got, err := Check(c.ev, c.v)
			code := ""
			if r := claims.Reasons(err, "?"); len(r) > 0 {
				code = r[0].Code
			}
			if code != c.code || (err == nil) != (len(got.Measurement) == 48) {
				t.Errorf("%s, %s: %v, want %q", kind, name, err, c.code)
			}
		}
	}
}
