package channel

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

func TestGoodCertificate(t *testing.T) {
	w := valid()
	der, err := Issue(w.signer, w.cert)
	if err != nil {
		t.Fatal(err)
	}
	v := Check(der, w.rules)
	if v.Err() != nil || !bytes.Equal(v.Measurement, digest("program")) || !v.Certificate.Key.Equal(public("channel")) {
		t.Fatalf("%v, %+v", v.Err(), v)
	}
	if x, err := x509.ParseCertificate(der); err != nil || x.Subject.CommonName != Protocol || x.Issuer.CommonName != hex.EncodeToString(public("identity")) {
		t.Errorf("to others: %v", err)
	}
	for name, change := range map[string]func(*world){
		"the last second":              func(w *world) { w.rules.Time = noon().Add(MaxLife - time.Second) },
		"a chain's clock that is fast": func(w *world) { w.rules.Time = noon().Add(-skew) },
		"after 2049":                   func(w *world) { w.cert.NotBefore = noon().AddDate(60, 0, 0); w.late() },
		"a fresher nonce":              func(w *world) { w.identity.NonceHeight = 999; w.quote() },
		"hardware":                     func(w *world) { w.machine(t) },
		"hardware with collateral": func(w *world) {
			w.machine(t)
			w.cert.Evidence.Evidence.Collateral, w.rules.Collateral = w.rules.Collateral, nil
		},
	} {
		w := valid()
		change(w)
		if v := Check(w.der(t), w.rules); !v.Accepted {
			t.Errorf("%s: %v", name, v.Err())
		}
	}
}

func (w *world) late() {
	w.cert.NotAfter = w.cert.NotBefore.Add(MaxLife)
	w.rules.Time = w.cert.NotBefore
}

// Every refusal that the form of a certificate does not settle.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		codes, name string
		change      func(*world)
	}{
		{"identity-signature", "evidence of another enclave, which everybody can read on the chain", func(w *world) { w.signer = key("relay") }},
		{"identity-signature", "signed by the channel's own key", func(w *world) { w.signer = key("channel") }},
		{"other-identity report-data", "another identity than the quote's", func(w *world) {
			ev := w.cert.Evidence.Evidence
			w.identity.IdentityKey, w.signer = public("other"), key("other")
			w.cert.Evidence = &wire.WorkerEvidence{Identity: w.identity, Evidence: ev}
		}},
		{"other-identity", "another boot, or an enclave of somebody's own", func(w *world) { w.identity.IdentityKey, w.signer = public("other"), key("other"); w.quote() }},
		{"other-worker", "another worker", func(w *world) { w.rules.Worker.Worker.Slot = 3 }},
		{"not-registered", "a worker that the chain does not know", func(w *world) { w.rules.Worker = nil }},
		{"registration-ended", "a registration that has ended", func(w *world) { w.rules.Worker.ExpiryHeight = 1000 }},
		{"other-role wrong-role", "a gatekeeper in an executor's place", func(w *world) { w.identity.Role = wire.ROLE_GATEKEEPER; w.quote() }},
		{"wrong-chain", "another chain", func(w *world) { w.identity.ChainId = "other"; w.quote() }},
		{"wrong-genesis", "another genesis", func(w *world) { w.identity.GenesisHash = digest("other"); w.quote() }},
		{"expired", "old evidence", func(w *world) { w.identity.NonceHeight = 400; w.quote() }},
		{"nonce-future", "evidence that wants to live longer", func(w *world) { w.identity.NonceHeight = 1000; w.quote() }},
		{"unknown-measurement", "a program that nobody approved", func(w *world) {
			w.cert.Evidence.Evidence = attest.Simulate(digest("virus"), attest.ReportData(w.identity))
		}},
		{"simulated", "simulated evidence in production", func(w *world) { w.rules.Network.Development = false }},
		{"kind-not-allowed", "a kind that the policy does not name", func(w *world) { w.rules.Policy.Kinds = nil }},
		{"incomplete", "no policy", func(w *world) { w.rules.Policy = nil }},
		{"incomplete", "no evidence in the evidence", func(w *world) { w.cert.Evidence.Evidence = nil }},
		{"bad-quote", "a quote with something behind it", func(w *world) { q := w.cert.Evidence.Evidence; q.Quote = append(q.Quote, 0x20, 1) }},
		{"too-large", "a quote that is too large", func(w *world) { w.cert.Evidence.Evidence.Quote = make([]byte, attest.MaxQuote+1) }},
		{"too-large", "a certificate that is too large", func(w *world) { w.cert.Evidence.Evidence.Quote = make([]byte, MaxCertificate) }},
		{"not-yet-valid", "a certificate of tomorrow", func(w *world) { w.rules.Time = noon().Add(-skew - time.Second) }},
		{"certificate-expired", "a certificate of an hour ago", func(w *world) { w.rules.Time = noon().Add(MaxLife) }},
		{"validity", "a certificate for a day", func(w *world) { w.cert.NotAfter = noon().Add(24 * time.Hour) }},
		{"validity", "a certificate that ends before it begins", func(w *world) { w.cert.NotAfter = noon().Add(-time.Second) }},
		{"missing-certificate", "hardware without collateral", func(w *world) { w.machine(t); w.rules.Collateral = nil }},
		{"chain", "hardware of a maker that nobody knows", func(w *world) { w.machine(t); w.rules.Roots = attest.VendorRoots() }},
		{"expired", "hardware whose certificates have ended", func(w *world) {
			w.machine(t)
			w.cert.NotBefore = noon().AddDate(60, 0, 0)
			w.late()
		}},
	} {
		w := valid()
		c.change(w)
		v := Check(w.der(t), w.rules)
		if v.Accepted || v.Err() == nil || codes(v) != c.codes {
			t.Errorf("%s: %v, want %s", c.name, v.Reasons, c.codes)
		}
		for _, r := range v.Reasons {
			if strings.HasPrefix(r.Code, "other-") && (r.Field == "" || r.Got == "" || r.Want == "" || r.Advice == "") {
				t.Errorf("%s: a reason that does not say all: %+v", c.name, r)
			}
		}
	}
	if v := Check(valid().der(t), Rules{}); v.Accepted {
		t.Error("the zero rules accept")
	}
	if v := (Verdict{}); v.Err() == nil {
		t.Error("the zero verdict accepts")
	}
}

// Nobody gets a certificate from an identity for another's evidence.
func TestIssueRefuses(t *testing.T) {
	w := valid()
	if _, err := Issue(key("other"), w.cert); err == nil {
		t.Error("for another's evidence")
	}
	w.cert.Key = w.cert.Key[1:]
	if _, err := Issue(w.signer, w.cert); err == nil {
		t.Error("for half a key")
	}
}

// form makes a certificate that a stranger's tools would make, and signs it with the identity.
func form(t *testing.T, change func(*x509.Certificate)) []byte {
	t.Helper()
	w := valid()
	inner, err := asn1.Marshal(wire.Marshal(w.cert.Evidence))
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: Protocol}, NotBefore: w.cert.NotBefore, NotAfter: w.cert.NotAfter,
		ExtraExtensions: []pkix.Extension{{Id: evidenceOID(), Critical: true, Value: inner}},
	}
	change(x)
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: hex.EncodeToString(public("identity"))}}
	der, err := x509.CreateCertificate(rand.Reader, x, issuer, public("channel"), key("identity"))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestOneForm(t *testing.T) {
	if got := form(t, func(*x509.Certificate) {}); !bytes.Equal(got, valid().der(t)) {
		t.Error("the standard library encodes the same certificate otherwise")
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: noon(), NotAfter: noon().Add(time.Hour)}
	ecdsaCert, err := x509.CreateCertificate(rand.Reader, plain, plain, &ec.PublicKey, ec)
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := x509.CreateCertificate(rand.Reader, plain, plain, &ec.PublicKey, key("identity"))
	if err != nil {
		t.Fatal(err)
	}
	ext := func(value []byte) func(*x509.Certificate) {
		return func(x *x509.Certificate) { x.ExtraExtensions[0].Value = value }
	}
	octets := func(b []byte) []byte {
		out, _ := asn1.Marshal(b)
		return out
	}
	whole := wire.Marshal(valid().cert.Evidence)
	for name, c := range map[string]struct {
		der   []byte
		codes string
	}{
		"empty":                {nil, "malformed-certificate"},
		"noise":                {[]byte("hello"), "malformed-certificate"},
		"trailing bytes":       {append(valid().der(t), 0), "malformed-certificate"},
		"two certificates":     {append(valid().der(t), valid().der(t)...), "malformed-certificate"},
		"an ECDSA certificate": {ecdsaCert, "key-algorithm"},
		"an ECDSA key":         {mixed, "key-algorithm"},
		"no evidence":          {form(t, func(x *x509.Certificate) { x.ExtraExtensions = nil }), "evidence-missing"},
		"evidence of another OID": {form(t, func(x *x509.Certificate) {
			x.ExtraExtensions[0].Id = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 62397, 1, 1}
		}), "evidence-missing"},
		"another extension as well":    {form(t, func(x *x509.Certificate) { x.DNSNames = []string{"phala.example"} }), "evidence-missing"},
		"evidence that may be ignored": {form(t, func(x *x509.Certificate) { x.ExtraExtensions[0].Critical = false }), "malformed-certificate"},
		"another serial":               {form(t, func(x *x509.Certificate) { x.SerialNumber = big.NewInt(2) }), "malformed-certificate"},
		"another subject":              {form(t, func(x *x509.Certificate) { x.Subject.CommonName = "phala/attested-channel/v2" }), "malformed-certificate"},
		"evidence bare":                {form(t, ext(whole)), "malformed-certificate"},
		"evidence with a tail":         {form(t, ext(append(octets(whole), 0))), "malformed-certificate"},
		"evidence cut off":             {form(t, ext(octets(whole[:len(whole)-1]))), "malformed-certificate"},
		"evidence with a tail inside":  {form(t, ext(octets(append(bytes.Clone(whole), 0)))), "malformed-certificate"},
		"evidence of nothing":          {form(t, ext(octets(nil))), "malformed-certificate"},
		"evidence of no key":           {form(t, ext(octets(wire.Marshal(&wire.WorkerEvidence{Identity: &wire.WorkerIdentity{IdentityKey: []byte{1}}})))), "malformed-certificate"},
	} {
		if v := Check(c.der, valid().rules); v.Accepted || codes(v) != c.codes {
			t.Errorf("%s: %v, want %s", name, v.Reasons, c.codes)
		}
	}
	twice := valid().der(t)
	if v := Check(duplicate(t, twice), valid().rules); v.Accepted {
		t.Error("two extensions of evidence were taken")
	}
}

// duplicate puts the extension in twice and signs anew.
func duplicate(t *testing.T, der []byte) []byte {
	t.Helper()
	x, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	var tbs tbsCertificate
	if _, err := asn1.Unmarshal(x.RawTBSCertificate, &tbs); err != nil {
		t.Fatal(err)
	}
	tbs.Extensions = append(tbs.Extensions, tbs.Extensions[0])
	b, err := asn1.Marshal(tbs)
	if err != nil {
		t.Fatal(err)
	}
	out, err := new(Certificate).assemble(b, ed25519.Sign(key("identity"), b))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// No byte of a certificate can be changed.
func TestEveryByteCounts(t *testing.T) {
	w := valid()
	der := w.der(t)
	for i := range der {
		for _, bit := range []byte{1, 0x80} {
			b := bytes.Clone(der)
			b[i] ^= bit
			if v := Check(b, w.rules); v.Accepted || len(v.Reasons) == 0 {
				t.Fatalf("byte %d of %d changed by %#x and accepted", i, len(der), bit)
			}
		}
		if i%7 == 0 {
			if v := Check(der[:i], w.rules); v.Accepted {
				t.Fatalf("the first %d of %d bytes were accepted", i, len(der))
			}
		}
	}
}

// What the identity key signs as a certificate is nothing that it signs elsewhere: those begin with "phala/", and what TLS 1.3 has a
// key sign begins with 64 spaces.
func TestDomains(t *testing.T) {
	w := valid()
	tbs, err := w.cert.signed()
	if err != nil || tbs[0] != 0x30 || bytes.HasPrefix(tbs, []byte("phala/")) {
		t.Errorf("%v, begins with %#x", err, tbs[0])
	}
}

// A certificate that is read is the one that Issue gives for what was read.
func FuzzParse(f *testing.F) {
	f.Add(valid().der(f))
	f.Add([]byte{0x30, 0x80})
	rules := valid().rules
	f.Fuzz(func(t *testing.T, b []byte) {
		v := Check(b, rules)
		if v.Accepted && !bytes.Equal(b, valid().der(t)) {
			t.Fatalf("another certificate accepted: %x", b)
		}
		if v.Accepted == (len(v.Reasons) > 0) {
			t.Fatalf("accepted %t with reasons %v", v.Accepted, v.Reasons)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	w := valid()
	der := w.der(b)
	b.ReportAllocs()
	for b.Loop() {
		if !Check(der, w.rules).Accepted {
			b.Fatal("refused")
		}
	}
}
