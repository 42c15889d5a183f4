package azure_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/azure"
	"github.com/phala-go/phala/core/attest/azure/azuretest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

func made(t testing.TB, m azuretest.Machine) azuretest.Evidence {
	t.Helper()
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func refused(t *testing.T, quote []byte, c sevsnp.Collateral, o sevsnp.Options, code string) {
	t.Helper()
	got, err := azure.Verify(quote, c, o)
	if err == nil {
		t.Errorf("accepted, want %s", code)
		return
	}
	if r := claims.Reasons(err, "")[0]; r.Code != code {
		t.Errorf("%v, want %s", err, code)
	}
	if got.Measurement != nil || got.ReportData != nil {
		t.Errorf("refused, and yet claims %x", got.Measurement)
	}
}

func TestAccepted(t *testing.T) {
	m := azuretest.New()
	e := made(t, m)
	c, err := azure.Verify(e.Quote, e.Collateral, e.Options)
	if err != nil {
		t.Fatal(err)
	}
	h := sha512.New384()
	h.Write([]byte("phala/azure-measurement/v1"))
	h.Write(m.SNP.Measurement[:])
	for _, i := range []int{4, 8, 9, 11, 12, 13, 14} {
		h.Write([]byte{byte(i)})
		h.Write(m.PCRs[i])
	}
	if !bytes.Equal(c.Measurement, h.Sum(nil)) || !bytes.Equal(c.ReportData, m.Nonce) || !bytes.Equal(c.ChipID, m.SNP.ChipID) {
		t.Errorf("measurement %x, report data %x, chip %x", c.Measurement, c.ReportData, c.ChipID)
	}
	if !bytes.Equal(c.Register("PCR15"), m.PCRs[15]) || !bytes.Equal(c.Register("MEASUREMENT"), m.SNP.Measurement[:]) || c.Status != claims.UpToDate {
		t.Errorf("registers %v, status %s", c.Registers, c.Status)
	}
	if v, ok := c.Version("vtpm-firmware"); !ok || v != 0x2020031200120003 {
		t.Errorf("firmware of the vTPM %#x", v)
	}
	m.SNP.Policy |= sevsnp.PolicyDebug
	e = made(t, m)
	if c, err := azure.Verify(e.Quote, e.Collateral, e.Options); err != nil || !c.Debug {
		t.Errorf("debug %v: %v", c.Debug, err)
	}
}

func TestP15_Refused(t *testing.T) {
	pad := func(n int) func([]byte) []byte {
		return func(b []byte) []byte { return b[:n] }
	}
	put := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
	}
	const rt = 32 + sevsnp.ReportSize
	for name, c := range map[string]struct {
		code string
		edit func(m *azuretest.Machine)
	}{
		"report of a guest's level": {"vmpl", func(m *azuretest.Machine) { m.SNP.VMPL = 1 }},
		"other runtime data":        {"runtime-data", func(m *azuretest.Machine) { m.EditData = func(d *[64]byte) { d[0]++ } }},
		"report data after it":      {"runtime-data", func(m *azuretest.Machine) { m.EditData = func(d *[64]byte) { d[63]++ } }},
		"revoked chip":              {"revoked", func(m *azuretest.Machine) { m.SNP.CRL.Revoked = []int64{sevsnptest.SerialLeaf} }},

		"no HCL report":   {"malformed", func(m *azuretest.Machine) { m.EditHCL = pad(0) }},
		"short":           {"malformed", func(m *azuretest.Machine) { m.EditHCL = pad(rt + 20) }},
		"runtime cut off": {"malformed", func(m *azuretest.Machine) { m.EditHCL = pad(rt + 40) }},
		"too long": {"malformed", func(m *azuretest.Machine) {
			m.EditHCL = func(b []byte) []byte { return append(b, make([]byte, 8<<10)...) }
		}},
		"no HCLA":       {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(0, 1) }},
		"version":       {"unknown-version", func(m *azuretest.Machine) { m.EditHCL = put(4, 3) }},
		"size":          {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(8, 2600) }},
		"request":       {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(12, 1) }},
		"status":        {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(16, 1) }},
		"reserved":      {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(28, 1) }},
		"runtime size":  {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(rt, 1) }},
		"runtime of 0":  {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(rt+16, 0) }},
		"runtime wrap":  {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(rt+16, 0xffffffff) }},
		"TDX":           {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(rt+8, 4) }},
		"hash":          {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(rt+12, 2) }},
		"no SNP report": {"unknown-version", func(m *azuretest.Machine) { m.EditHCL = put(32, 9) }},
		"padding":       {"malformed", func(m *azuretest.Machine) { m.EditHCL = put(2596, 1) }},

		"no quote":       {"no-quote", func(m *azuretest.Machine) { m.EditQuote = func(q *wire.AzureQuote) { q.Tpm = nil } }},
		"empty quote":    {"no-quote", func(m *azuretest.Machine) { m.EditAttest = pad(0) }},
		"quote cut off":  {"malformed", func(m *azuretest.Machine) { m.EditAttest = pad(90) }},
		"no nonce":       {"nonce", func(m *azuretest.Machine) { m.Nonce = nil }},
		"long nonce":     {"nonce", func(m *azuretest.Machine) { m.Nonce = make([]byte, 65) }},
		"SHA-1":          {"bank", func(m *azuretest.Machine) { m.Bank = 4 }},
		"without PCR4":   {"pcr-missing", func(m *azuretest.Machine) { delete(m.PCRs, 4) }},
		"without PCR15":  {"pcr-missing", func(m *azuretest.Machine) { delete(m.PCRs, 15) }},
		"value of a PCR": {"pcr-digest", func(m *azuretest.Machine) { m.EditQuote = func(q *wire.AzureQuote) { q.Tpm.Pcrs[3].Value[0]++ } }},
		"PCR twice": {"malformed", func(m *azuretest.Machine) {
			m.EditQuote = func(q *wire.AzureQuote) { q.Tpm.Pcrs[3].Index = 2 }
		}},
		"PCR24": {"malformed", func(m *azuretest.Machine) {
			m.EditQuote = func(q *wire.AzureQuote) { q.Tpm.Pcrs[15].Index = 24 }
		}},
		"PCR of no bytes": {"malformed", func(m *azuretest.Machine) { m.EditQuote = func(q *wire.AzureQuote) { q.Tpm.Pcrs[3].Value = nil } }},
		"PCR not quoted": {"pcr-not-quoted", func(m *azuretest.Machine) {
			m.EditQuote = func(q *wire.AzureQuote) {
				q.Tpm.Pcrs = append(q.Tpm.Pcrs, &wire.TpmPcr{Index: 20, Value: make([]byte, 32)})
			}
		}},
		"signature":    {"signature", func(m *azuretest.Machine) { m.EditQuote = func(q *wire.AzureQuote) { q.Tpm.Signature[20]++ } }},
		"no signature": {"malformed", func(m *azuretest.Machine) { m.EditQuote = func(q *wire.AzureQuote) { q.Tpm.Signature = nil } }},
		"another AK":   {"wrong-ak", func(m *azuretest.Machine) { m.AKPublic = area(3) }},
		"no AK":        {"malformed", func(m *azuretest.Machine) { m.AKPublic = []byte{0, 9, 2} }},
	} {
		t.Run(name, func(t *testing.T) {
			m := azuretest.New()
			c.edit(&m)
			e := made(t, m)
			refused(t, e.Quote, e.Collateral, e.Options, c.code)
		})
	}
	e := made(t, azuretest.New())
	refused(t, append(e.Quote, 0), e.Collateral, e.Options, "malformed")
	refused(t, e.Quote, e.Collateral, sevsnp.Options{}, "no-trust")
	e.Options.Now = e.Options.Now.Add(100 * 365 * 24 * time.Hour)
	refused(t, e.Quote, e.Collateral, e.Options, "expired")
}

// area is a TPMT_PUBLIC of an RSA key that signs by RSASSA with SHA-256, with that last byte of the modulus; 0 takes the AK's own key.
func area(last byte) []byte {
	n := bytes.Repeat([]byte{0xff}, 256)
	n[255] = last
	if last == 0 {
		k, err := sevsnptest.Stranger.PrivateKey()
		if err != nil {
			panic(err)
		}
		n = k.N.Bytes()
	}
	return append([]byte{0, 1, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0b, 8, 0, 0, 0, 0, 0, 1, 0}, n...)
}

func TestSentKeyMayBeTheSame(t *testing.T) {
	m := azuretest.New()
	m.AKPublic = area(0)
	e := made(t, m)
	if _, err := azure.Verify(e.Quote, e.Collateral, e.Options); err != nil {
		t.Error(err)
	}
}

func TestRuntimeData(t *testing.T) {
	const key = `{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"%s"}`
	with := func(old, new string) string { return `{"keys":[` + strings.Replace(key, old, new, 1) + `]}` }
	for text, code := range map[string]string{
		`{"keys":[` + key + `]}`:                               "",
		` {"new":{"a":[1,null,true]},"keys":[1,` + key + `]} `: "",
		`{"keys":[` + key + `,` + key + `]}`:                   "malformed",
		`{"keys":[` + key + `],"keys":[]}`:                     "malformed",
		`{"Keys":[` + key + `]}`:                               "malformed",
		`{"keys":[` + key + `]}{}`:                             "malformed",
		`{"keys":[` + key + `],"x":"` + "\xff" + `"}`:          "malformed",
		`{"keys":[` + key + `],"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`:     "malformed",
		`{"keys":[` + key + `],"x":` + strings.Repeat(`{"a":`, 8) + `1` + strings.Repeat("}", 9): "malformed",
		`{"keys":[` + key + `],1:2}`:               "malformed",
		`{"keys":[` + key + `],"a":`:               "malformed",
		`{"keys":[` + key:                          "malformed",
		`{"keys":[` + key + `]`:                    "malformed",
		`{"keys":[` + key + `],"x":{"a":1,"a":1}}`: "malformed",
		`{"keys":[` + key + `],"x":[1,]}`:          "malformed",
		`[]`:                                       "malformed",
		`{"keys":{}}`:                              "malformed",
		`{"keys":[]}`:                              "no-ak",
		with("HCLAkPub", "hclakpub"):               "no-ak",
		with("RSA", "EC"):                          "malformed",
		with(`["sign"]`, `["encrypt"]`):            "malformed",
		with(`["sign"]`, `[]`):                     "malformed",
		with(`["sign"]`, `"sign"`):                 "malformed",
		with(`"kty"`, `"kid":"x","kty"`):           "malformed",
		with(`"AQAB"`, `65537`):                    "malformed",
		with(`AQAB`, `AQAB\n`):                     "malformed",
		with(`AQAB`, `AAEAAQ`):                     "malformed",
		with(`AQAB`, `Aw`):                         "ak-unsupported",
		with(`%s`, `AQAB`):                         "ak-unsupported",
		with(`%s`, `%s=`):                          "malformed",
		with(`%s`, ``):                             "malformed",
	} {
		m := azuretest.New()
		m.Runtime = text
		e := made(t, m)
		if code != "" {
			t.Log(text)
			refused(t, e.Quote, e.Collateral, e.Options, code)
		} else if _, err := azure.Verify(e.Quote, e.Collateral, e.Options); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// No byte of the evidence may change and leave it accepted with other content.
func TestP15_Mutation(t *testing.T) {
	e := made(t, azuretest.New())
	want, err := azure.Verify(e.Quote, e.Collateral, e.Options)
	if err != nil {
		t.Fatal(err)
	}
	for i := range e.Quote {
		b := slices.Clone(e.Quote)
		b[i] ^= 1 << (i % 8)
		c, err := azure.Verify(b, e.Collateral, e.Options)
		if err == nil && (!bytes.Equal(c.Measurement, want.Measurement) || !bytes.Equal(c.ReportData, want.ReportData)) {
			t.Fatalf("byte %d: accepted with other content", i)
		}
		if err == nil {
			t.Errorf("byte %d: accepted", i)
		}
	}
}

func FuzzVerify(f *testing.F) {
	e := made(f, azuretest.New())
	f.Add(e.Quote)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := azure.Verify(b, e.Collateral, e.Options); err == nil && !bytes.Equal(b, e.Quote) {
			t.Error("accepted what was not made")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	m := azuretest.New()
	m.SNP.FullSize = true
	e := made(b, m)
	for b.Loop() {
		if _, err := azure.Verify(e.Quote, e.Collateral, e.Options); err != nil {
			b.Fatal(err)
		}
	}
}
