package attestpeers

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tdx-guest/pcs"
	tdx "github.com/google/go-tdx-guest/verify"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

// service answers go-tdx-guest as Intel's would, from collateral.
type service dcap.Collateral

func (s service) Get(address string) (map[string][]string, []byte, error) {
	answer := func(name string, value, signature []byte, phrase string, chain []byte) (map[string][]string, []byte, error) {
		body := fmt.Sprintf(`{%q:%s,"signature":"%x"}`, name, value, signature)
		return map[string][]string{phrase: {url.QueryEscape(string(chain))}}, []byte(body), nil
	}
	switch {
	case strings.Contains(address, "/tcb?"):
		return answer("tcbInfo", s.TCBInfo, s.TCBInfoSignature, pcs.TcbInfoIssuerChainPhrase, s.TCBInfoChain)
	case strings.Contains(address, "/qe/identity"):
		return answer("enclaveIdentity", s.QEIdentity, s.QEIdentitySignature, pcs.SgxQeIdentityIssuerChainPhrase, s.QEIdentityChain)
	case strings.Contains(address, "/pckcrl"):
		return map[string][]string{pcs.SgxPckCrlIssuerChainPhrase: {url.QueryEscape(string(s.PCKCRLChain))}}, s.PCKCRL, nil
	case strings.HasSuffix(address, ".der"): // where the root certificate says that its list is
		return nil, s.RootCRL, nil
	default:
		return nil, nil, errors.New("no answer to " + address)
	}
}

// goTDXGuest is what go-tdx-guest says of a quote, with lists and collateral.
func goTDXGuest(quote []byte, c dcap.Collateral, o dcap.Options) error {
	root, err := x509.ParseCertificate(o.Root)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return tdx.RawTdxQuote(quote, &tdx.Options{
		CheckRevocations: true, GetCollateral: true, Getter: service(c), TrustedRoots: pool,
		Now: &tdx.TimeSet{PckCertChain: o.Now, TcbInfo: o.Now, QeIdentity: o.Now, PckCrl: o.Now, RootCaCrl: o.Now},
	})
}

// recorded are Intel's recorded cases whose file's name is of a pattern, by that name.
func recorded(t *testing.T, pattern string) map[string]dcap.Recorded {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded evidence to verify")
	}
	files, err := filepath.Glob(filepath.Join(dir, "dcap", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no evidence of the name %s: %v", pattern, err)
	}
	out := make(map[string]dcap.Recorded)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if out[filepath.Base(f)], err = dcap.ParseRecorded(b); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Of real machines' quotes both say whether Intel rates the platform up to date, but for platforms that are out of date: go-tdx-guest
// rates the TDX module alone once that is of version 1.5, and takes the platform whatever it is.
func TestRecordedTDX(t *testing.T) {
	for name, r := range recorded(t, "tdx-*.json") {
		o := dcap.Options{Now: r.At, Root: dcap.IntelRoot()}
		claims, we := dcap.Verify(r.Quote, r.Collateral, o)
		their := goTDXGuest(r.Quote, r.Collateral, o)
		upToDate := we == nil && claims.Status.String() == "UpToDate"
		differs := strings.Contains(name, "OutOfDate-platform")
		if (their == nil) != (upToDate || differs) {
			t.Errorf("%s: we %v (%v), go-tdx-guest %v", name, claims.Status, we, their)
		}
	}
}

// What nobody has recorded: where the two differ stands in docs/spec/attestation-dcap.md.
func TestGeneratedTDX(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	stamp := func(d time.Duration) string { return at.Add(d).Format(time.RFC3339) }
	swap := func(old, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, to, 1) }
	}
	for name, c := range map[string]struct {
		edit       func(m *dcaptest.Machine)
		we, theirs bool
	}{
		"in order":             {func(*dcaptest.Machine) {}, true, true},
		"revoked PCK":          {func(m *dcaptest.Machine) { m.Revoked = []dcaptest.Role{dcaptest.PCK} }, false, false},
		"revoked PCK CA":       {func(m *dcaptest.Machine) { m.Revoked = []dcaptest.Role{dcaptest.PCKCA} }, false, false},
		"revoked signer":       {func(m *dcaptest.Machine) { m.Revoked = []dcaptest.Role{dcaptest.Signer} }, false, false},
		"module out of date":   {func(m *dcaptest.Machine) { m.TDXSVN[0] = 5 }, false, false},
		"other QE":             {func(m *dcaptest.Machine) { m.Edit = func(p *dcaptest.Parts) { p.QEReport[128]++ } }, false, false},
		"expired":              {func(m *dcaptest.Machine) { m.TCBInfo = swap(stamp(480*time.Hour), stamp(-time.Hour)) }, false, false},
		"not yet issued":       {func(m *dcaptest.Machine) { m.TCBInfo = swap(stamp(-240*time.Hour), stamp(time.Hour)) }, false, true},
		"platform out of date": {func(m *dcaptest.Machine) { m.SVN[0] = 1 }, false, true},
		"member twice":         {func(m *dcaptest.Machine) { m.TCBInfo = swap(`{"id"`, `{"version":3,"id"`) }, false, true},
	} {
		for _, version := range []uint16{4, 5} {
			e := machine(t, version, at, c.edit)
			claims, err := dcap.Verify(e.Quote, e.Collateral, e.Options)
			we := err == nil && claims.Status.String() == "UpToDate"
			their := goTDXGuest(e.Quote, e.Collateral, e.Options)
			if we != c.we || (their == nil) != c.theirs {
				t.Errorf("%s, version %d: we %v %v (want accepted %v), go-tdx-guest %v (want accepted %v)", name, version, claims.Status, err, c.we, their, c.theirs)
			}
		}
	}
}

// machine is evidence that differs from what is in order by edit.
func machine(t testing.TB, version uint16, at time.Time, edit func(*dcaptest.Machine)) dcaptest.Evidence {
	t.Helper()
	m := dcaptest.New("peers", version, at)
	m.Cert = func(_ dcaptest.Role, c *x509.Certificate) {
		c.CRLDistributionPoints = []string{"https://root.invalid/root.der"}
	}
	edit(&m)
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// BenchmarkTDX verifies the same quote with full collateral by both, none of it read before.
func BenchmarkTDX(b *testing.B) {
	e := machine(b, 4, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), func(*dcaptest.Machine) {})
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			if _, err := dcap.Verify(e.Quote, e.Collateral, e.Options); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-tdx-guest", func(b *testing.B) {
		for b.Loop() {
			if err := goTDXGuest(e.Quote, e.Collateral, e.Options); err != nil {
				b.Fatal(err)
			}
		}
	})
}
