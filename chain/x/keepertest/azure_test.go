package keepertest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/azure"
	"github.com/phala-go/phala/core/attest/azure/azuretest"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

// A confidential VM of Azure registers by its paravisor's report and its vTPM's quote, whose nonce is the beginning of the report data; with
// another nonce or another configuration it does not (P15).
func TestP15_Azure(t *testing.T) {
	app.Configure()
	m := azuretest.New()
	m.SNP.SendMid = true
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	c, err := azure.Verify(e.Quote, e.Collateral, e.Options)
	if err != nil {
		t.Fatal(err)
	}
	warnings, err := json.Marshal(append([]string{}, c.Warnings...))
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	state := fmt.Sprintf(`{"attestation":{"network":{"development":true,"development_roots":[{"kind":"TEE_KIND_SEV_SNP","certificate":%q}]},
		"policies":[{"role":"ROLE_EXECUTOR","kinds":["TEE_KIND_AZURE_SEV_SNP"],"max_age_blocks":"400","worst_level":1,"warnings":%s,"measurements":[{"digest":%q}]}]}}`,
		b64(e.Options.Roots[0].ARK), warnings, b64(c.Measurement))
	w := &tpmWorld{world: &world{apptest.New(t, apptest.Options{Accounts: 3, Development: true, AppState: json.RawMessage(state), Time: sevsnptest.Now()}), t}}
	message := func(b *boot, change func(*azuretest.Machine)) *workertypes.MsgRegisterWorker {
		id, m := w.identity(b), azuretest.New()
		m.SNP.SendMid = true
		m.Nonce = attest.ReportData(id)[:attest.AzureNonce]
		_, m.PCRs[15] = attest.RuntimeRegister(wire.TEE_KIND_AZURE_SEV_SNP, attest.RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
		change(&m)
		e, err := m.Make()
		w.check(err)
		ev := &wire.Evidence{Kind: wire.TEE_KIND_AZURE_SEV_SNP, Quote: e.Quote, Collateral: wire.Marshal(&wire.Collateral{Items: []*wire.CollateralItem{
			{Kind: wire.COLLATERAL_KIND_SNP_LEAF, Data: e.Collateral.Leaf},
			{Kind: wire.COLLATERAL_KIND_SNP_INTERMEDIATE, Data: e.Collateral.Intermediate},
			{Kind: wire.COLLATERAL_KIND_SNP_CRL, Data: e.Collateral.CRL},
		}})}
		return &workertypes.MsgRegisterWorker{Operator: b.ref.Operator, Evidence: &wire.WorkerEvidence{Identity: id, Evidence: ev}, Endpoint: endpoint}
	}
	for codes, change := range map[string]func(*azuretest.Machine){
		"report-data":         func(m *azuretest.Machine) { m.Nonce = append(m.Nonce, make([]byte, 16)...) },
		"runtime-config":      func(m *azuretest.Machine) { m.PCRs[15] = make([]byte, 32) },
		"unknown-measurement": func(m *azuretest.Machine) { m.PCRs[11] = make([]byte, 32) },
		"vmpl":                func(m *azuretest.Machine) { m.SNP.VMPL = 1 },
	} {
		w.mustRefuse(message(newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, codes), change), codes)
	}
	b := newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, "azure")
	w.event(w.MustDeliver(w.Accounts[0], message(b, func(*azuretest.Machine) {})), workertypes.EventRegistered,
		workertypes.AttributeKind, "TEE_KIND_AZURE_SEV_SNP", workertypes.AttributeLevel, "1", workertypes.AttributeStatus, "UpToDate")
}
