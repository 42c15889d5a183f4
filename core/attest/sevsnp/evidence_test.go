package sevsnp

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// evidence is the folder of recorded evidence; the test that needs it is skipped without.
func evidence(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded evidence to verify")
	}
	return filepath.Join(dir, "snp")
}

func read(t testing.TB, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded is a report with its certificate, and options that accept it a day after the certificate was made.
func recorded(t testing.TB, name string) ([]byte, Collateral, Options) {
	t.Helper()
	dir := evidence(t)
	c := Collateral{Leaf: read(t, dir, name+".cert.der")}
	leaf, err := x509.ParseCertificate(c.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, dir, name+".report.bin"), c, Options{Now: leaf.NotBefore.Add(24 * time.Hour), Roots: AMD(), AllowMissingCRL: true}
}

func TestP15_Recorded(t *testing.T) {
	for _, c := range []struct {
		name       string
		line       Line
		debug      bool
		status     claims.Status
		advisories []string
		warnings   []string // among others
		chip       int
	}{
		{"google-milan-vcek", Milan, true, claims.OutOfDate, []string{"AMD-SB-3019", "AMD-SB-3023"}, []string{"no-crl", "smt"}, 64},
		{"trustee-milan-vcek", Milan, false, claims.OutOfDate, []string{"AMD-SB-3019", "AMD-SB-3023"}, []string{"no-crl", "provisional-firmware"}, 64},
		{"trustee-aws-milan-vlek", Milan, false, claims.OutOfDate, []string{"AMD-SB-3019", "AMD-SB-3023"}, []string{"vlek", "vmpl", "provisional-firmware"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, col, o := recorded(t, c.name)
			got, err := Verify(report, col, o)
			if err != nil {
				t.Fatal(err)
			}
			if got.Debug != c.debug || got.Status != c.status || !slices.Equal(got.Advisories, c.advisories) || len(got.ChipID) != c.chip {
				t.Errorf("debug %v, status %s, advisories %v, chip %x", got.Debug, got.Status, got.Advisories, got.ChipID)
			}
			for _, w := range c.warnings {
				if !slices.Contains(got.Warnings, w) {
					t.Errorf("warnings %v: want %s", got.Warnings, w)
				}
			}
			if len(got.Measurement) != 48 || len(got.ReportData) != 64 || len(got.HostData) != 32 {
				t.Error("sizes of measurement, report data and host data")
			}
			if !got.NotBefore.Before(o.Now) || !got.NotAfter.After(o.Now) {
				t.Errorf("in force from %s to %s", got.NotBefore, got.NotAfter)
			}
		})
	}
}

func TestP15_RecordedWrongVCEK(t *testing.T) {
	report, col, o := recorded(t, "trustee-milan-vcek-INVALID-new")
	if _, err := Verify(report, col, o); err == nil {
		t.Fatal("a certificate of another chip was accepted")
	} else if r := claims.Reasons(err, ""); r[0].Code != "tcb-mismatch" {
		t.Error(err)
	}
}

func TestP15_RecordedChecksTime(t *testing.T) {
	report, col, o := recorded(t, "google-milan-vcek")
	leaf, err := x509.ParseCertificate(col.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	for code, now := range map[string]time.Time{"not-yet-valid": leaf.NotBefore.Add(-time.Second), "expired": leaf.NotAfter.Add(time.Second)} {
		o.Now = now
		if _, err := Verify(report, col, o); err == nil || claims.Reasons(err, "")[0].Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestP15_ZeroOptionsAcceptNothing(t *testing.T) {
	report, col, o := recorded(t, "google-milan-vcek")
	for name, o := range map[string]Options{
		"zero":     {},
		"no time":  {Roots: o.Roots, AllowMissingCRL: true},
		"no roots": {Now: o.Now, AllowMissingCRL: true},
		"no crl":   {Now: o.Now, Roots: o.Roots},
		"other":    {Now: o.Now, Roots: o.Roots[1:], AllowMissingCRL: true},
	} {
		if _, err := Verify(report, col, o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
