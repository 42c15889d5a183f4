package tee

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/wire"
)

// Where a paravisor of Azure keeps what vouches for its vTPM. Source: Microsoft, Azure confidential VMs guest attestation design detail.
const (
	hclIndex = 0x01400001 // NV index with the HCL report
	hclAK    = 0x81000003 // handle of the vTPM's attestation key
	maxHCL   = 8 << 10    // bytes; more no verifier takes
)

// Azure is a confidential VM of Azure on SEV-SNP, whose paravisor runs a vTPM and has AMD's secure processor vouch for its key.
type Azure struct {
	unmeasured
	dev io.ReadWriter
}

// newAzure records the configuration in PCR 15 of the vTPM.
func newAzure(dev io.ReadWriter, c Config) (*Azure, error) {
	if _, err := hclReport(dev); err != nil {
		return nil, err
	}
	if err := record(tpmPCR{dev}, wire.TEE_KIND_AZURE_SEV_SNP, c); err != nil {
		return nil, err
	}
	return &Azure{dev: dev}, nil
}

// Kind is Azure's SEV-SNP.
func (*Azure) Kind() wire.TeeKind { return wire.TEE_KIND_AZURE_SEV_SNP }

// Evidence is the HCL report and a quote of the vTPM over the PCRs 0 to 15, whose nonce is the beginning of the report data. The report's
// certificates come from outside.
func (x *Azure) Evidence(reportData []byte) (*wire.Evidence, error) {
	if len(reportData) != reportDataSize {
		return nil, fmt.Errorf("report data of %d bytes: want %d", len(reportData), reportDataSize)
	}
	hcl, err := hclReport(x.dev)
	if err != nil {
		return nil, err
	}
	q, err := quotePCRs(x.dev, hclAK, attest.Carried(x.Kind(), reportData))
	if err != nil {
		return nil, err
	}
	return &wire.Evidence{Kind: x.Kind(), Quote: wire.Marshal(&wire.AzureQuote{HclReport: hcl, Tpm: q})}, nil
}

// hclReport reads the report, which the paravisor may have renewed, and tells an SEV-SNP machine from others of Azure's. Verifiers read the rest.
func hclReport(dev io.ReadWriter) ([]byte, error) {
	b, err := readNV(dev, hclIndex, maxHCL)
	if err != nil {
		return nil, fmt.Errorf("reading the HCL report in the vTPM's NV index 0x%08x: %w", hclIndex, err)
	}
	const kindAt = 32 + sevsnp.ReportSize + 8 // behind header and report: size, version, kind of report
	const snp = 2
	if len(b) < kindAt+4 || !bytes.HasPrefix(b, []byte("HCLA")) {
		return nil, fmt.Errorf("the NV index 0x%08x holds %d bytes that are no HCL report: this is no confidential VM of Azure", hclIndex, len(b))
	}
	if kind := binary.LittleEndian.Uint32(b[kindAt:]); kind != snp {
		return nil, fmt.Errorf("the HCL report holds a report of kind %d, want %d: only confidential VMs of Azure on SEV-SNP are supported", kind, snp)
	}
	return b, nil
}

// hasHCL is whether a TPM is the vTPM of a confidential VM of Azure.
func hasHCL(dev io.ReadWriter) bool {
	_, err := sizeNV(dev, hclIndex)
	return err == nil
}
