package tee

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/azure/azuretest"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

// paravisor is a vTPM as Azure's: an NV index holds the HCL report, and the key behind the known handle is the one that the report names.
type paravisor struct {
	*chip
	hcl      []byte // other than the machine's, if not nil
	evidence azuretest.Evidence
}

func newParavisor(t *testing.T) *paravisor {
	p := &paravisor{chip: newChip()}
	p.more = func(code uint32, cmd []byte) ([]byte, bool) {
		be := binary.BigEndian
		switch {
		case code == ccNVReadPublic:
			size := len(p.report(t, nil).HclReport)
			public := be.AppendUint32(nil, hclIndex)
			public = append(public, 0, algSHA256, 0x40, 0x02, 0x00, 0x02, 0, 0) // hash, attributes, no policy
			public = be.AppendUint16(public, uint16(size))
			return append(prefixed(public), prefixed(make([]byte, 34))...), true
		case code == ccNVRead:
			n, at := be.Uint16(cmd[len(cmd)-4:]), be.Uint16(cmd[len(cmd)-2:])
			if be.Uint32(cmd[10:]) != rhOwner || be.Uint32(cmd[14:]) != hclIndex || n > nvBlock {
				t.Errorf("a read of %d bytes: %x", n, cmd)
			}
			return prefixed(p.report(t, nil).HclReport[at : at+n]), true
		case code == ccQuote && be.Uint32(cmd[10:]) == hclAK:
			q := p.report(t, cmd[29:29+be.Uint16(cmd[27:])]).Tpm
			return append(prefixed(q.Attest), q.Signature...), true
		}
		return nil, false
	}
	return p
}

// report is the machine's evidence over a nonce, with the PCRs as they are.
func (p *paravisor) report(t *testing.T, nonce []byte) *wire.AzureQuote {
	t.Helper()
	m := azuretest.New()
	m.SNP.SendMid = true
	m.Nonce = bytes.Clone(nonce)
	for i := range quotedPCRs {
		m.PCRs[i] = p.pcrs[i]
	}
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	p.evidence = e
	var q wire.AzureQuote
	if err := wire.Unmarshal(e.Quote, &q); err != nil {
		t.Fatal(err)
	}
	if p.hcl != nil {
		q.HclReport = p.hcl
	}
	return &q
}

// vouched is the evidence with what its maker publishes, and the network that believes this maker.
func vouched(ev *wire.Evidence, e azuretest.Evidence) (*wire.Evidence, *wire.NetworkParams) {
	ev.Collateral = wire.Marshal(&wire.Collateral{Items: []*wire.CollateralItem{
		{Kind: wire.COLLATERAL_KIND_SNP_LEAF, Data: e.Collateral.Leaf},
		{Kind: wire.COLLATERAL_KIND_SNP_INTERMEDIATE, Data: e.Collateral.Intermediate},
		{Kind: wire.COLLATERAL_KIND_SNP_CRL, Data: e.Collateral.CRL},
	}})
	return ev, &wire.NetworkParams{Development: true, DevelopmentRoots: []*wire.TrustedRoot{{Kind: wire.TEE_KIND_SEV_SNP, Certificate: e.Options.Roots[0].ARK}}}
}

// accepted is what the chain says of a worker whose evidence is ev: a policy that approves the program takes it whole.
func accepted(t *testing.T, id *wire.WorkerIdentity, ev *wire.Evidence, n *wire.NetworkParams) {
	t.Helper()
	c, err := attest.Check(ev, attest.Verifier{Time: sevsnptest.Now(), Roots: attest.RootsOf(n)})
	if err != nil {
		t.Fatal(err)
	}
	v := attest.Verify(attest.Input{
		Evidence: &wire.WorkerEvidence{Identity: id, Evidence: ev}, Network: n, ChainID: id.ChainId, GenesisHash: id.GenesisHash, Height: id.NonceHeight + 1, NonceHash: id.NonceHash,
		Policy: &wire.Policy{Role: id.Role, Kinds: []wire.TeeKind{ev.Kind}, MaxAgeBlocks: 10, WorstLevel: 1, Warnings: c.Warnings, Measurements: []*wire.Measurement{{Digest: c.Measurement}}},
		Time:   sevsnptest.Now(), Roots: attest.RootsOf(n),
	})
	if !v.Accepted {
		t.Errorf("refused: %v", v.Reasons)
	}
}

func testIdentity() *wire.WorkerIdentity {
	c := testConfig()
	return &wire.WorkerIdentity{
		ChainId: c.ChainID, GenesisHash: c.GenesisHash, Role: c.Role, IdentityKey: make([]byte, 32), SealingKey: make([]byte, 1216),
		Worker: &wire.WorkerRef{Operator: "pha1"}, NonceHeight: 5, NonceHash: make([]byte, 32),
	}
}

// What the guest makes of a vTPM's answers the chain accepts: report, key and quote belong together, and the configuration stands in PCR 15.
func TestAzureEvidence(t *testing.T) {
	p := newParavisor(t)
	if !hasHCL(p) {
		t.Error("it is not recognised")
	}
	if _, err := newAzure(p, testConfig()); err != nil {
		t.Fatal(err)
	}
	x, err := newAzure(p, testConfig())
	if err != nil {
		t.Fatalf("a second start with the same configuration: %v", err)
	}
	ev, err := x.Evidence(attest.ReportData(testIdentity()))
	if err != nil {
		t.Fatal(err)
	}
	ev, n := vouched(ev, p.evidence)
	accepted(t, testIdentity(), ev, n)
	if x.Kind() != wire.TEE_KIND_AZURE_SEV_SNP || x.Measurement() != nil {
		t.Error(x.Kind(), x.Measurement())
	}
	if _, err := x.Evidence(make([]byte, 48)); err == nil {
		t.Error("report data of 48 bytes is taken")
	}
}

func TestAzureRefusals(t *testing.T) {
	whole := newParavisor(t).report(t, nil).HclReport
	for name, c := range map[string]struct {
		spoil func(*paravisor)
		want  string
	}{
		"recorded by another": {func(p *paravisor) { p.pcrs[tpmRegister][5] = 1 }, "Start the machine anew"},
		"no such index":       {func(p *paravisor) { p.spoil = answering(ccNVReadPublic, 0x18b) }, "NV index 0x01400001: the TPM refuses with code 0x18b"},
		"another's index":     {func(p *paravisor) { p.hcl = make([]byte, 2600) }, "no confidential VM of Azure"},
		"a short index":       {func(p *paravisor) { p.hcl = whole[:1220] }, "no confidential VM of Azure"},
		"too large":           {func(p *paravisor) { p.hcl = make([]byte, maxHCL+1) }, "at most 8192"},
		"TDX": {func(p *paravisor) {
			p.hcl = bytes.Clone(whole)
			p.hcl[32+1184+8] = 4
		}, "report of kind 4, want 2"},
		"a read that is refused": {func(p *paravisor) { p.spoil = answering(ccNVRead, 0x149) }, "code 0x149"},
		"a read that is cut off": {func(p *paravisor) {
			p.spoil = func(code uint32, a []byte) []byte {
				if code == ccNVRead {
					a[15]-- // of the length in a TPM2B
				}
				return a
			}
		}, "cut off"},
	} {
		p := newParavisor(t)
		c.spoil(p)
		if _, err := newAzure(p, testConfig()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if hasHCL(&refusing{}) {
		t.Error("a TPM that answers nothing is taken for Azure's")
	}
}

// refusing is a TPM that knows no command.
type refusing struct{}

func (refusing) Write(b []byte) (int, error) { return len(b), nil }
func (refusing) Read(b []byte) (int, error) {
	return copy(b, []byte{0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x43}), nil
}

// answering has a chip answer a command with a code.
func answering(to uint32, rc uint16) func(uint32, []byte) []byte {
	return func(code uint32, a []byte) []byte {
		if code == to {
			a[8], a[9] = byte(rc>>8), byte(rc)
		}
		return a
	}
}
