package sevsnp

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		VCEK.String(): "VCEK", VLEK.String(): "VLEK", None.String(): "none", Key(3).String(): "Key(3)",
		Firmware{1, 55, 21}.String(): "1.55.21",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := (SVNs{1, 2, 3, 4, 5}).of("something"); n != 0 {
		t.Errorf("a component that is not known has version %d", n)
	}
}

func TestDies(t *testing.T) {
	for cpu, want := range map[CPU]Die{
		{}: UnknownDie, {0x19, 0x01, 1}: Classic, {0x19, 0x01, 2}: Stacked, {0x19, 0x11, 2}: Stacked, {0x19, 0xa0, 2}: Dense,
		{0x1a, 0x02, 1}: Classic, {0x1a, 0x11, 0}: Dense,
	} {
		if got := cpu.Die(); got != want {
			t.Errorf("%s: %q, want %q", cpu, got, want)
		}
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return claims.Reasons(err, "?")[0].Code
}

// Only a CA that may sign certificates issues one, and only by AMD's algorithm.
func TestMayIssue(t *testing.T) {
	ca := func() *x509.Certificate {
		return &x509.Certificate{RawSubject: []byte("a"), BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
	}
	cert := &x509.Certificate{RawIssuer: []byte("a"), SignatureAlgorithm: x509.SHA384WithRSAPSS}
	for name, c := range map[string]struct {
		want string
		edit func(p *x509.Certificate)
	}{
		"CA":             {"", func(*x509.Certificate) {}},
		"another name":   {"chain", func(p *x509.Certificate) { p.RawSubject = []byte("b") }},
		"no constraints": {"chain", func(p *x509.Certificate) { p.BasicConstraintsValid = false }},
		"no CA":          {"chain", func(p *x509.Certificate) { p.IsCA = false }},
		"lists alone":    {"chain", func(p *x509.Certificate) { p.KeyUsage = x509.KeyUsageCRLSign }},
	} {
		p := ca()
		c.edit(p)
		if got := code(mayIssue("leaf", cert, p)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := code(mayIssue("leaf", &x509.Certificate{RawIssuer: []byte("a"), SignatureAlgorithm: x509.SHA256WithRSA}, ca())); got != "malformed" {
		t.Errorf("another algorithm: %q", got)
	}
}

// A list that speaks of some certificates only cannot say that the others are good.
func TestWholeLists(t *testing.T) {
	point := func(value ...byte) []pkix.Extension {
		return []pkix.Extension{{Id: oidDistributionPoint, Critical: true, Value: value}}
	}
	unknown := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true}}
	for name, c := range map[string]struct {
		list x509.RevocationList
		want string
	}{
		"nothing said":     {x509.RevocationList{}, ""},
		"a place":          {x509.RevocationList{Extensions: point(0x30, 4, 0xa0, 2, 0xa0, 0)}, ""},
		"nothing in it":    {x509.RevocationList{Extensions: point(0x30, 0)}, ""},
		"no sequence":      {x509.RevocationList{Extensions: point(0x31, 0)}, "crl"},
		"cut off":          {x509.RevocationList{Extensions: point(0x30)}, "crl"},
		"users alone":      {x509.RevocationList{Extensions: point(0x30, 3, 0x81, 1, 0xff)}, "crl"},
		"place and users":  {x509.RevocationList{Extensions: point(0x30, 7, 0xa0, 2, 0xa0, 0, 0x81, 1, 0xff)}, "crl"},
		"delta":            {x509.RevocationList{Extensions: []pkix.Extension{{Id: oidDelta}}}, "crl"},
		"unknown":          {x509.RevocationList{Extensions: unknown}, "crl"},
		"unknown in entry": {x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{{Extensions: unknown}}}, "crl"},
		"an entry":         {x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{{Extensions: []pkix.Extension{{Id: oidDelta}}}}}, ""},
	} {
		c.list.NextUpdate = time.Unix(1, 0)
		if got := code(whole(&c.list)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := code(whole(&x509.RevocationList{})); got != "malformed" {
		t.Errorf("no date: %q", got)
	}
}

// A cloud's key may sign for a chip that the report names; nothing proves that it is that chip, and the warning says so.
func TestVLEKWithChip(t *testing.T) {
	report, col, o := recorded(t, "trustee-aws-milan-vlek")
	c, err := Verify(report, col, o)
	if err != nil || c.ChipID != nil {
		t.Fatalf("chip %x: %v", c.ChipID, err)
	}
	r, err := Parse(report)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseLeaf(col.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	r.ChipID[3] = 1
	var out claims.Claims
	r.claim(k, tcbs{}, &out)
	if !bytes.Equal(out.ChipID, r.ChipID[:]) {
		t.Errorf("chip %x", out.ChipID)
	}
}

func TestMissedRefuses(t *testing.T) {
	report, col, _ := recorded(t, "google-milan-vcek")
	if _, err := Missed(report, []byte("x")); code(err) != "malformed" {
		t.Errorf("no certificate: %v", err)
	}
	report[0x1e0+3] = 1 // of COMMITTED_TCB, reserved
	if _, err := Missed(report, col.Leaf); code(err) != "malformed" {
		t.Errorf("reserved byte: %v", err)
	}
}

func TestFloorsDateIsNotBehindTheTable(t *testing.T) {
	for _, b := range bulletins() {
		if b.date.After(FloorsDate()) {
			t.Errorf("%s is of %s, and the table is said to end at %s", b.id, b.date, FloorsDate())
		}
	}
}
