package attest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

func statusCmd(e Env) *cobra.Command {
	var s source
	cmd := &cobra.Command{
		Use: "status FILE", Short: "Show the TCB now and next, what is short, and how long the collateral lasts", Args: cobra.MaximumNArgs(1),
		Long: `Shows how the maker rates the platform now, which level is next and which security versions it lacks with what raises them, and the days
left until each piece of collateral must be fetched anew. Collateral that has run out is read as of its last day.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := s.load(cmd.Context(), e, args)
			if err != nil {
				return err
			}
			if l.Evidence == nil {
				return fmt.Errorf("reading %s: a %s has no platform: name a quote or report", l.name, l.Format)
			}
			st, err := l.status()
			if err != nil {
				return err
			}
			return e.Print(st, func(w io.Writer) { st.write(newPage(e, w), l) })
		},
	}
	s.flags(cmd)
	return cmd
}

// short is a security version that the next level asks for.
type short struct {
	Name   string `json:"name"`
	Is     uint64 `json:"is"`
	Want   uint64 `json:"want"`
	Of     string `json:"of"`     // what the version is of
	Raised string `json:"raised"` // what raises it
}

// next is the level that a platform can reach.
type next struct {
	Status string  `json:"status"`
	Date   string  `json:"date"`
	Short  []short `json:"short"`
}

// due is a piece of collateral and the days that are left of it.
type due struct {
	Name     string    `json:"name"`
	Until    time.Time `json:"until"`
	DaysLeft int       `json:"days_left"` // negative: it has run out
}

type status struct {
	Kind           string          `json:"kind"`
	At             time.Time       `json:"at"`
	AsOf           time.Time       `json:"as_of,omitzero"` // another time at which the collateral was still in force
	Level          int             `json:"level"`
	Score          float64         `json:"score"`
	Status         string          `json:"status"`
	PlatformStatus string          `json:"platform_status"`
	ModuleStatus   string          `json:"module_status"`
	QEStatus       string          `json:"qe_status"`
	TCBDate        string          `json:"tcb_date"`
	Advisories     []string        `json:"advisories"`
	Next           *next           `json:"next"` // null: nothing better is known
	Collateral     []due           `json:"collateral"`
	Reasons        []claims.Reason `json:"reasons"`
}

func (l *loaded) status() (*status, error) {
	pieces, err := l.pieces()
	if err != nil {
		return nil, err
	}
	st := &status{Kind: kindName(l.Evidence.Kind), At: l.time, Collateral: []due{}}
	for _, p := range pieces {
		if !p.Until.IsZero() {
			st.Collateral = append(st.Collateral, due{p.Name, p.Until, int(p.Until.Sub(l.time).Hours()) / 24})
			if p.Until.Before(l.time) {
				st.Collateral[len(st.Collateral)-1].DaysLeft--
			}
		}
	}
	v := l.judge(judgement{})
	if v.Measurement == "" {
		v = l.asOf(st, v)
	}
	st.Level, st.Score, st.Status, st.PlatformStatus, st.ModuleStatus, st.QEStatus = v.Level, v.Score, v.Status, v.PlatformStatus, v.ModuleStatus, v.QEStatus
	st.TCBDate, st.Advisories, st.Reasons = day(v.claims.TCBDate), v.Advisories, v.Reasons
	if v.Measurement == "" {
		return st, nil
	}
	switch l.Evidence.Kind {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX:
		st.Next, err = nextIntel(pieces, &v.claims)
	case wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP:
		st.Next, err = nextAMD(snpReport(l.Evidence), pieces, &v.claims)
	}
	return st, err
}

// asOf judges at the last second at which all of the collateral was in force, if only that stands in the way.
func (l *loaded) asOf(st *status, now *verdict) *verdict {
	var last time.Time
	for _, d := range st.Collateral {
		if last.IsZero() || d.Until.Before(last) {
			last = d.Until
		}
	}
	if last.IsZero() || !last.Before(l.time) {
		return now
	}
	then := *l
	then.time = last.Add(-time.Second)
	v := then.judge(judgement{})
	if v.Measurement == "" {
		return now
	}
	st.AsOf = then.time
	return v
}

func (st *status) write(p *page, l *loaded) {
	p.line("%s, %s (%s)", clean(l.Format), moment(l.time), l.dated)
	if !st.AsOf.IsZero() {
		p.line("%s; what follows is as of %s", p.bad("the collateral has run out: fetch it anew"), moment(st.AsOf))
	}
	p.row("level", levelText(st.Level, st.Score))
	p.row("status", st.Status)
	p.row("platform", st.PlatformStatus)
	p.row("module", st.ModuleStatus)
	p.row("QE", st.QEStatus)
	p.row("TCB of", st.TCBDate)
	p.row("advisories", strings.Join(st.Advisories, " "))
	writeReasons(p, st.Reasons)
	if st.Next != nil {
		p.line("next: %s, as of %s", clean(st.Next.Status), clean(st.Next.Date))
		rows := [][]string{{"version", "is", "want", "of", "raised by"}}
		for _, s := range st.Next.Short {
			rows = append(rows, []string{s.Name, fmt.Sprint(s.Is), fmt.Sprint(s.Want), s.Of, s.Raised})
		}
		p.cells(rows)
	}
	if len(st.Collateral) > 0 {
		p.line("collateral")
		rows := [][]string{{"piece", "until", "days left"}}
		for _, d := range st.Collateral {
			rows = append(rows, []string{d.Name, day(d.Until), fmt.Sprint(d.DaysLeft)})
		}
		p.cells(rows)
	}
}
