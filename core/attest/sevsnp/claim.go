package sevsnp

import (
	"slices"

	"github.com/phala-go/phala/core/attest/claims"
)

// claim writes what the verified report says into out.
func (p *Report) claim(k *leaf, t tcbs, out *claims.Claims) {
	out.Measurement = p.Measurement[:]
	out.ReportData = p.ReportData[:]
	out.HostData = p.HostData[:]
	out.ChipID = k.hwID
	out.Debug = p.Policy&PolicyDebug != 0
	out.Registers = []claims.Register{
		{Name: "MEASUREMENT", Value: p.Measurement[:]},
		{Name: "HOST_DATA", Value: p.HostData[:]},
		{Name: "ID_KEY_DIGEST", Value: p.IDKeyDigest[:]},
		{Name: "AUTHOR_KEY_DIGEST", Value: p.AuthorKeyDigest[:]},
		{Name: "FAMILY_ID", Value: p.FamilyID[:]},
		{Name: "IMAGE_ID", Value: p.ImageID[:]},
		{Name: "REPORT_ID", Value: p.ReportID[:]},
	}
	if k.kind == VLEK {
		out.Registers = append(out.Registers, claims.Register{Name: "CSP_ID", Value: []byte(k.cspID)})
		if !allZero(p.ChipID[:]) {
			out.ChipID = p.ChipID[:k.line.chipIDSize()]
		}
	}
	out.Versions = append(t.reported.versions(k.line, ""), t.committed.versions(k.line, "committed-")...)
	out.Versions = append(out.Versions,
		claims.Version{Name: "guest-svn", Value: uint64(p.GuestSVN)},
		claims.Version{Name: "abi", Value: p.Committed.number()},
		claims.Version{Name: "report", Value: uint64(p.Version)},
	)
	out.Warnings = p.warnings(k, t)
}

// tcbs are the security versions of a report, taken apart.
type tcbs struct{ current, reported, committed, launch SVNs }

// tcbs takes them apart as the line has them.
func (p *Report) tcbs(l Line) (t tcbs, err error) {
	for _, x := range []struct {
		field string
		raw   TCB
		to    *SVNs
	}{
		{"CURRENT_TCB", p.CurrentTCB, &t.current},
		{"REPORTED_TCB", p.ReportedTCB, &t.reported},
		{"COMMITTED_TCB", p.CommittedTCB, &t.committed},
		{"LAUNCH_TCB", p.LaunchTCB, &t.launch},
	} {
		if *x.to, err = x.raw.SVNs(l, x.field); err != nil {
			return tcbs{}, err
		}
	}
	return t, nil
}

// warnings are what is allowed and yet worth a policy's attention.
func (p *Report) warnings(k *leaf, t tcbs) []string {
	var out []string
	for _, w := range []struct {
		name string
		is   bool
	}{
		{"cxl", p.Policy&PolicyCXL != 0},
		{"masked-chip-id", k.kind == VCEK && allZero(p.ChipID[:])},
		{"migrate-ma", p.Policy&PolicyMigrateMA != 0},
		{"milan-seed", k.line == Milan}, // AMD-SB-3045: the seed of the VCEK has been read out of such chips, of any TCB
		{"multi-socket", p.Policy&PolicySingleSocket == 0},
		{"no-alias-check", p.Platform&PlatformAliasCheck == 0},
		{"no-ciphertext-hiding", p.Platform&PlatformCiphertextHiding == 0},
		{"provisional-firmware", t.committed.less(t.current) || p.Committed.number() < p.Current.number()},
		{"rapl", p.Platform&PlatformRAPLDisabled == 0},
		{"smt", p.Platform&PlatformSMT != 0},
		{"smt-allowed", p.Policy&PolicySMT != 0},
		{"vlek", k.kind == VLEK}, // one key for many chips, held by the cloud
		{"vmpl", p.VMPL != 0},
	} {
		if w.is {
			out = append(out, w.name)
		}
	}
	slices.Sort(out)
	return out
}
