package dcap_test

import (
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

// The zero value of everything accepts nothing, and a missing piece is a refusal.
func TestNothing(t *testing.T) {
	ours := made(t, dcaptest.New("seed", 4, at))
	for _, c := range []struct {
		name   string
		change func(*dcaptest.Evidence)
		code   string
	}{
		{"no options", func(e *dcaptest.Evidence) { e.Options = dcap.Options{} }, "no-time"},
		{"no root", func(e *dcaptest.Evidence) { e.Options.Root = nil }, "no-root"},
		{"no collateral", func(e *dcaptest.Evidence) { e.Collateral = dcap.Collateral{} }, "collateral-missing"},
		{"no root CRL", func(e *dcaptest.Evidence) { e.Collateral.RootCRL = nil }, "collateral-missing"},
		{"no PCK CRL", func(e *dcaptest.Evidence) { e.Collateral.PCKCRL = nil }, "collateral-missing"},
		{"no quote", func(e *dcaptest.Evidence) { e.Quote = nil }, "malformed-quote"},
		{"long quote", func(e *dcaptest.Evidence) { e.Quote = make([]byte, dcap.MaxQuote+1) }, "malformed-quote"},
		{"long CRL", func(e *dcaptest.Evidence) { e.Collateral.RootCRL = make([]byte, dcap.MaxPart+1) }, "collateral-malformed"},
		{"trailing byte", func(e *dcaptest.Evidence) { e.Quote = append(e.Quote[:len(e.Quote):len(e.Quote)], 1) }, "malformed-quote"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := ours
			c.change(&e)
			expect(t, e, c.code, "")
		})
	}
}

// A quote that names its platform only needs the PCK chain beside it, and of that platform.
func TestLoosePCK(t *testing.T) {
	m := dcaptest.New("seed", 4, at)
	m.LoosePCK = true
	e := made(t, m)
	chain := e.Collateral.PCKChain
	e.Collateral.PCKChain = nil
	expect(t, e, "collateral-missing", "PCK chain")
	m.Chip = "another"
	e.Collateral.PCKChain = made(t, m).Collateral.PCKChain
	expect(t, e, "bad-signature", "QE report")
	within := made(t, dcaptest.New("seed", 4, at))
	within.Collateral.PCKChain = chain
	if _, err := verify(within); err != nil {
		t.Errorf("the same chain twice: %v", err)
	}
	within.Collateral.PCKChain = made(t, m).Collateral.PCKChain
	expect(t, within, "wrong-certificate", "PCK chain")
}

// The period of the claims is that of what ends first: exactly in it the evidence counts.
func TestPeriod(t *testing.T) {
	e := made(t, dcaptest.New("seed", 3, at))
	c, err := verify(e)
	if err != nil {
		t.Fatal(err)
	}
	if !c.NotBefore.Equal(at.Add(-10*day)) || !c.NotAfter.Equal(at.Add(20*day)) {
		t.Errorf("from %v to %v", c.NotBefore, c.NotAfter)
	}
	for _, p := range []struct {
		at time.Time
		ok bool
	}{{c.NotBefore, true}, {c.NotAfter, true}, {c.NotBefore.Add(-time.Second), false}, {c.NotAfter.Add(time.Second), false}} {
		e.Options.Now = p.at
		got, err := verify(e)
		if (err == nil) != p.ok || (err != nil && got.Status != claims.Unknown) {
			t.Errorf("at %v: %v", p.at, err)
		}
	}
}
