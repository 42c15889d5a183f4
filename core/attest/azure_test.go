package attest

import (
	"bytes"
	"testing"

	"github.com/phala-go/phala/core/attest/azure/azuretest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

func TestCheckAzure(t *testing.T) {
	m := azuretest.New()
	m.SNP.SendMid = true
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	items := []*wire.CollateralItem{
		{Kind: wire.COLLATERAL_KIND_SNP_LEAF, Data: e.Collateral.Leaf},
		{Kind: wire.COLLATERAL_KIND_SNP_INTERMEDIATE, Data: e.Collateral.Intermediate},
		{Kind: wire.COLLATERAL_KIND_SNP_CRL, Data: e.Collateral.CRL},
	}
	ev := &wire.Evidence{Kind: wire.TEE_KIND_AZURE_SEV_SNP, Quote: e.Quote, Collateral: wire.Marshal(&wire.Collateral{Items: items})}
	network := &wire.NetworkParams{Development: true, DevelopmentRoots: []*wire.TrustedRoot{{Kind: wire.TEE_KIND_SEV_SNP, Certificate: e.Options.Roots[0].ARK}}}
	c, err := Check(ev, Verifier{Time: sevsnptest.Now(), Roots: RootsOf(network)})
	if err != nil || !bytes.Equal(c.ReportData, m.Nonce) {
		t.Errorf("report data %x: %v", c.ReportData, err)
	}
	if _, err := Check(ev, Verifier{Time: sevsnptest.Now(), Roots: VendorRoots()}); err == nil {
		t.Error("AMD vouches for a key of ours")
	}
	ev.Kind = wire.TEE_KIND_SEV_SNP
	if _, err := Check(ev, Verifier{Time: sevsnptest.Now(), Roots: RootsOf(network)}); err == nil {
		t.Error("an AzureQuote was a report")
	}
	items[1].Kind = wire.COLLATERAL_KIND_PCK_CRL
	items[0], items[1] = items[1], items[0]
	ev.Kind, ev.Collateral = wire.TEE_KIND_AZURE_SEV_SNP, wire.Marshal(&wire.Collateral{Items: items})
	if _, err := Check(ev, Verifier{Time: sevsnptest.Now(), Roots: RootsOf(network)}); err == nil || claims.Reasons(err, "")[0].Code != "bad-collateral" {
		t.Errorf("Intel's CRL: %v", err)
	}
}
