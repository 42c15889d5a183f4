package attestpeers

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"

	ours "github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
)

// goSEVGuest is what go-sev-guest says of a report. roots nil are those it has within itself, which know no VLEK.
func goSEVGuest(report []byte, c ours.Collateral, now time.Time, roots map[string][]*trust.AMDRootCerts) error {
	p, err := abi.ReportToProto(report)
	if err != nil {
		return err
	}
	info, err := abi.ParseSignerInfo(p.GetSignerInfo())
	if err != nil {
		return err
	}
	chain := &sevsnp.CertificateChain{Extras: map[string][]byte{}}
	if info.SigningKey == abi.VlekReportSigner {
		chain.VlekCert = c.Leaf
	} else {
		chain.VcekCert = c.Leaf
	}
	for _, r := range roots {
		chain.AskCert, chain.ArkCert = r[0].ProductCerts.Ask.Raw, r[0].ProductCerts.Ark.Raw
	}
	return verify.SnpAttestation(&sevsnp.Attestation{Report: p, CertificateChain: chain},
		&verify.Options{Now: now, DisableCertFetching: true, TrustedRoots: roots, CheckRevocations: c.CRL != nil})
}

// theirRoots are one of our roots as go-sev-guest has them, with the list already read.
func theirRoots(t testing.TB, r ours.Root, crl []byte) map[string][]*trust.AMDRootCerts {
	t.Helper()
	out := &trust.AMDRootCerts{ProductLine: string(r.Line), ProductCerts: &trust.ProductCerts{}}
	for _, c := range []struct {
		der []byte
		to  **x509.Certificate
	}{{r.ARK, &out.ProductCerts.Ark}, {r.ASK, &out.ProductCerts.Ask}, {r.ASVK, &out.ProductCerts.Asvk}} {
		var err error
		if *c.to, err = x509.ParseCertificate(c.der); err != nil {
			t.Fatal(err)
		}
	}
	if crl != nil {
		var err error
		if out.CRL, err = x509.ParseRevocationList(crl); err != nil {
			t.Fatal(err)
		}
	}
	return map[string][]*trust.AMDRootCerts{string(r.Line): {out}}
}

// recordedSNP is a report with its certificate, and options that accept it a day after the certificate was made.
func recordedSNP(t *testing.T, name string) ([]byte, ours.Collateral, ours.Options) {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded evidence to verify")
	}
	read := func(end string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "snp", name+end))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c := ours.Collateral{Leaf: read(".cert.der")}
	leaf, err := x509.ParseCertificate(c.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return read(".report.bin"), c, ours.Options{Now: leaf.NotBefore.Add(24 * time.Hour), Roots: ours.AMD(), AllowMissingCRL: true}
}

// Both say the same of reports of real machines.
func TestRecordedSNP(t *testing.T) {
	for name, accepted := range map[string]bool{
		"google-milan-vcek": true, "trustee-milan-vcek": true, "trustee-aws-milan-vlek": true, "trustee-milan-vcek-INVALID-new": false,
	} {
		report, c, o := recordedSNP(t, name)
		_, err := ours.Verify(report, c, o)
		their := goSEVGuest(report, c, o.Now, theirRoots(t, o.Roots[0], nil))
		if (err == nil) != accepted || (their == nil) != accepted {
			t.Errorf("%s: we %v, go-sev-guest %v, want accepted %v", name, err, their, accepted)
		}
	}
}

// What nobody has recorded: where the two differ, the difference is known and written down in docs/spec/attestation-sevsnp.md.
func TestGeneratedSNP(t *testing.T) {
	for name, c := range map[string]struct {
		line   ours.Line
		edit   func(m *sevsnptest.Machine)
		we     bool
		theirs bool
	}{
		"Milan":                {ours.Milan, nil, true, true},
		"Genoa":                {ours.Genoa, nil, true, true},
		"Turin":                {ours.Turin, nil, true, false},
		"VLEK":                 {ours.Genoa, func(m *sevsnptest.Machine) { *m = m.WithVLEK() }, true, true},
		"version 2":            {ours.Milan, func(m *sevsnptest.Machine) { m.Version, m.Cert.Product = 2, "Milan-B0" }, true, true},
		"Bergamo":              {ours.Genoa, func(m *sevsnptest.Machine) { m.CPU.Model = 0xa0 }, true, false},
		"changed after":        {ours.Genoa, func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { b[0x90]++ } }, false, false},
		"another signer":       {ours.Genoa, func(m *sevsnptest.Machine) { m.Signer = "stranger" }, false, false},
		"signed by a stranger": {ours.Genoa, func(m *sevsnptest.Machine) { m.Cert.SignedBy, m.Cert.IsSigned = sevsnptest.Stranger, true }, false, false},
		"expired leaf":         {ours.Genoa, func(m *sevsnptest.Machine) { m.Cert.To = sevsnptest.Now().AddDate(0, 0, -1) }, false, false},
		"list of a stranger":   {ours.Genoa, func(m *sevsnptest.Machine) { m.CRL.SignedBy = sevsnptest.Stranger }, false, false},
		"revoked ASK":          {ours.Genoa, func(m *sevsnptest.Machine) { m.CRL.Revoked = []int64{sevsnptest.SerialMid} }, false, false},
		"revoked VCEK":         {ours.Genoa, func(m *sevsnptest.Machine) { m.CRL.Revoked = []int64{sevsnptest.SerialLeaf} }, false, true},
		"another chip":         {ours.Genoa, func(m *sevsnptest.Machine) { m.Cert.HWID = make([]byte, 64) }, false, true},
		"other TCB":            {ours.Genoa, func(m *sevsnptest.Machine) { m.Cert.SVNs = &ours.SVNs{Bootloader: 99} }, false, true},
		"list not yet issued":  {ours.Genoa, func(m *sevsnptest.Machine) { m.CRL.From = sevsnptest.Now().AddDate(0, 0, 1) }, false, true},
	} {
		m := sevsnptest.New(c.line)
		if c.edit != nil {
			c.edit(&m)
		}
		e, err := m.Make()
		if err != nil {
			t.Fatal(err)
		}
		_, we := ours.Verify(e.Report, e.Collateral, e.Options)
		their := goSEVGuest(e.Report, e.Collateral, e.Options.Now, theirRoots(t, e.Options.Roots[0], e.Collateral.CRL))
		if (we == nil) != c.we || (their == nil) != c.theirs {
			t.Errorf("%s: we %v (want accepted %v), go-sev-guest %v (want accepted %v)", name, we, c.we, their, c.theirs)
		}
	}
}

// BenchmarkSNP verifies the same evidence with full collateral by both. go-sev-guest is given roots and list that it has read before.
func BenchmarkSNP(b *testing.B) {
	m := sevsnptest.New(ours.Genoa)
	m.FullSize = true // as AMD's keys
	e, err := m.Make()
	if err != nil {
		b.Fatal(err)
	}
	roots := theirRoots(b, e.Options.Roots[0], e.Collateral.CRL)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, err := ours.Verify(e.Report, e.Collateral, e.Options); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-sev-guest", func(b *testing.B) {
		for b.Loop() {
			if err := goSEVGuest(e.Report, e.Collateral, e.Options.Now, roots); err != nil {
				b.Fatal(err)
			}
		}
	})
}
