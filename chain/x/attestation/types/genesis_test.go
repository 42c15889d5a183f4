package types

import (
	"errors"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func digest(n int) []byte { return make([]byte, n) }

func TestPolicyIsRefused(t *testing.T) {
	good := func() *wire.Policy {
		return &wire.Policy{
			Role: wire.ROLE_EXECUTOR, MaxAgeBlocks: 1, WorstLevel: 1, Kinds: []wire.TeeKind{wire.TEE_KIND_TDX},
			Measurements: []*wire.Measurement{{Digest: digest(48)}, {Digest: digest(32)}},
		}
	}
	if err := ValidatePolicy(&wire.NetworkParams{}, good()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*wire.Policy)
		words  string
	}{
		"role":          {func(p *wire.Policy) { p.Role = 0 }, "ROLE_UNSPECIFIED"},
		"age":           {func(p *wire.Policy) { p.MaxAgeBlocks = 0 }, "max_age_blocks 0"},
		"endless age":   {func(p *wire.Policy) { p.MaxAgeBlocks = 1 << 63 }, "max_age_blocks"},
		"unknown kind":  {func(p *wire.Policy) { p.Kinds[0] = 99 }, "unknown TEE kind 99"},
		"kind twice":    {func(p *wire.Policy) { p.Kinds = append(p.Kinds, p.Kinds[0]) }, "twice"},
		"simulated":     {func(p *wire.Policy) { p.Kinds[0] = wire.TEE_KIND_SIMULATED }, "development"},
		"short digest":  {func(p *wire.Policy) { p.Measurements[0].Digest = digest(31) }, "31 bytes"},
		"digest twice":  {func(p *wire.Policy) { p.Measurements[0].Digest = digest(32) }, "twice"},
		"commit":        {func(p *wire.Policy) { p.Measurements[0].SourceCommit = strings.Repeat("f", 65) }, "65 bytes"},
		"many programs": {func(p *wire.Policy) { p.Measurements = make([]*wire.Measurement, 65) }, "at most 64"},
	} {
		p := good()
		c.change(p)
		if err := ValidatePolicy(&wire.NetworkParams{}, p); !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := good()
	p.Kinds[0] = wire.TEE_KIND_SIMULATED
	if err := ValidatePolicy(&wire.NetworkParams{Development: true}, p); err != nil {
		t.Errorf("simulated in development: %v", err)
	}
}

func TestGenesisIsRefused(t *testing.T) {
	if err := DefaultGenesis().Validate(); err != nil {
		t.Error(err)
	}
	if DefaultGenesis().Network.Development {
		t.Error("the default genesis is for development")
	}
	p := &wire.Policy{Role: wire.ROLE_EXECUTOR, MaxAgeBlocks: 1, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}}
	for name, g := range map[string]*GenesisState{
		"no network":          {},
		"empty collateral":    {Network: &wire.NetworkParams{}, Collateral: []*Collateral{{KeptUntil: 1}}},
		"collateral for ever": {Network: &wire.NetworkParams{}, Collateral: []*Collateral{{Data: []byte{1}}}},
		"simulated":           {Network: &wire.NetworkParams{}, Policies: []*wire.Policy{p}},
		"short AK name":       named(&wire.TrustedRoot{Kind: wire.TEE_KIND_TPM, AkName: digest(32)}),
		"nobody":              named(&wire.TrustedRoot{Kind: wire.TEE_KIND_TPM}),
		"AK of another kind":  named(&wire.TrustedRoot{Kind: wire.TEE_KIND_TDX, AkName: digest(34)}),
		"AK in production":    {Network: &wire.NetworkParams{DevelopmentRoots: []*wire.TrustedRoot{{Kind: wire.TEE_KIND_TPM, AkName: digest(34)}}}},
		"role twice":          {Network: &wire.NetworkParams{Development: true}, Policies: []*wire.Policy{p, p}},
	} {
		if g.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := named(&wire.TrustedRoot{Kind: wire.TEE_KIND_TPM, AkName: digest(34)}).Validate(); err != nil {
		t.Errorf("a TPM's key: %v", err)
	}
}

// named is a development genesis that believes r.
func named(r *wire.TrustedRoot) *GenesisState {
	return &GenesisState{Network: &wire.NetworkParams{Development: true, DevelopmentRoots: []*wire.TrustedRoot{r}}}
}
