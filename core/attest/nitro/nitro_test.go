package nitro_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"reflect"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/nitro"
	"github.com/phala-go/phala/core/attest/nitro/nitrotest"
)

// made is a document, and options that accept it if it is in order.
func made(t testing.TB, change func(*nitrotest.Machine)) ([]byte, nitro.Options) {
	t.Helper()
	m, err := nitrotest.New()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(m)
	}
	doc, root, err := m.Document()
	if err != nil {
		t.Fatal(err)
	}
	return doc, nitro.Options{Now: m.Now, Root: root}
}

func key(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVerify(t *testing.T) {
	doc, o := made(t, func(m *nitrotest.Machine) {
		m.Nonce, m.PublicKey, m.UserData = []byte("nonce"), []byte("key"), bytes.Repeat([]byte{7}, 64)
	})
	o.Nonce = []byte("nonce")
	got, err := nitro.Verify(doc, o)
	if err != nil {
		t.Fatal(err)
	}
	pcr0 := sha512.Sum384([]byte{0})
	if !bytes.Equal(got.Measurement, pcr0[:]) || got.Debug || string(got.ChipID) != "i-0123456789abcdef0" || len(got.Registers) != 16 {
		t.Errorf("%+v", got)
	}
	if !got.NotBefore.Equal(o.Now.Add(-time.Hour)) || !got.NotAfter.Equal(o.Now.Add(2*time.Hour)) {
		t.Errorf("in force %s to %s", got.NotBefore, got.NotAfter)
	}
	d, err := nitro.Parse(doc)
	if err != nil || string(d.PublicKey) != "key" || string(d.Nonce) != "nonce" || d.TPM {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestAccepts(t *testing.T) {
	for name, change := range map[string]func(*nitrotest.Machine){
		"closed map":       func(m *nitrotest.Machine) { m.Closed = true },
		"no user data":     func(m *nitrotest.Machine) { m.UserData = nil },
		"empty nonce":      func(m *nitrotest.Machine) { m.Nonce = []byte{} },
		"two certificates": func(m *nitrotest.Machine) { m.Chain = m.Chain[:2] },
		"short of members": func(m *nitrotest.Machine) { m.Payload = func(x []nitrotest.Member) []nitrotest.Member { return x[:6] } },
		"pathlen 1":        func(m *nitrotest.Machine) { m.Chain[1].Edit = func(c *x509.Certificate) { c.MaxPathLen = 1 } },
		"name of another":  func(m *nitrotest.Machine) { m.ModuleID = "machine" },
	} {
		doc, o := made(t, change)
		if _, err := nitro.Verify(doc, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := nitro.Verify(append([]byte{0xd2}, doc...), o); err != nil {
			t.Errorf("%s with its tag: %v", name, err)
		}
	}
}

func TestP15_Debug(t *testing.T) {
	doc, o := made(t, func(m *nitrotest.Machine) { m.PCRs[0] = make([]byte, 48) })
	if got, err := nitro.Verify(doc, o); err != nil || !got.Debug {
		t.Errorf("debug %v, %v", got.Debug, err)
	}
}

func TestNitroTPM(t *testing.T) {
	var seen [][]byte
	for i := range 16 { // from zero on: each PCR alone
		doc, o := made(t, func(m *nitrotest.Machine) {
			m.TPM, m.PCRs = true, map[int][]byte{}
			for p := range 24 {
				m.PCRs[p] = make([]byte, 48)
			}
			if i > 0 {
				m.PCRs[i] = bytes.Repeat([]byte{1}, 48)
			}
		})
		got, err := nitro.Verify(doc, o)
		if err != nil || got.Debug || len(got.Measurement) != 48 || len(got.Registers) != 24 {
			t.Fatalf("%+v, %v", got, err)
		}
		seen = append(seen, got.Measurement)
	}
	for i, counts := range []bool{4: true, 8: true, 9: true, 11: true, 12: true, 13: true, 14: true, 15: false} {
		if bytes.Equal(seen[0], seen[i]) == counts {
			t.Errorf("PCR%d in the measurement: %v, want %v", i, !counts, counts)
		}
	}
}

func TestP15_Refuses(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	edit := func(i int, f func(*x509.Certificate)) func(*nitrotest.Machine) {
		return func(m *nitrotest.Machine) { m.Chain[i].Edit = f }
	}
	for name, c := range map[string]struct {
		code   string
		change func(*nitrotest.Machine)
	}{
		"other signer":       {"signature", func(m *nitrotest.Machine) { m.Signer = m.Chain[2].Key }},
		"root expired":       {"expired", func(m *nitrotest.Machine) { m.Chain[0].To = now.Add(-time.Second) }},
		"CA expired":         {"expired", func(m *nitrotest.Machine) { m.Chain[1].To = now.Add(-time.Second) }},
		"CA of the future":   {"not-yet-valid", func(m *nitrotest.Machine) { m.Chain[2].From = now.Add(time.Second) }},
		"leaf expired":       {"expired", func(m *nitrotest.Machine) { m.Chain[3].To = now.Add(-time.Second) }},
		"CA by a stranger":   {"chain", func(m *nitrotest.Machine) { m.Chain[1].SignedBy = key(t, elliptic.P384()) }},
		"leaf by a stranger": {"chain", func(m *nitrotest.Machine) { m.Chain[3].SignedBy = key(t, elliptic.P384()) }},
		"leaf by the root":   {"chain", func(m *nitrotest.Machine) { m.Chain[3].SignedBy = m.Chain[0].Key }},
		"other name":         {"chain", edit(1, func(c *x509.Certificate) { c.Subject.CommonName = "x" })},
		"SHA-256":            {"chain", edit(3, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA256 })},
		"P-256":              {"malformed", func(m *nitrotest.Machine) { m.Chain[3].Key = key(t, elliptic.P256()) }},
		"no CA":              {"malformed", edit(1, func(c *x509.Certificate) { c.IsCA = false })},
		"CA that signs none": {"malformed", edit(1, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })},
		"leaf is a CA":       {"malformed", edit(3, func(c *x509.Certificate) { c.IsCA = true })},
		"leaf signs no data": {"malformed", edit(3, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })},
		"pathlen":            {"malformed", edit(1, func(c *x509.Certificate) { c.MaxPathLenZero = true })},
		"unknown extension":  {"malformed", edit(3, func(c *x509.Certificate) { c.ExtraExtensions = critical })},
		"ahead":              {"not-yet-valid", func(m *nitrotest.Machine) { m.Payload = replace("timestamp", []byte{0x1b, 0, 0, 1, 0xff, 0, 0, 0, 0}) }},
		"other algorithm":    {"malformed", func(m *nitrotest.Machine) { m.Protected = []byte{0xa1, 0x01, 0x26} }},
		"headers outside":    {"malformed", func(m *nitrotest.Machine) { m.Unprotected = []byte{0xa1, 0x04, 0x00} }},
		"digest":             {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("digest", nitrotest.Text("SHA256")) }},
		"timestamp 0":        {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("timestamp", []byte{0}) }},
		"timestamp far":      {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("timestamp", []byte{0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0}) }},
		"timestamp long":     {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("timestamp", []byte{0x18, 7}) }},
		"timestamp of text":  {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("timestamp", nitrotest.Text("1")) }},
		"no name":            {"malformed", func(m *nitrotest.Machine) { m.ModuleID = "" }},
		"no PCR0":            {"malformed", func(m *nitrotest.Machine) { delete(m.PCRs, 0) }},
		"PCR of 32 bytes":    {"malformed", func(m *nitrotest.Machine) { m.PCRs[3] = make([]byte, 32) }},
		"PCR32":              {"malformed", func(m *nitrotest.Machine) { m.PCRs[32] = make([]byte, 48) }},
		"PCR twice":          {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("pcrs", twice) }},
		"33 PCRs":            {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("pcrs", nitrotest.Head(5, 33)) }},
		"no certificates":    {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("cabundle", nitrotest.Head(4, 0)) }},
		"nine certificates":  {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("cabundle", nitrotest.Head(4, 9)) }},
		"empty certificate":  {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("cabundle", []byte{0x81, 0x40}) }},
		"no DER":             {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("certificate", nitrotest.Bytes([]byte{1})) }},
		"large certificate":  {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("certificate", nitrotest.Bytes(make([]byte, 3000))) }},
		"large user data":    {"malformed", func(m *nitrotest.Machine) { m.UserData = make([]byte, 1025) }},
		"user data of text":  {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("user_data", nitrotest.Text("x")) }},
		"unknown member":     {"malformed", add("extra", []byte{0})},
		"member twice":       {"malformed", add("digest", nitrotest.Text("SHA384"))},
		"both PCRs":          {"malformed", add("nitrotpm_pcrs", nitrotest.Head(5, 0))},
		"eleven members": {"malformed", func(m *nitrotest.Machine) {
			m.Payload = func(x []nitrotest.Member) []nitrotest.Member { return append(x, x...) }
		}},
		"eleven, closed": {"malformed", func(m *nitrotest.Machine) {
			m.Closed, m.Payload = true, func(x []nitrotest.Member) []nitrotest.Member { return append(x, x...) }
		}},
		"no PCRs":             {"malformed", func(m *nitrotest.Machine) { m.Payload = func(x []nitrotest.Member) []nitrotest.Member { return x[:3] } }},
		"end within a member": {"malformed", add("x", nil)},
		"value cut off":       {"malformed", func(m *nitrotest.Machine) { m.Closed = true; add("nonsense", nil)(m) }},
		"string cut off":      {"malformed", func(m *nitrotest.Machine) { m.Closed, m.Payload = true, replace("nonce", []byte{0x59, 0xff, 0xff}) }},
		"head cut off":        {"malformed", func(m *nitrotest.Machine) { m.Closed, m.Payload = true, replace("nonce", []byte{0x59, 0xff}) }},
		"open string":         {"malformed", func(m *nitrotest.Machine) { m.Payload = replace("nonce", []byte{0x5f, 0xff}) }},
		"behind the payload":  {"malformed", func(m *nitrotest.Machine) { m.Closed, m.Payload = true, replace("nonce", []byte{0xf6, 0}) }},
	} {
		doc, o := made(t, c.change)
		got, err := nitro.Verify(doc, o)
		if code(err) != c.code || !reflect.DeepEqual(got, claims.Claims{}) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

var critical = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}

var twice = append([]byte{0xa2}, bytes.Repeat(append([]byte{0}, nitrotest.Bytes(make([]byte, 48))...), 2)...)

func replace(name string, value []byte) func([]nitrotest.Member) []nitrotest.Member {
	return func(x []nitrotest.Member) []nitrotest.Member {
		for i := range x {
			if x[i].Name == name {
				x[i].Value = value
			}
		}
		return x
	}
}

func add(name string, value []byte) func(*nitrotest.Machine) {
	return func(m *nitrotest.Machine) {
		m.Payload = func(x []nitrotest.Member) []nitrotest.Member {
			return append(x, nitrotest.Member{Name: name, Value: value})
		}
	}
}

func TestOptions(t *testing.T) {
	doc, good := made(t, nil)
	_, other := made(t, nil)
	for name, c := range map[string]struct {
		code string
		o    nitro.Options
	}{
		"zero":       {"no-trust", nitro.Options{}},
		"no root":    {"no-trust", nitro.Options{Now: good.Now}},
		"no time":    {"no-trust", nitro.Options{Root: good.Root}},
		"AWS":        {"wrong-root", nitro.Options{Now: good.Now, Root: nitro.AWSRoot()}},
		"other root": {"wrong-root", nitro.Options{Now: good.Now, Root: other.Root}},
		"nonce":      {"nonce", nitro.Options{Now: good.Now, Root: good.Root, Nonce: []byte("n")}},
	} {
		if _, err := nitro.Verify(doc, c.o); code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The array around the four parts, which no signature covers.
func TestEnvelope(t *testing.T) {
	doc, o := made(t, nil)
	change := func(at int, v ...byte) []byte {
		b := bytes.Clone(doc)
		copy(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "tag alone": {0xd2}, "tag twice": append([]byte{0xd2, 0xd2}, doc...), "five": change(0, 0x85), "map": change(0, 0xa4),
		"trailing": append(bytes.Clone(doc), 0), "cut": doc[:len(doc)-1], "signature of 95": change(len(doc)-97, 95)[:len(doc)-1],
		"too large": make([]byte, nitro.MaxSize+1),
	} {
		if _, err := nitro.Verify(b, o); code(err) != "malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every byte of a document, changed alone: it is refused.
func TestP15_Mutation(t *testing.T) {
	for _, tpm := range []bool{false, true} {
		doc, o := made(t, func(m *nitrotest.Machine) { m.TPM = tpm })
		for i := range doc {
			b := bytes.Clone(doc)
			b[i] ^= 1 << (i % 8)
			if _, err := nitro.Verify(b, o); err == nil {
				t.Errorf("byte %d changed: accepted", i)
			}
		}
	}
}

func FuzzVerify(f *testing.F) {
	doc, o := made(f, nil)
	f.Add(doc)
	want, err := nitro.Verify(doc, o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := nitro.Verify(b, o); err == nil && !reflect.DeepEqual(got, want) {
			t.Error("other claims were accepted")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	doc, o := made(b, nil)
	for b.Loop() {
		if _, err := nitro.Verify(doc, o); err != nil {
			b.Fatal(err)
		}
	}
}
