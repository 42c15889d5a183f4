package attest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/wire"
)

// tcbInfo is what status reads of Intel's TCB info and QE identity, after their signatures have been checked.
type tcbInfo struct {
	TCBLevels           []tcbLevel
	TDXModuleIdentities []struct {
		ID        string
		TCBLevels []tcbLevel
	}
}

type tcbLevel struct {
	TCB struct {
		SGXTCBComponents, TDXTCBComponents []component
		PCESVN, ISVSVN                     uint64
	}
	TCBDate, TCBStatus string
}

type component struct {
	SVN            uint64
	Category, Type string
}

// best is the level with the best rating; of several the one that asks for least, which stands last.
func best(levels []tcbLevel) *tcbLevel {
	var out *tcbLevel
	rank := func(l *tcbLevel) claims.Status { return claims.ParseStatus(l.TCBStatus) }
	for i := range levels {
		if l := &levels[i]; rank(l) != claims.Unknown && (out == nil || rank(l) <= rank(out)) {
			out = l
		}
	}
	return out
}

// nextIntel says what the best level of the platform, the TDX module and the quoting enclave ask for that the evidence lacks.
func nextIntel(pieces []piece, c *claims.Claims) (*next, error) {
	var info, qe tcbInfo
	for _, p := range pieces {
		into := map[wire.CollateralKind]*tcbInfo{wire.COLLATERAL_KIND_TCB_INFO: &info, wire.COLLATERAL_KIND_QE_IDENTITY: &qe}[p.kind]
		if into == nil {
			continue
		}
		if err := json.Unmarshal(p.data, into); err != nil {
			return nil, fmt.Errorf("reading the %s: %w", p.Name, err)
		}
	}
	level := best(info.TCBLevels)
	if level == nil {
		return nil, nil
	}
	n := &next{Status: level.TCBStatus, Date: strings.TrimSuffix(level.TCBDate, "T00:00:00Z"), Short: []short{}}
	n.components(c, "sgx-tcb-%02d", level.TCB.SGXTCBComponents, 0)
	n.compare(c, "pcesvn", level.TCB.PCESVN, "PCE", "an update of the platform's PCE, and a PCK certificate fetched after it")
	module := moduleID(c)
	from := 0
	if module != "" {
		from = 2 // a module with an identity of its own is rated by that
	}
	n.components(c, "tdx-tcb-%02d", level.TCB.TDXTCBComponents, from)
	for _, m := range info.TDXModuleIdentities {
		if l := best(m.TCBLevels); m.ID == module && l != nil {
			n.compare(c, "tdx-tcb-01", l.TCB.ISVSVN, "TDX module", "a newer TDX module, with the BIOS or loaded by the host")
		}
	}
	if l := best(qe.TCBLevels); l != nil {
		n.compare(c, "qe-isvsvn", l.TCB.ISVSVN, "quoting enclave", "newer DCAP packages on the host")
	}
	if len(n.Short) == 0 {
		return nil, nil
	}
	return n, nil
}

// moduleID is the TDX module's name in TCB info; empty for that of TDX 1.0, and for SGX.
func moduleID(c *claims.Claims) string {
	if v, ok := c.Version("tdx-tcb-02"); ok && v > 0 {
		return fmt.Sprintf("TDX_%02X", v)
	}
	return ""
}

func (n *next) components(c *claims.Claims, name string, list []component, from int) {
	for i := from; i < len(list); i++ {
		of := strings.Trim(list[i].Category+": "+list[i].Type, ": ")
		n.compare(c, fmt.Sprintf(name, i+1), list[i].SVN, of, raises(list[i], c.PlatformStatus))
	}
}

// raises says what an operator does about a component. Those that Intel does not name are about settings, where its rating says so.
func raises(c component, rating claims.Status) string {
	configuration := rating == claims.ConfigurationNeeded || rating == claims.ConfigurationAndSWHardeningNeeded
	switch {
	case c.Type == "" && configuration:
		return "other BIOS settings, as the advisories say"
	case strings.Contains(c.Type, "Late Microcode"):
		return "a microcode update, loaded by the host's system or with the BIOS"
	case strings.Contains(c.Type, "Microcode"):
		return "a BIOS with newer microcode"
	case strings.Contains(c.Type, "TDX Module"):
		return "a newer TDX module, with the BIOS or loaded by the host"
	case strings.Contains(c.Type, "SEAMLDR"), strings.Contains(c.Type, "Loader"):
		return "a newer SEAM loader"
	default:
		return "a BIOS update"
	}
}

func (n *next) compare(c *claims.Claims, name string, want uint64, of, raised string) {
	if is, ok := c.Version(name); ok && is < want {
		n.Short = append(n.Short, short{name, is, want, of, raised})
	}
}

// snpReport is the report in the evidence. That of an Azure guest stands behind the 32 bytes of the HCL report's header.
func snpReport(ev *wire.Evidence) []byte {
	const header = 32
	if ev.Kind != wire.TEE_KIND_AZURE_SEV_SNP {
		return ev.Quote
	}
	var q wire.AzureQuote
	if wire.Unmarshal(ev.Quote, &q) != nil || len(q.HclReport) < header+sevsnp.ReportSize {
		return nil
	}
	return q.HclReport[header : header+sevsnp.ReportSize]
}

// nextAMD says which floors of AMD's bulletins the report misses.
func nextAMD(report []byte, pieces []piece, c *claims.Claims) (*next, error) {
	var leaf []byte
	for _, p := range pieces {
		if p.kind == wire.COLLATERAL_KIND_SNP_LEAF {
			leaf = p.data
		}
	}
	floors, err := sevsnp.Missed(report, leaf)
	if err != nil || len(floors) == 0 {
		return nil, err
	}
	n := &next{Status: claims.UpToDate.String() + " by AMD's bulletins", Date: day(sevsnp.FloorsDate()), Short: []short{}}
	for _, f := range floors {
		raised := "a BIOS with newer firmware of the secure processor"
		if f.Component == sevsnp.Microcode {
			raised = "newer microcode, with the BIOS or loaded by the host"
		}
		n.compare(c, string(f.Component), uint64(f.Least), f.Advisory, raised)
	}
	return n, nil
}
