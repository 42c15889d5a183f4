package sevsnp

import (
	"slices"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Floor is the least security version of one component that some advisory requires.
type Floor struct {
	Advisory  string // "AMD-SB-3019"; a policy's own name for floors of its own
	Line      Line
	Die       Die // AnyDie for what the whole line has in common
	Component Component
	Least     uint8
}

// Die tells processors of a line apart whose microcode is numbered differently.
type Die string

// The dies. UnknownDie is what a report of version 2 comes from; every floor of the line counts for it.
const (
	AnyDie     Die = ""
	UnknownDie Die = "?"
	Classic    Die = "classic"
	Stacked    Die = "stacked" // 3D V-Cache: Milan-X, Genoa-X; stepping 2
	Dense      Die = "dense"   // Bergamo, Siena, Turin Dense
)

// Die is which of its line's dies the processor is.
func (c CPU) Die() Die {
	switch {
	case c == CPU{}:
		return UnknownDie
	case c.Family == 0x19 && c.Model >= 0xa0, c.Family == 0x1a && c.Model >= 0x10:
		return Dense
	case c.Family == 0x19 && c.Stepping == 2:
		return Stacked
	default:
		return Classic
	}
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// FloorsDate is up to when AMD's bulletins have been read for the table below.
func FloorsDate() time.Time { return date(2026, time.October, 8) }

// bulletin is what one of AMD's security bulletins requires, as far as a report can show it.
type bulletin struct {
	id     string
	date   time.Time
	floors []Floor
}

// bulletins, oldest first. Listed is only what a report's TCB can show: AMD-SB-3030, 3033 and 3034 have mitigations without a security
// version, which no floor can require.
func bulletins() []bulletin {
	return []bulletin{
		// CVE-2024-56161: microcode signatures could be forged.
		{"AMD-SB-3019", date(2025, time.February, 3), []Floor{
			{Line: Milan, Component: SNP, Least: 0x18},
			{Line: Milan, Die: Classic, Component: Microcode, Least: 0xdb},
			{Line: Milan, Die: Stacked, Component: Microcode, Least: 0x44},
			{Line: Genoa, Component: SNP, Least: 0x17},
			{Line: Genoa, Die: Classic, Component: Microcode, Least: 0x54},
			{Line: Genoa, Die: Stacked, Component: Microcode, Least: 0x4f},
			{Line: Genoa, Die: Dense, Component: Microcode, Least: 0x19},
		}},
		// CVE-2025-0033: the reverse map could be written while SNP was being initialised.
		{"AMD-SB-3020", date(2025, time.October, 13), []Floor{
			{Line: Genoa, Component: SNP, Least: 0x1b},
			{Line: Turin, Component: SNP, Least: 0x04},
		}},
		// CVE-2025-29943: the stack engine could be misled from a sibling thread.
		{"AMD-SB-3027", date(2026, time.January, 15), []Floor{
			{Line: Genoa, Die: Classic, Component: Microcode, Least: 0x56},
			{Line: Genoa, Die: Stacked, Component: Microcode, Least: 0x51},
			{Line: Turin, Die: Classic, Component: Microcode, Least: 0x51},
		}},
		// CVE-2025-48514 among others: memory errors of the SNP firmware.
		{"AMD-SB-3023", date(2026, time.February, 10), []Floor{
			{Line: Milan, Component: SNP, Least: 0x1b},
		}},
	}
}

// short is whether svns are below the floor, on a processor of that line and die.
func (f Floor) short(l Line, d Die, svns SVNs) bool {
	return f.Line == l && (f.Die == AnyDie || d == UnknownDie || f.Die == d) && svns.of(f.Component) < f.Least
}

// rate sets status, date and advisories. AMD rates nothing itself, so this is ours: UpToDate if the reported TCB reaches every floor,
// OutOfDate with the advisories whose floors it misses otherwise. TCBDate is that of the newest bulletin before the first one missed.
func rate(svns SVNs, l Line, d Die, own []Floor, out *claims.Claims) {
	out.Status = claims.UpToDate
	missed := func(advisory string) {
		out.Status = claims.OutOfDate
		if !slices.Contains(out.Advisories, advisory) {
			out.Advisories = append(out.Advisories, advisory)
		}
	}
	for _, b := range bulletins() {
		for _, f := range b.floors {
			if f.short(l, d, svns) {
				missed(b.id)
			}
		}
		if out.Status == claims.UpToDate {
			out.TCBDate = b.date
		}
	}
	for _, f := range own {
		if f.short(l, d, svns) {
			missed(f.Advisory)
		}
	}
	slices.Sort(out.Advisories)
	out.PlatformStatus = out.Status
}
