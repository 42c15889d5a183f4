package tpm_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/attest/tpm/tpmtest"
)

func code(err error) string {
	if r := claims.Reasons(err, "?"); len(r) > 0 {
		return r[0].Code
	}
	return ""
}

func made(t testing.TB, change func(*tpmtest.Machine)) (*tpmtest.Machine, tpmtest.Quote) {
	t.Helper()
	m := tpmtest.New()
	if change != nil {
		change(m)
	}
	q, err := m.Quote()
	if err != nil {
		t.Fatal(err)
	}
	return m, q
}

func verify(q tpmtest.Quote, nonce []byte) (*tpm.Quote, error) {
	return tpm.VerifyQuote(q.AK, q.Attest, q.Signature, &q.PCRs, nonce)
}

// Each scheme with each key and hash that a TPM may have.
func TestVerifyQuote(t *testing.T) {
	for name, change := range map[string]func(*tpmtest.Machine){
		"P-256":   nil,
		"P-384":   func(m *tpmtest.Machine) { m.Curve, m.Hash = 384, tpm.AlgSHA384 },
		"RSASSA":  func(m *tpmtest.Machine) { m.Scheme = tpm.AlgRSASSA },
		"RSAPSS":  func(m *tpmtest.Machine) { m.Scheme = tpm.AlgRSAPSS },
		"SHA-512": func(m *tpmtest.Machine) { m.Scheme, m.Hash = tpm.AlgRSASSA, tpm.AlgSHA512 },
		"SHA-384 bank": func(m *tpmtest.Machine) {
			m.Bank = tpm.AlgSHA384
			for i := range m.PCRs {
				if m.PCRs[i] != nil {
					m.PCRs[i] = make([]byte, sha512.Size384)
				}
			}
		},
	} {
		m, q := made(t, change)
		got, err := verify(q, m.Nonce)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Bank != m.Bank || len(got.Selected) != 16 || !got.Safe || !bytes.Equal(got.ExtraData, m.Nonce) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestP15_QuoteRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		change func(*tpmtest.Machine)
	}{
		"SHA-1 signature":  {"signature", func(m *tpmtest.Machine) { m.SignedHash = 4 }},
		"SHA-1 bank":       {"bank", func(m *tpmtest.Machine) { m.Bank = 4 }},
		"unrestricted":     {"ak-attributes", func(m *tpmtest.Machine) { m.Attributes &^= tpm.Restricted }},
		"imported":         {"ak-attributes", func(m *tpmtest.Machine) { m.Attributes &^= tpm.SensitiveDataOrigin }},
		"duplicable":       {"ak-attributes", func(m *tpmtest.Machine) { m.Attributes &^= tpm.FixedTPM }},
		"movable":          {"ak-attributes", func(m *tpmtest.Machine) { m.Attributes &^= tpm.FixedParent }},
		"decrypts":         {"ak-attributes", func(m *tpmtest.Machine) { m.Attributes |= tpm.Decrypt }},
		"reserved":         {"malformed", func(m *tpmtest.Machine) { m.Attributes |= 1 }},
		"other scheme":     {"signature", func(m *tpmtest.Machine) { m.Scheme, m.SignedScheme = tpm.AlgRSASSA, tpm.AlgRSAPSS }},
		"no quote":         {"malformed", func(m *tpmtest.Machine) { m.Type = 0x8017 }},
		"not of a TPM":     {"malformed", func(m *tpmtest.Machine) { m.Magic = 1 }},
		"values exchanged": {"pcr-digest", func(m *tpmtest.Machine) { m.Digest = make([]byte, 32) }},
	} {
		m, q := made(t, c.change)
		if _, err := verify(q, m.Nonce); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestP15_InputRefused(t *testing.T) {
	m, q := made(t, nil)
	_, other := made(t, nil)
	for name, c := range map[string]struct {
		code   string
		change func(*tpmtest.Quote)
	}{
		"other AK":     {"signature", func(q *tpmtest.Quote) { q.AK = other.AK }},
		"no AK":        {"malformed", func(q *tpmtest.Quote) { q.AK = nil }},
		"AK goes on":   {"malformed", func(q *tpmtest.Quote) { q.AK = append(bytes.Clone(q.AK), 0) }},
		"quote goes":   {"malformed", func(q *tpmtest.Quote) { q.Attest = append(bytes.Clone(q.Attest), 0) }},
		"signature on": {"malformed", func(q *tpmtest.Quote) { q.Signature = append(bytes.Clone(q.Signature), 0) }},
		"PCR missing":  {"pcr-missing", func(q *tpmtest.Quote) { q.PCRs[4] = nil }},
		"PCR short":    {"pcr-missing", func(q *tpmtest.Quote) { q.PCRs[4] = q.PCRs[4][:20] }},
		"PCR too many": {"pcr-not-quoted", func(q *tpmtest.Quote) { q.PCRs[23] = make([]byte, 32) }},
		"other value":  {"pcr-digest", func(q *tpmtest.Quote) { q.PCRs[4] = bytes.Repeat([]byte{9}, 32) }},
	} {
		x := q
		c.change(&x)
		if _, err := verify(x, m.Nonce); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	for name, nonce := range map[string][]byte{"none": nil, "other": []byte("x"), "longer": append(bytes.Clone(m.Nonce), 0)} {
		if _, err := verify(q, nonce); code(err) != "nonce" {
			t.Errorf("nonce %s: %v", name, err)
		}
	}
}

// Every byte, changed alone: refused. A padding of an RSA signature's or an ECDSA number's length is none that a TPM gives.
func TestP15_MutationOfQuote(t *testing.T) {
	for _, scheme := range []tpm.Alg{tpm.AlgECDSA, tpm.AlgRSASSA} {
		m, q := made(t, func(m *tpmtest.Machine) { m.Scheme = scheme })
		for name, part := range map[string]*[]byte{"AK": &q.AK, "quote": &q.Attest, "signature": &q.Signature, "PCR4": &q.PCRs[4]} {
			whole := *part
			for i := range whole {
				*part = bytes.Clone(whole)
				(*part)[i] ^= 1 << (i % 8)
				if _, err := verify(q, m.Nonce); err == nil && name != "AK" {
					t.Errorf("%s: byte %d of the %s changed: accepted", scheme, i, name)
				} else if p, e := tpm.ParsePublic(q.AK); err == nil && (e != nil || bytes.Equal(p.Name(), akName(t, whole))) {
					t.Errorf("%s: byte %d of the AK changed: accepted under the same name", scheme, i)
				}
			}
			*part = whole
		}
	}
}

func akName(t testing.TB, ak []byte) []byte {
	t.Helper()
	p, err := tpm.ParsePublic(ak)
	if err != nil {
		t.Fatal(err)
	}
	return p.Name()
}

func TestName(t *testing.T) {
	_, q := made(t, nil)
	h := sha256.Sum256(q.AK)
	if want := append([]byte{0, 0x0b}, h[:]...); !bytes.Equal(akName(t, q.AK), want) {
		t.Errorf("%x, want %x", akName(t, q.AK), want)
	}
}

// recorded are quotes of swtpm under two firmwares, with the nonce from the kernel's command line.
var recorded = []string{"own-swtpm-ovmf-serial.txt", "own-swtpm-seabios-serial.txt"}

func readSerial(t testing.TB, name string) (tpmtest.Quote, []byte) {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded quotes to verify")
	}
	b, err := os.ReadFile(filepath.Join(dir, "tpm", name))
	if err != nil {
		t.Fatal(err)
	}
	return serial(t, string(b))
}

func TestP15_RecordedQuotes(t *testing.T) {
	for _, name := range recorded {
		q, nonce := readSerial(t, name)
		got, err := verify(q, nonce)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Bank != tpm.AlgSHA256 || len(got.Selected) != 11 {
			t.Errorf("%s: %+v", name, got)
		}
		q.PCRs[11][0] ^= 1
		if _, err := verify(q, nonce); code(err) != "pcr-digest" {
			t.Errorf("%s with another PCR11: %v", name, err)
		}
	}
}

func serial(t testing.TB, text string) (q tpmtest.Quote, nonce []byte) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		if v, ok := strings.CutPrefix(word, "nonce="); ok {
			nonce, _ = hex.DecodeString(v)
		}
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		raw, err := base64.StdEncoding.DecodeString(value)
		switch {
		case name == "@@AK":
			q.AK = raw[2:] // printed as TPM2B_PUBLIC
		case name == "@@QUOTE":
			q.Attest = raw[2:]
		case name == "@@SIG":
			q.Signature = raw
		case strings.HasPrefix(name, "@@PCR"):
			var n int
			if n, err = strconv.Atoi(name[5:]); err == nil {
				q.PCRs[n], err = hex.DecodeString(value)
			}
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return q, nonce
}

func FuzzVerify(f *testing.F) {
	m, q := made(f, nil)
	f.Add(q.AK, q.Attest, q.Signature)
	_, rsa := made(f, func(m *tpmtest.Machine) { m.Scheme = tpm.AlgRSAPSS })
	f.Add(rsa.AK, rsa.Attest, rsa.Signature)
	f.Fuzz(func(t *testing.T, ak, attest, signature []byte) {
		x, err := tpm.VerifyQuote(ak, attest, signature, &q.PCRs, m.Nonce)
		if err == nil && (!bytes.Equal(x.PCRDigest, q.Attest[len(q.Attest)-32:]) || !bytes.Equal(x.ExtraData, m.Nonce)) {
			t.Error("other values were accepted")
		}
	})
}
