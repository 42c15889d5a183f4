package azure_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/azure"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/wire"
)

// blob is bytes as recorders write them: hexadecimal, base64url, PEM, base64 or numbers.
type blob []byte

func (b *blob) UnmarshalJSON(j []byte) error {
	var numbers []uint16
	if json.Unmarshal(j, &numbers) == nil {
		for _, n := range numbers {
			*b = append(*b, byte(n))
		}
		return nil
	}
	var s string
	if err := json.Unmarshal(j, &s); err != nil {
		return err
	}
	if p, _ := pem.Decode([]byte(s)); p != nil {
		*b = p.Bytes
		return nil
	}
	out, err := hex.DecodeString(s)
	if s = strings.TrimRight(s, "="); err != nil {
		if out, err = base64.RawURLEncoding.DecodeString(s); err != nil {
			out, err = base64.RawStdEncoding.DecodeString(s)
		}
	}
	*b = out
	return err
}

type recordedQuote struct {
	Message, Signature blob
	PCRs               []blob
}

func (q recordedQuote) wire() *wire.TpmQuote {
	out := &wire.TpmQuote{Attest: q.Message, Signature: binary.BigEndian.AppendUint16([]byte{0, 0x14, 0, 0x0b}, uint16(len(q.Signature)))}
	out.Signature = append(out.Signature, q.Signature...)
	for i, v := range q.PCRs {
		out.Pcrs = append(out.Pcrs, &wire.TpmPcr{Index: uint32(i), Value: v})
	}
	return out
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded evidence to verify")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded is what real machines sent, accepted a day after their VCEK was certified. AMD's lists were not recorded.
func recorded(t *testing.T, name string) (*wire.AzureQuote, sevsnp.Collateral, sevsnp.Options) {
	t.Helper()
	var r struct {
		HCL      blob          `json:"hcl_report"`
		TPM      recordedQuote `json:"tpm_quote"`
		VCEK     blob          `json:"vcek"`
		OldHCL   blob          `json:"report"`
		OldQuote recordedQuote `json:"quote"`
	}
	if err := json.Unmarshal(read(t, name), &r); err != nil {
		t.Fatal(err)
	}
	if r.HCL == nil {
		r.HCL, r.TPM = r.OldHCL, r.OldQuote
	}
	leaf, err := x509.ParseCertificate(r.VCEK)
	if err != nil {
		t.Fatal(err)
	}
	return &wire.AzureQuote{HclReport: r.HCL, Tpm: r.TPM.wire()}, sevsnp.Collateral{Leaf: r.VCEK},
		sevsnp.Options{Now: leaf.NotBefore.Add(24 * time.Hour), Roots: sevsnp.AMD(), AllowMissingCRL: true}
}

func TestP15_Recorded(t *testing.T) {
	for name, nonce := range map[string]string{
		"snp/azure-evidence-v1.json":    hex.EncodeToString([]byte("challenge")),
		"snp/azure-evidence-genoa.json": "0218488bae25d2509232bf676f1a66a30d7372add909109b36016ef136f2938ca05475f8b46094de6b64270ea35d950f",
	} {
		q, c, o := recorded(t, name)
		got, err := azure.Verify(wire.Marshal(q), c, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if hex.EncodeToString(got.ReportData) != nonce || len(got.Measurement) != 48 || len(got.ChipID) != 64 || got.Debug || len(got.Register("PCR15")) != 32 {
			t.Errorf("%s: report data %x, measurement %x, chip %x, debug %v", name, got.ReportData, got.Measurement, got.ChipID, got.Debug)
		}
	}
}

// Quotes that other machines made do not come to be vouched for by a report.
func TestP15_RecordedOfAnotherMachine(t *testing.T) {
	q, c, o := recorded(t, "snp/azure-evidence-v1.json")
	other, _, _ := recorded(t, "snp/azure-evidence-genoa.json")
	q.Tpm = other.Tpm
	refused(t, wire.Marshal(q), c, o, "signature")

	q, c, o = recorded(t, "snp/azure-evidence-v1.json")
	var stray recordedQuote
	if err := json.Unmarshal(read(t, "tpm/azure-snp-tpm-quote-v1.json"), &stray); err != nil {
		t.Fatal(err)
	}
	q.Tpm = stray.wire()
	refused(t, wire.Marshal(q), c, o, "signature")

	q, c, o = recorded(t, "snp/azure-evidence-v1.json")
	q.HclReport = read(t, "tpm/azure-snp-hcl-report.bin")
	if _, err := azure.Verify(wire.Marshal(q), c, o); err == nil || !strings.Contains(err.Error(), "mismatch") {
		t.Errorf("a report of another chip: %v", err)
	}
}
