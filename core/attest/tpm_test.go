package attest

import (
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/attest/tpm/tpmtest"
	"github.com/phala-go/phala/core/wire"
)

// A TPM counts where a development network names its key or the authority that certified it, and under a policy that names its kind.
func TestTPM(t *testing.T) {
	authority, err := tpmtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	q, err := tpmtest.New().Quote()
	if err != nil {
		t.Fatal(err)
	}
	ak, err := tpm.ParsePublic(q.AK)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := authority.Chain(q.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	name := &wire.TrustedRoot{Kind: wire.TEE_KIND_TPM, AkName: ak.Name()}
	root := &wire.TrustedRoot{Kind: wire.TEE_KIND_TPM, Certificate: authority.Root}
	withChain := &wire.Collateral{Items: []*wire.CollateralItem{{Kind: wire.COLLATERAL_KIND_TPM_AK_CHAIN, Data: chain}}}
	for what, c := range map[string]struct {
		code        string
		development bool
		roots       []*wire.TrustedRoot
		collateral  *wire.Collateral
	}{
		"by name":              {"", true, []*wire.TrustedRoot{name}, nil},
		"by chain":             {"", true, []*wire.TrustedRoot{root}, withChain},
		"both":                 {"", true, []*wire.TrustedRoot{name, root}, withChain},
		"production":           {"wrong-root", false, []*wire.TrustedRoot{name, root}, withChain},
		"nobody named":         {"wrong-root", true, nil, withChain},
		"an authority, no AK":  {"unknown-ak", true, []*wire.TrustedRoot{root}, nil},
		"another kind's root":  {"wrong-root", true, []*wire.TrustedRoot{{Kind: wire.TEE_KIND_NITRO, Certificate: authority.Root}}, withChain},
		"another's collateral": {"bad-collateral", true, []*wire.TrustedRoot{name}, &wire.Collateral{Items: []*wire.CollateralItem{{Kind: wire.COLLATERAL_KIND_SNP_LEAF, Data: chain}}}},
	} {
		network := &wire.NetworkParams{Development: c.development, DevelopmentRoots: c.roots}
		ev := &wire.Evidence{Kind: wire.TEE_KIND_TPM, Quote: q.Wire()}
		if c.collateral != nil {
			ev.Collateral = wire.Marshal(c.collateral)
		}
		got, err := Check(ev, Verifier{Time: tpmtest.Now(), Roots: RootsOf(network)})
		var code string
		if r := claims.Reasons(err, "?"); len(r) > 0 {
			code = r[0].Code
		}
		if code != c.code {
			t.Errorf("%s: %v, want %q", what, err, c.code)
		}
		if err != nil {
			continue
		}
		policy := &wire.Policy{Kinds: []wire.TeeKind{wire.TEE_KIND_TPM}, WorstLevel: 1, Measurements: []*wire.Measurement{{Digest: got.Measurement}}}
		if level, reasons := Validate(wire.TEE_KIND_TPM, &got, policy, network, 1); level != 1 || len(reasons) > 0 {
			t.Errorf("%s: level %d, %v", what, level, reasons)
		}
		for code, change := range map[string]func(p *wire.Policy, n *wire.NetworkParams){
			"kind-not-allowed":    func(p *wire.Policy, _ *wire.NetworkParams) { p.Kinds = []wire.TeeKind{wire.TEE_KIND_TDX} },
			"no-tee":              func(_ *wire.Policy, n *wire.NetworkParams) { n.Development = false },
			"unknown-measurement": func(p *wire.Policy, _ *wire.NetworkParams) { p.Measurements = nil },
		} {
			p := &wire.Policy{Kinds: policy.Kinds, WorstLevel: 1, Measurements: policy.Measurements}
			n := &wire.NetworkParams{Development: true}
			change(p, n)
			if _, reasons := Validate(wire.TEE_KIND_TPM, &got, p, n, 1); len(reasons) != 1 || reasons[0].Code != code {
				t.Errorf("%s: %v, want %s", what, reasons, code)
			}
		}
	}
}
