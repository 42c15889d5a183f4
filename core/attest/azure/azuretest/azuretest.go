// Package azuretest makes evidence of Azure's confidential VMs for tests: a report by package sevsnptest over the key of a vTPM, and that
// vTPM's quote, everything of them open to change and the same bytes each time. It must never be linked into a program.
package azuretest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

// Machine is what to make evidence of. New's is in order; a test changes what it is about.
type Machine struct {
	SNP   sevsnptest.Machine // its ReportData is filled in
	Nonce []byte             // of the quote
	PCRs  map[int][]byte     // that are quoted
	Bank  uint16             // TPM_ALG_ID

	// Runtime is the JSON; the key's modulus in base64url stands for %s in it.
	Runtime string
	// AKPublic is sent with the quote.
	AKPublic []byte
	// EditHCL changes the HCL report, EditAttest the quote before it is signed, EditQuote what is sent, EditData the report data.
	EditHCL    func(hcl []byte) []byte
	EditAttest func(attest []byte) []byte
	EditQuote  func(q *wire.AzureQuote)
	EditData   func(reportData *[64]byte)
}

// RuntimeJSON is what a paravisor writes, with room for the key.
const RuntimeJSON = `{"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"%s"},` +
	`{"kid":"HCLEkPub","key_ops":["encrypt"],"kty":"RSA","e":"AQAB","n":"AQAB"}],` +
	`"vm-configuration":{"console-enabled":true,"secure-boot":true,"tpm-enabled":true,"vmUniqueId":"machine"},"user-data":"00"}`

// New is a machine of the line Genoa in good order, all of whose PCRs 0 to 15 are quoted.
func New() Machine {
	m := Machine{SNP: sevsnptest.New(sevsnp.Genoa), Nonce: make([]byte, 64), PCRs: map[int][]byte{}, Bank: 0x000b, Runtime: RuntimeJSON}
	for i := range 16 {
		v := sha256.Sum256([]byte{byte(i)})
		m.PCRs[i] = v[:]
	}
	m.Nonce[0] = 1
	return m
}

// Evidence is what a machine sends, and the options under which New's is accepted.
type Evidence struct {
	Quote      []byte // AzureQuote
	Collateral sevsnp.Collateral
	Options    sevsnp.Options
}

// Make makes the evidence.
func (m Machine) Make() (Evidence, error) {
	ak, err := sevsnptest.Stranger.PrivateKey() // no authority in the chain: its key serves as the vTPM's
	if err != nil {
		return Evidence{}, fmt.Errorf("making the AK: %w", err)
	}
	report, e, err := m.Report(&ak.PublicKey)
	if err != nil {
		return Evidence{}, err
	}
	q := &wire.AzureQuote{HclReport: report, Tpm: &wire.TpmQuote{AkPublic: m.AKPublic}}
	if err := m.quote(ak, q.Tpm); err != nil {
		return Evidence{}, err
	}
	if m.EditQuote != nil {
		m.EditQuote(q)
	}
	e.Quote = wire.Marshal(q)
	return e, nil
}

// Report is the HCL report over the key of a vTPM, and what vouches for it; the Quote is left empty.
func (m Machine) Report(ak *rsa.PublicKey) ([]byte, Evidence, error) {
	runtime := []byte(strings.ReplaceAll(m.Runtime, "%s", base64.RawURLEncoding.EncodeToString(ak.N.Bytes())))
	h := sha256.Sum256(runtime)
	m.SNP.ReportData = [64]byte{}
	copy(m.SNP.ReportData[:], h[:])
	if m.EditData != nil {
		m.EditData(&m.SNP.ReportData)
	}
	snp, err := m.SNP.Make()
	if err != nil {
		return nil, Evidence{}, err
	}
	report := hcl(snp.Report, runtime)
	if m.EditHCL != nil {
		report = m.EditHCL(report)
	}
	return report, Evidence{Collateral: snp.Collateral, Options: snp.Options}, nil
}

// hcl is the HCL report as an NV index of 2600 bytes holds it.
func hcl(report, runtime []byte) []byte {
	le := binary.LittleEndian
	b := []byte("HCLA")
	for _, v := range []int{2, 32 + len(report) + 20 + len(runtime), 2, 0, 0, 0, 0} {
		b = le.AppendUint32(b, uint32(v))
	}
	b = append(b, report...)
	for _, v := range []int{20 + len(runtime), 1, 2, 1, len(runtime)} {
		b = le.AppendUint32(b, uint32(v))
	}
	b = append(b, runtime...)
	return append(b, make([]byte, max(0, 2600-len(b)))...)
}

// quote fills q: TPMS_ATTEST, TPMT_SIGNATURE by RSASSA with SHA-256, and the PCRs.
func (m Machine) quote(ak *rsa.PrivateKey, q *wire.TpmQuote) error {
	be := binary.BigEndian
	b := []byte("\xffTCG\x80\x18")
	sized := func(v []byte) { b = append(be.AppendUint16(b, uint16(len(v))), v...) }
	sized(append([]byte{0, 0x0b}, make([]byte, 32)...))
	sized(m.Nonce)
	b = append(b, make([]byte, 16)...)                 // clock, resetCount, restartCount
	b = append(b, 1)                                   // safe
	b = append(b, 0x20, 0x20, 3, 0x12, 0, 0x12, 0, 3)  // firmwareVersion
	b = be.AppendUint16(append(b, 0, 0, 0, 1), m.Bank) // one bank
	var bitmap [3]byte
	h := sha256.New()
	for i := range 24 {
		v, ok := m.PCRs[i]
		if !ok {
			continue
		}
		bitmap[i/8] |= 1 << (i % 8)
		h.Write(v)
		q.Pcrs = append(q.Pcrs, &wire.TpmPcr{Index: uint32(i), Value: v})
	}
	b = append(append(b, 3), bitmap[:]...)
	sized(h.Sum(nil))
	if m.EditAttest != nil {
		b = m.EditAttest(b)
	}
	q.Attest = b
	digest := sha256.Sum256(b)
	sig, err := rsa.SignPKCS1v15(nil, ak, crypto.SHA256, digest[:])
	if err != nil {
		return fmt.Errorf("signing the quote: %w", err)
	}
	q.Signature = append(be.AppendUint16([]byte{0, 0x14, 0, 0x0b}, uint16(len(sig))), sig...)
	return nil
}
