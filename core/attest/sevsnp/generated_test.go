package sevsnp_test

import (
	"bytes"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
)

func made(t testing.TB, m sevsnptest.Machine) sevsnptest.Evidence {
	t.Helper()
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func verify(e sevsnptest.Evidence) (claims.Claims, error) {
	return sevsnp.Verify(e.Report, e.Collateral, e.Options)
}

func TestEveryLineVersionAndKey(t *testing.T) {
	for _, l := range []sevsnp.Line{sevsnp.Milan, sevsnp.Genoa, sevsnp.Turin} {
		for version := uint32(2); version <= 5; version++ {
			for _, key := range []sevsnp.Key{sevsnp.VCEK, sevsnp.VLEK} {
				m := sevsnptest.New(l)
				m.Version = version
				if key == sevsnp.VLEK {
					m = m.WithVLEK()
				}
				e := made(t, m)
				c, err := verify(e)
				if err != nil {
					t.Errorf("%s, version %d, %s: %v", l, version, key, err)
					continue
				}
				if !bytes.Equal(c.Measurement, m.Measurement[:]) || !bytes.Equal(c.ReportData, m.ReportData[:]) || !bytes.Equal(c.HostData, m.HostData[:]) || !bytes.Equal(c.ChipID, m.ChipID) {
					t.Errorf("%s, version %d, %s: measurement, report data, host data or chip id", l, version, key)
				}
				if c.Debug || c.Status == claims.Unknown || c.PlatformStatus != c.Status {
					t.Errorf("%s, version %d, %s: %s, debug %v", l, version, key, c.Status, c.Debug)
				}
				if _, fmc := c.Version("fmc"); fmc != (l == sevsnp.Turin) {
					t.Errorf("%s: fmc %v", l, fmc)
				}
				if string(c.Register("CSP_ID")) != m.Cert.CSPID {
					t.Errorf("CSP_ID %q", c.Register("CSP_ID"))
				}
				if again := made(t, m); !bytes.Equal(again.Report, e.Report) || !bytes.Equal(again.Collateral.Leaf, e.Collateral.Leaf) || !bytes.Equal(again.Collateral.CRL, e.Collateral.CRL) {
					t.Errorf("%s: the same machine made other bytes", l)
				}
			}
		}
	}
}

func TestModels(t *testing.T) {
	for _, c := range []struct {
		cpu  sevsnp.CPU
		line sevsnp.Line
		die  sevsnp.Die
	}{
		{sevsnp.CPU{Family: 0x19, Model: 0x01, Stepping: 1}, sevsnp.Milan, sevsnp.Classic},
		{sevsnp.CPU{Family: 0x19, Model: 0x01, Stepping: 2}, sevsnp.Milan, sevsnp.Stacked},
		{sevsnp.CPU{Family: 0x19, Model: 0x0f, Stepping: 0}, sevsnp.Milan, sevsnp.Classic},
		{sevsnp.CPU{Family: 0x19, Model: 0x11, Stepping: 1}, sevsnp.Genoa, sevsnp.Classic},
		{sevsnp.CPU{Family: 0x19, Model: 0x11, Stepping: 2}, sevsnp.Genoa, sevsnp.Stacked},
		{sevsnp.CPU{Family: 0x19, Model: 0xa0, Stepping: 2}, sevsnp.Genoa, sevsnp.Dense},
		{sevsnp.CPU{Family: 0x19, Model: 0xaf, Stepping: 0}, sevsnp.Genoa, sevsnp.Dense},
		{sevsnp.CPU{Family: 0x1a, Model: 0x02, Stepping: 1}, sevsnp.Turin, sevsnp.Classic},
		{sevsnp.CPU{Family: 0x1a, Model: 0x11, Stepping: 0}, sevsnp.Turin, sevsnp.Dense},
	} {
		if l, err := c.cpu.Line(); err != nil || l != c.line || c.cpu.Die() != c.die {
			t.Errorf("%s: %s %s, %v", c.cpu, l, c.cpu.Die(), err)
		}
	}
	for _, c := range []sevsnp.CPU{{}, {0x17, 0x31, 0}, {0x19, 0x20, 0}, {0x19, 0x9f, 0}, {0x19, 0xb0, 0}, {0x1a, 0x20, 0}, {0x1b, 0, 0}} {
		if l, err := c.Line(); err == nil {
			t.Errorf("%s: %s", c, l)
		}
	}
}

func TestP15_Refusals(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		name, code string
		line       sevsnp.Line
		vlek       bool
		change     func(*sevsnptest.Machine)
		after      func(*sevsnptest.Evidence)
	}{
		{name: "revoked VCEK", code: "revoked", change: func(m *sevsnptest.Machine) { m.CRL.Revoked = []int64{sevsnptest.SerialLeaf} }},
		{name: "revoked VLEK", code: "revoked", vlek: true, change: func(m *sevsnptest.Machine) { m.CRL.Revoked = []int64{3, sevsnptest.SerialLeaf} }},
		{name: "revoked ASK", code: "revoked", change: func(m *sevsnptest.Machine) { m.CRL.Revoked = []int64{sevsnptest.SerialMid} }},
		{name: "revoked ASVK", code: "revoked", vlek: true, change: func(m *sevsnptest.Machine) { m.CRL.Revoked = []int64{sevsnptest.SerialMid} }},
		{name: "no CRL", code: "missing-crl", change: func(m *sevsnptest.Machine) { m.CRL = nil }},
		{name: "CRL by another", code: "crl", change: func(m *sevsnptest.Machine) { m.CRL.SignedBy = sevsnptest.Stranger }},
		{name: "CRL by the ASK", code: "crl", change: func(m *sevsnptest.Machine) { m.CRL.SignedBy = sevsnptest.ASK }},
		{name: "delta CRL", code: "crl", change: func(m *sevsnptest.Machine) { m.CRL.Delta = true }},
		{name: "expired CRL", code: "expired", change: func(m *sevsnptest.Machine) { m.CRL.To = sevsnptest.Now().Add(-time.Second) }},
		{name: "future CRL", code: "not-yet-valid", change: func(m *sevsnptest.Machine) { m.CRL.From = sevsnptest.Now().Add(time.Second) }},
		{name: "CRL of another line", code: "crl", after: func(e *sevsnptest.Evidence) {
			e.Collateral.CRL = made(t, sevsnptest.New(sevsnp.Turin)).Collateral.CRL
		}},
		{name: "garbage CRL even if it may be missing", code: "malformed", after: func(e *sevsnptest.Evidence) {
			e.Options.AllowMissingCRL, e.Collateral.CRL = true, []byte{0x30, 0}
		}},
		{name: "expired leaf", code: "expired", change: func(m *sevsnptest.Machine) { m.Cert.To = sevsnptest.Now().Add(-time.Second) }},
		{name: "future leaf", code: "not-yet-valid", change: func(m *sevsnptest.Machine) { m.Cert.From = sevsnptest.Now().Add(time.Second) }},
		{name: "expired ASK", code: "expired", change: func(m *sevsnptest.Machine) { m.Mid.To = sevsnptest.Now().Add(-day) }},
		{name: "future ASK", code: "not-yet-valid", change: func(m *sevsnptest.Machine) { m.Mid.From = sevsnptest.Now().Add(day) }},
		{name: "expired ARK", code: "expired", change: func(m *sevsnptest.Machine) { m.Root.To = sevsnptest.Now().Add(-day) }},
		{name: "leaf signed by another", code: "chain", change: func(m *sevsnptest.Machine) { m.Cert.IsSigned, m.Cert.SignedBy = true, sevsnptest.Stranger }},
		{name: "leaf signed by the ARK", code: "chain", change: func(m *sevsnptest.Machine) { m.Cert.IsSigned, m.Cert.SignedBy = true, sevsnptest.ARK }},
		{name: "VCEK signed by the ASVK", code: "chain", change: func(m *sevsnptest.Machine) { m.Cert.IsSigned, m.Cert.SignedBy = true, sevsnptest.ASVK }},
		{name: "VLEK certificate for a VCEK report", code: "wrong-key", change: func(m *sevsnptest.Machine) {
			m.Cert.Renamed, m.Cert.Key, m.Cert.CSPID = true, sevsnp.VLEK, "x"
		}},
		{name: "ASVK sent for a VCEK", code: "chain", after: func(e *sevsnptest.Evidence) { e.Collateral.Intermediate = e.Options.Roots[0].ASVK }},
		{name: "ARK sent as intermediate", code: "chain", after: func(e *sevsnptest.Evidence) { e.Collateral.Intermediate = e.Options.Roots[0].ARK }},
		{name: "leaf sent as intermediate", code: "chain", after: func(e *sevsnptest.Evidence) { e.Collateral.Intermediate = e.Collateral.Leaf }},
		{name: "intermediate signed by nobody", code: "chain", after: func(e *sevsnptest.Evidence) {
			mid := bytes.Clone(e.Options.Roots[0].ASK)
			mid[len(mid)-1] ^= 1
			e.Collateral.Intermediate = mid
		}},
		{name: "huge leaf", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Collateral.Leaf = make([]byte, 9<<10) }},
		{name: "huge CRL", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Collateral.CRL = make([]byte, 33<<10) }},
		{name: "critical extension", code: "malformed", change: func(m *sevsnptest.Machine) {
			m.Cert.Critical, m.Cert.AddExtras = true, map[string][]byte{"77": {5, 0}}
		}},
		{name: "root that is no certificate", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Options.Roots[0].ARK = []byte{0x30, 0} }},
		{name: "ASK sent as leaf", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Collateral.Leaf = e.Options.Roots[0].ASK }},
		{name: "no leaf", code: "missing-certificate", after: func(e *sevsnptest.Evidence) { e.Collateral.Leaf = nil }},
		{name: "leaf and a byte", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Collateral.Leaf = append(e.Collateral.Leaf, 0) }},
		{name: "AMD's roots", code: "untrusted-root", after: func(e *sevsnptest.Evidence) { e.Options.Roots[0].Key = sevsnp.AMD()[0].Key }},
		{name: "roots of another line", code: "untrusted-root", after: func(e *sevsnptest.Evidence) { e.Options.Roots[0].Line = sevsnp.Milan }},
		{name: "no roots", code: "no-trust", after: func(e *sevsnptest.Evidence) { e.Options.Roots = nil }},
		{name: "no time", code: "no-trust", after: func(e *sevsnptest.Evidence) { e.Options.Now = time.Time{} }},
		{name: "wrong product by CPU", code: "wrong-product", change: func(m *sevsnptest.Machine) { m.CPU.Model = 0x01 }},
		{name: "wrong product by certificate", code: "wrong-product", change: func(m *sevsnptest.Machine) { m.Cert.Line = sevsnp.Milan }},
		{name: "wrong product name", code: "wrong-product", change: func(m *sevsnptest.Machine) { m.Cert.Product = "Milan-B1" }},
		{name: "unknown line", code: "unknown-product", change: func(m *sevsnptest.Machine) { m.Cert.Line = "Venice" }},
		{name: "unknown CPU", code: "unknown-product", change: func(m *sevsnptest.Machine) { m.CPU.Model = 0x50 }},
		{name: "lower TCB than certified", code: "tcb-mismatch", change: func(m *sevsnptest.Machine) { m.Cert.SVNs = &sevsnp.SVNs{Bootloader: 10, SNP: 0x1d, Microcode: 0x57} }},
		{name: "higher TCB than certified", code: "tcb-mismatch", change: func(m *sevsnptest.Machine) { m.Cert.SVNs = &sevsnp.SVNs{Bootloader: 9, SNP: 0x1c, Microcode: 0x57} }},
		{name: "FMC differs", line: sevsnp.Turin, code: "tcb-mismatch", change: func(m *sevsnptest.Machine) { s := m.Reported; s.FMC++; m.Cert.SVNs = &s }},
		{name: "another chip", code: "chip-mismatch", change: func(m *sevsnptest.Machine) { m.Cert.HWID = bytes.Repeat([]byte{9}, 64) }},
		{name: "another Turin chip", line: sevsnp.Turin, code: "chip-mismatch", change: func(m *sevsnptest.Machine) { m.Cert.HWID = bytes.Repeat([]byte{9}, 8) }},
		{name: "Turin chip with a tail", line: sevsnp.Turin, code: "chip-mismatch", change: func(m *sevsnptest.Machine) { m.Edit = func(b []byte) { b[0x1a8] = 1 } }},
		{name: "Genoa with Turin's hwID", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.HWID = bytes.Repeat([]byte{9}, 8) }},
		{name: "no hwID", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.Leave = map[string]bool{"4": true} }},
		{name: "no microcode", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.Leave = map[string]bool{"3.8": true} }},
		{name: "VLEK with hwID", vlek: true, code: "malformed", change: func(m *sevsnptest.Machine) {
			m.Cert.AddExtras = map[string][]byte{"4": bytes.Repeat([]byte{9}, 64)}
		}},
		{name: "VCEK with cspID", code: "malformed", change: func(m *sevsnptest.Machine) {
			m.Cert.AddExtras = map[string][]byte{"5": {22, 1, 'x'}}
		}},
		{name: "unknown extension of AMD", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.AddExtras = map[string][]byte{"6": {2, 1, 0}} }},
		{name: "negative version", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.AddExtras = map[string][]byte{"3.8": {2, 1, 0x80}} }},
		{name: "reserved version", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.AddExtras = map[string][]byte{"3.5": {2, 1, 1}} }},
		{name: "structure version", code: "malformed", change: func(m *sevsnptest.Machine) { m.Cert.AddExtras = map[string][]byte{"1": {2, 1, 2}} }},
		{name: "signed by another key", code: "bad-signature", change: func(m *sevsnptest.Machine) { m.Signer = "somebody" }},
		{name: "report changed", code: "bad-signature", change: func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { b[0x90]++ } }},
		{name: "r flipped", code: "bad-signature", change: func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { b[0x2a0] ^= 1 } }},
		{name: "s flipped", code: "bad-signature", change: func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { b[0x2a0+72] ^= 1 } }},
		{name: "signature of zeros", code: "bad-signature", change: func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { clear(b[0x2a0:]) } }},
		{name: "unsigned", code: "unsigned", change: func(m *sevsnptest.Machine) { m.Edit = func(b []byte) { b[0x48] = 7<<2 | 2 } }},
		{name: "host's report", code: "host-requested", change: func(m *sevsnptest.Machine) { m.VMPL = 0xffffffff }},
		{name: "VMPL 4", code: "malformed", change: func(m *sevsnptest.Machine) { m.VMPL = 4 }},
		{name: "version 1", code: "unknown-version", change: func(m *sevsnptest.Machine) { m.Version = 1 }},
		{name: "version 6", code: "unknown-version", change: func(m *sevsnptest.Machine) { m.Version = 6 }},
		{name: "short", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Report = e.Report[:sevsnp.ReportSize-1] }},
		{name: "long", code: "malformed", after: func(e *sevsnptest.Evidence) { e.Report = append(e.Report, 0) }},
		{name: "bit 17 of the policy", code: "malformed", change: func(m *sevsnptest.Machine) { m.Policy &^= 1 << 17 }},
		{name: "bit 26 of the policy", code: "malformed", change: func(m *sevsnptest.Machine) { m.Policy |= 1 << 26 }},
		{name: "bit 8 of the platform", code: "malformed", change: func(m *sevsnptest.Machine) { m.Platform |= 1 << 8 }},
		{name: "algorithm", code: "malformed", change: func(m *sevsnptest.Machine) { m.Edit = func(b []byte) { b[0x34] = 2 } }},
		{name: "reserved key", code: "malformed", change: func(m *sevsnptest.Machine) { m.Edit = func(b []byte) { b[0x48] = 2 << 2 } }},
		{name: "reserved byte of a TCB", code: "malformed", change: func(m *sevsnptest.Machine) { m.Edit = func(b []byte) { b[0x3a] = 1 } }},
		{name: "reserved bytes, version 2", code: "malformed", change: func(m *sevsnptest.Machine) { m.Version = 2; m.Edit = func(b []byte) { b[0x188] = 0x19 } }},
		{name: "reserved bytes, version 3", code: "malformed", change: func(m *sevsnptest.Machine) { m.Version = 3; m.Edit = func(b []byte) { b[0x1f8] = 1 } }},
		{name: "reserved bytes, version 5", code: "malformed", change: func(m *sevsnptest.Machine) { m.Edit = func(b []byte) { b[0x29f] = 1 } }},
		{name: "bytes after r", code: "malformed", change: func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { b[0x2a0+48] = 1 } }},
		{name: "bytes after the signature", code: "malformed", change: func(m *sevsnptest.Machine) { m.EditSigned = func(b []byte) { b[0x49f] = 1 } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := sevsnp.Genoa
			if c.line != "" {
				l = c.line
			}
			m := sevsnptest.New(l)
			if c.vlek {
				m = m.WithVLEK()
			}
			if c.change != nil {
				c.change(&m)
			}
			e := made(t, m)
			if c.after != nil {
				c.after(&e)
			}
			got, err := verify(e)
			if err == nil {
				t.Fatal("accepted")
			}
			if r := claims.Reasons(err, "none"); len(r) != 1 || r[0].Code != c.code || r[0].Field == "" {
				t.Errorf("%v: want %s", err, c.code)
			}
			if len(got.Measurement) != 0 {
				t.Error("claims of evidence that was refused")
			}
		})
	}
}

func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name   string
		line   sevsnp.Line
		change func(*sevsnptest.Machine)
		want   func(claims.Claims) bool
	}{
		{"in order", sevsnp.Genoa, nil, func(c claims.Claims) bool {
			return len(c.Warnings) == 0 && c.Status == claims.UpToDate && len(c.Advisories) == 0 && c.TCBDate.Year() == 2026
		}},
		{"Turin", sevsnp.Turin, nil, func(c claims.Claims) bool { return c.Status == claims.UpToDate && len(c.ChipID) == 8 }},
		{"debug", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Policy |= sevsnp.PolicyDebug }, func(c claims.Claims) bool { return c.Debug }},
		{"migration agent", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Policy |= sevsnp.PolicyMigrateMA }, warns("migrate-ma")},
		{"smt allowed", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Policy |= sevsnp.PolicySMT }, warns("smt-allowed")},
		{"smt", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Platform |= sevsnp.PlatformSMT }, warns("smt")},
		{"sockets", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Policy &^= sevsnp.PolicySingleSocket }, warns("multi-socket")},
		{"cxl", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Policy |= sevsnp.PolicyCXL }, warns("cxl")},
		{"ciphertext", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Platform &^= sevsnp.PlatformCiphertextHiding }, warns("no-ciphertext-hiding")},
		{"aliases", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Platform &^= sevsnp.PlatformAliasCheck }, warns("no-alias-check")},
		{"power", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Platform &^= sevsnp.PlatformRAPLDisabled }, warns("rapl")},
		{"vmpl", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.VMPL = 3 }, warns("vmpl")},
		{"provisional TCB", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Committed.SNP-- }, warns("provisional-firmware")},
		{"provisional version", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.CommittedFirmware.Build-- }, warns("provisional-firmware")},
		{"masked chip", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Cert.HWID, m.ChipID = m.ChipID, nil }, func(c claims.Claims) bool {
			return warns("masked-chip-id")(c) && len(c.ChipID) == 64
		}},
		{"tagged hwID", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Cert.HWID = append([]byte{4, 64}, m.ChipID...) }, func(c claims.Claims) bool {
			return len(c.ChipID) == 64 && len(c.Warnings) == 0
		}},
		{"Milan", sevsnp.Milan, nil, warns("milan-seed")},
		{"VLEK", sevsnp.Genoa, func(m *sevsnptest.Machine) { *m = m.WithVLEK() }, warns("vlek")},
		{"sent intermediate", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.SendMid = true }, func(c claims.Claims) bool { return len(c.Warnings) == 0 }},
		{"named by stepping", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Cert.Product = "Genoa-B1" }, func(c claims.Claims) bool { return c.Status == claims.UpToDate }},
		{"snp behind", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Reported.SNP = 0x1a }, outOfDate("AMD-SB-3020")},
		{"microcode behind", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Reported.Microcode = 0x53 }, outOfDate("AMD-SB-3019", "AMD-SB-3027")},
		{"Bergamo counts otherwise", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.CPU.Model, m.Reported.Microcode = 0xa0, 0x19 }, func(c claims.Claims) bool {
			return c.Status == claims.UpToDate
		}},
		{"Genoa-X counts otherwise", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.CPU.Stepping, m.Reported.Microcode = 2, 0x50 }, outOfDate("AMD-SB-3027")},
		{"version 2 does not tell which die", sevsnp.Genoa, func(m *sevsnptest.Machine) { m.Version, m.Reported.Microcode = 2, 0x50 }, outOfDate("AMD-SB-3019", "AMD-SB-3027")},
		{"Turin behind", sevsnp.Turin, func(m *sevsnptest.Machine) { m.Reported.SNP = 3 }, outOfDate("AMD-SB-3020")},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := sevsnptest.New(c.line)
			if c.change != nil {
				c.change(&m)
			}
			got, err := verify(made(t, m))
			if err != nil {
				t.Fatal(err)
			}
			if !c.want(got) {
				t.Errorf("%s since %s, %v, warnings %v, chip %x", got.Status, got.TCBDate, got.Advisories, got.Warnings, got.ChipID)
			}
			if !slices.IsSorted(got.Warnings) || !slices.IsSorted(got.Advisories) {
				t.Error("not sorted")
			}
		})
	}
}

func warns(w string) func(claims.Claims) bool {
	return func(c claims.Claims) bool { return slices.Contains(c.Warnings, w) }
}

func outOfDate(advisories ...string) func(claims.Claims) bool {
	return func(c claims.Claims) bool {
		return c.Status == claims.OutOfDate && slices.Equal(c.Advisories, advisories)
	}
}

func TestMissingCRLIsAWarning(t *testing.T) {
	m := sevsnptest.New(sevsnp.Genoa)
	m.CRL = nil
	e := made(t, m)
	e.Options.AllowMissingCRL = true
	if c, err := verify(e); err != nil || !slices.Equal(c.Warnings, []string{"no-crl"}) {
		t.Error(c.Warnings, err)
	}
}

// A development network believes its own ARK besides AMD's.
func TestTwoRootsOfALine(t *testing.T) {
	m := sevsnptest.New(sevsnp.Genoa)
	m.SendMid = true
	e := made(t, m)
	own := e.Options.Roots[0]
	own.ASK, own.ASVK, own.Issued = nil, nil, nil
	for _, roots := range [][]sevsnp.Root{append(sevsnp.AMD(), own), append([]sevsnp.Root{own}, sevsnp.AMD()...)} {
		e.Options.Roots = roots
		if _, err := verify(e); err != nil {
			t.Error(err)
		}
	}
	e.Options.Roots = sevsnp.AMD()
	if _, err := verify(e); err == nil {
		t.Error("AMD vouches for a key of ours")
	}
}

func TestValidityIsTheNarrowest(t *testing.T) {
	m := sevsnptest.New(sevsnp.Genoa)
	c, err := verify(made(t, m))
	if err != nil || !c.NotBefore.Equal(m.CRL.From) || !c.NotAfter.Equal(m.CRL.To) {
		t.Error(c.NotBefore, c.NotAfter, err)
	}
}

func TestPolicyRaisesFloors(t *testing.T) {
	e := made(t, sevsnptest.New(sevsnp.Genoa))
	e.Options.Floors = []sevsnp.Floor{
		{Advisory: "ours", Line: sevsnp.Genoa, Component: sevsnp.Bootloader, Least: 11},
		{Advisory: "theirs", Line: sevsnp.Turin, Component: sevsnp.Bootloader, Least: 11},
	}
	if c, err := verify(e); err != nil || !outOfDate("ours")(c) {
		t.Error(c.Status, c.Advisories, err)
	}
}

// A signature (r, n-s) is as valid as (r, s): it changes no claim.
func TestOtherHalfOfTheSignature(t *testing.T) {
	e := made(t, sevsnptest.New(sevsnp.Genoa))
	n, _ := new(big.Int).SetString("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)
	le := e.Report[0x2a0+72 : 0x2a0+72+48]
	be := slices.Clone(le)
	slices.Reverse(be)
	n.Sub(n, new(big.Int).SetBytes(be)).FillBytes(be)
	slices.Reverse(be)
	copy(le, be)
	if c, err := verify(e); err != nil || c.Measurement[0] != 0x4d {
		t.Error(err)
	}
}
