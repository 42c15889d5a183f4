package attest

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/attest/claims"
)

func verifyCmd(e Env) *cobra.Command {
	var s source
	var r ruleFlags
	var measurement, reportData, nonce string
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "Judge evidence: exit code 0 if it is accepted, 7 if it is refused", Args: cobra.MaximumNArgs(1),
		Long: `Judges evidence by its maker's word (signatures, certificates, revocation lists, dates) and a policy: the chain's (--chain), that of a
file (--policy), or by default: confidence levels 1 to 5, no debug, nothing simulated or revoked. Warnings are told, and refused only
by a policy that does not name them. With --channel it dials an enclave and judges whom it talks to by the chain's policy and registration.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.channel != "" {
				return s.verifyChannel(cmd, e, args, &r, measurement)
			}
			l, err := s.load(cmd.Context(), e, args)
			if err != nil {
				return err
			}
			j := judgement{}
			if j.rules, err = r.load(cmd.Context(), e, l); err != nil {
				return err
			}
			if j.measurement, err = hexFlag(e, "measurement", measurement); err != nil {
				return err
			}
			if j.reportData, err = hexFlag(e, "report-data", reportData); err != nil {
				return err
			}
			if j.nonce, err = hexFlag(e, "nonce", nonce); err != nil {
				return err
			}
			v := l.judge(j)
			if err := e.Print(v, func(w io.Writer) { v.write(newPage(e, w), l, j) }); err != nil {
				return err
			}
			if !v.Accepted {
				return &Refused{v.Reasons}
			}
			return nil
		},
	}
	s.flags(cmd)
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&s.channel, "channel", "", "host:port of an enclave's attested channel: who is there (with --worker: who must be there)")
	f.StringVar(&measurement, "measurement", "", "the measurement that the program must have, in hexadecimal")
	f.StringVar(&reportData, "report-data", "", "what the evidence must carry, in hexadecimal; zeros may follow it")
	f.StringVar(&nonce, "nonce", "", "the nonce that it must answer, in hexadecimal: Nitro has a field for it, elsewhere it is the report data")
	return cmd
}

func hexFlag(e Env, name, value string) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(value, "0x"))
	if err != nil || len(b) > 64 {
		return nil, e.Usage("--%s %q: want up to 64 bytes in hexadecimal", name, value)
	}
	return b, nil
}

var levelNames = [...]string{"", "up to date", "software hardening needed", "configuration needed, known advisories only", "configuration needed", "out of date"}

// levelText is a level with its name and what it counts; empty where no level fits.
func levelText(level int, score float64) string {
	switch {
	case level == 0:
		return ""
	case score == 0:
		return fmt.Sprintf("%d (%s)", level, levelNames[level])
	default:
		return fmt.Sprintf("%d (%s), score %.1f", level, levelNames[level], score)
	}
}

func (v *verdict) write(p *page, l *loaded, j judgement) {
	word := p.good("accepted")
	if !v.Accepted {
		word = p.bad("refused")
	}
	p.line("%s  %s, judged at %s (%s) by %s", word, clean(l.Format), moment(l.time), l.dated, j.rules.name())
	v.facts(p)
	for _, n := range v.notes {
		p.row("note", n)
	}
	writeReasons(p, v.Reasons)
}

// facts are what the maker vouches for; none if it does not.
func (v *verdict) facts(p *page) {
	p.row("kind", v.Kind)
	if v.Measurement == "" {
		return
	}
	p.row("level", levelText(v.Level, v.Score))
	p.row("status", v.Status)
	p.row("platform", v.PlatformStatus)
	p.row("module", v.ModuleStatus)
	p.row("QE", v.QEStatus)
	p.row("TCB of", day(v.claims.TCBDate))
	p.row("advisories", strings.Join(v.Advisories, " "))
	p.row("debug", onOff(v.Debug))
	p.row("warnings", strings.Join(v.warnings(), " "))
	p.row("measurement", v.Measurement)
	p.row("report data", v.ReportData)
	p.row("chip", hex.EncodeToString(v.claims.ChipID))
	p.row("in force until", moment(v.claims.NotAfter))
}

func writeReasons(p *page, reasons []claims.Reason) {
	for _, r := range reasons {
		p.line("  %s %s", p.bad("✗ "+clean(r.Code)), clean(r.Field))
		for _, part := range [][2]string{{"is", r.Got}, {"want", r.Want}, {"do", r.Advice}} {
			if part[1] != "" {
				p.line("      %-5s %s", part[0], clean(part[1]))
			}
		}
	}
}
