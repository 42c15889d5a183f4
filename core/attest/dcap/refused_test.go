package dcap_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
)

const day = 24 * time.Hour

// refusal is a change that makes evidence in order refused for one reason.
type refusal struct {
	name   string
	change func(*dcaptest.Machine)
	code   string
	field  string
}

// expect says that the evidence is refused with this reason, whatever others there are.
func expect(t *testing.T, e dcaptest.Evidence, code, field string) {
	t.Helper()
	c, err := verify(e)
	if err == nil {
		t.Fatalf("accepted as %v, want %s of %s", c.Status, code, field)
	}
	if c.Measurement != nil || c.Status != claims.Unknown {
		t.Error("claims beside an error")
	}
	reasons := claims.Reasons(err, "?")
	if !slices.ContainsFunc(reasons, func(r claims.Reason) bool { return r.Code == code && strings.HasPrefix(r.Field, field) }) {
		t.Errorf("refused because of %v, want %s of %s", reasons, code, field)
	}
	for _, r := range reasons {
		if r.Advice == "" || r.Want == "" {
			t.Errorf("%v does not say what to do", r)
		}
	}
}

func run(t *testing.T, list []refusal) {
	for _, r := range list {
		for _, version := range []uint16{3, 4, 5} {
			t.Run(r.name, func(t *testing.T) {
				m := dcaptest.New("seed", version, at)
				r.change(&m)
				expect(t, made(t, m), r.code, r.field)
			})
		}
	}
}

func replace(old, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, to, 1) }
}

func TestP15_Revoked(t *testing.T) {
	run(t, []refusal{
		{"PCK", func(m *dcaptest.Machine) { m.Revoked = []dcaptest.Role{dcaptest.PCK} }, "certificate-revoked", "PCK certificate"},
		{"PCK CA", func(m *dcaptest.Machine) { m.Revoked = []dcaptest.Role{dcaptest.PCKCA} }, "certificate-revoked", "PCK chain CA"},
		{"signer", func(m *dcaptest.Machine) { m.Revoked = []dcaptest.Role{dcaptest.Signer} }, "certificate-revoked", "TCB info issuer chain"},
	})
}

// A certificate of another issuer with a revoked one's serial number is not revoked: numbers mean something within one issuer only.
func TestP15_SameSerial(t *testing.T) {
	m := dcaptest.New("seed", 4, at)
	var pck *x509.Certificate
	m.Cert = func(r dcaptest.Role, c *x509.Certificate) {
		switch r {
		case dcaptest.PCK:
			pck = c
		case dcaptest.Signer:
			c.SerialNumber = pck.SerialNumber
		}
	}
	if _, err := verify(made(t, m)); err != nil {
		t.Fatalf("two certificates with one serial: %v", err)
	}
	m.List = func(issuer dcaptest.Role, l *x509.RevocationList) {
		if issuer == dcaptest.PCKCA {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: pck.SerialNumber, RevocationTime: at})
		}
	}
	_, err := verify(made(t, m))
	if reasons := claims.Reasons(err, "?"); len(reasons) != 1 || reasons[0].Field != "PCK certificate" {
		t.Errorf("%v, want the PCK certificate revoked alone", reasons)
	}
}

func TestP15_Dates(t *testing.T) {
	var list []refusal
	for _, r := range []struct {
		role  dcaptest.Role
		field string
	}{{dcaptest.Root, "root CA"}, {dcaptest.PCKCA, "PCK chain CA"}, {dcaptest.PCK, "PCK chain leaf"}, {dcaptest.Signer, "TCB info issuer chain"}} {
		cert := func(change func(*x509.Certificate)) func(*dcaptest.Machine) {
			return func(m *dcaptest.Machine) {
				m.Cert = func(role dcaptest.Role, c *x509.Certificate) {
					if role == r.role {
						change(c)
					}
				}
			}
		}
		list = append(list,
			refusal{string(r.role) + " expired", cert(func(c *x509.Certificate) { c.NotAfter = at.Add(-time.Second) }), "certificate-expired", r.field},
			refusal{string(r.role) + " of the future", cert(func(c *x509.Certificate) { c.NotBefore = at.Add(time.Second) }), "certificate-not-yet-valid", r.field})
	}
	for _, r := range []struct {
		issuer dcaptest.Role
		field  string
	}{{dcaptest.Root, "root CA CRL"}, {dcaptest.PCKCA, "PCK CRL"}} {
		crl := func(change func(*x509.RevocationList)) func(*dcaptest.Machine) {
			return func(m *dcaptest.Machine) {
				m.List = func(issuer dcaptest.Role, l *x509.RevocationList) {
					if issuer == r.issuer {
						change(l)
					}
				}
			}
		}
		list = append(list,
			refusal{r.field + " expired", crl(func(l *x509.RevocationList) { l.NextUpdate = at.Add(-time.Second) }), "crl-expired", r.field},
			refusal{r.field + " of the future", crl(func(l *x509.RevocationList) { l.ThisUpdate = at.Add(time.Second) }), "crl-not-yet-valid", r.field})
	}
	from, to := at.Add(-10*day).Format(time.RFC3339), at.Add(20*day).Format(time.RFC3339)
	late, early := at.Add(time.Second).Format(time.RFC3339), at.Add(-time.Second).Format(time.RFC3339)
	list = append(list,
		refusal{"TCB info expired", func(m *dcaptest.Machine) { m.TCBInfo = replace(to, early) }, "collateral-expired", "TCB info"},
		refusal{"TCB info of the future", func(m *dcaptest.Machine) { m.TCBInfo = replace(from, late) }, "collateral-not-yet-valid", "TCB info"},
		refusal{"QE identity expired", func(m *dcaptest.Machine) { m.QEIdentity = replace(to, early) }, "collateral-expired", "QE identity"},
		refusal{"QE identity of the future", func(m *dcaptest.Machine) { m.QEIdentity = replace(from, late) }, "collateral-not-yet-valid", "QE identity"})
	run(t, list)
}

func TestP15_WrongQE(t *testing.T) {
	qe := func(i int) func(*dcaptest.Machine) {
		return func(m *dcaptest.Machine) { m.Edit = func(p *dcaptest.Parts) { p.QEReport[i] ^= 0x02 } }
	}
	run(t, []refusal{
		{"MISCSELECT", qe(16), "wrong-qe", "QE MISCSELECT"},
		{"debug", qe(48), "wrong-qe", "QE ATTRIBUTES"},
		{"MRSIGNER", qe(128), "wrong-qe", "QE MRSIGNER"},
		{"ISVPRODID", qe(257), "wrong-qe", "QE ISVPRODID"},
		{"ISVSVN", func(m *dcaptest.Machine) { m.QESVN = 1 }, "no-tcb-level", "QE ISVSVN"},
	})
}

func TestP15_WrongPlatform(t *testing.T) {
	run(t, []refusal{
		{"FMSPC", func(m *dcaptest.Machine) { m.TCBInfo = replace(`"fmspc":"90`, `"fmspc":"91`) }, "wrong-collateral", "TCB info FMSPC"},
		{"PCE id", func(m *dcaptest.Machine) { m.TCBInfo = replace(`"pceId":"0000"`, `"pceId":"0001"`) }, "wrong-collateral", "TCB info PCE id"},
		{"SGX component", func(m *dcaptest.Machine) { m.SVN[7] = 4 }, "no-tcb-level", "TCB of the platform"},
		{"PCESVN", func(m *dcaptest.Machine) { m.PCESVN = 12 }, "no-tcb-level", "TCB of the platform"},
	})
}

// JSON that Intel could sign and no reader may read in two ways.
func TestJSON(t *testing.T) {
	run(t, []refusal{
		{"member twice", func(m *dcaptest.Machine) { m.TCBInfo = replace(`{"id"`, `{"version":3,"id"`) }, "collateral-malformed", "TCB info"},
		{"status twice", func(m *dcaptest.Machine) {
			m.TCBInfo = replace(`"tcbStatus":"UpToDate"`, `"tcbStatus":"Revoked","tcbStatus":"UpToDate"`)
		}, "collateral-malformed", "TCB info"},
		{"trailing", func(m *dcaptest.Machine) { m.TCBInfo = func(s string) string { return s + "x" } }, "collateral-malformed", "TCB info"},
		{"version", func(m *dcaptest.Machine) { m.TCBInfo = replace(`"version":3`, `"version":2`) }, "collateral-malformed", "TCB info"},
		{"status", func(m *dcaptest.Machine) { m.TCBInfo = replace(`"UpToDate"`, `"uptodate"`) }, "collateral-malformed", "TCB info"},
		{"type", func(m *dcaptest.Machine) { m.TCBInfo = replace(`"tcbType":0`, `"tcbType":1`) }, "collateral-malformed", "TCB info"},
		{"QE member twice", func(m *dcaptest.Machine) { m.QEIdentity = replace(`{"id"`, `{"isvprodid":1,"id"`) }, "collateral-malformed", "QE identity"},
		{"QE version", func(m *dcaptest.Machine) { m.QEIdentity = replace(`"version":2`, `"version":1`) }, "collateral-malformed", "QE identity"},
	})
}

// A certificate signed by a key that is not its issuer's.
func TestP15_SignedByAnother(t *testing.T) {
	run(t, []refusal{
		{"PCK by root", func(m *dcaptest.Machine) { m.SignedBy = map[dcaptest.Role]dcaptest.Role{dcaptest.PCK: dcaptest.Root} }, "bad-signature", "PCK chain leaf"},
		{"CA by signer", func(m *dcaptest.Machine) {
			m.SignedBy = map[dcaptest.Role]dcaptest.Role{dcaptest.PCKCA: dcaptest.Signer}
		}, "bad-signature", "PCK chain CA"},
		{"signer by CA", func(m *dcaptest.Machine) {
			m.SignedBy = map[dcaptest.Role]dcaptest.Role{dcaptest.Signer: dcaptest.PCKCA}
		}, "bad-signature", "TCB info issuer chain"},
	})
}
