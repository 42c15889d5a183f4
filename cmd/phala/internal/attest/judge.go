package attest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/nitro"
	"github.com/phala-go/phala/core/wire"
)

type register = claims.Register

// judgement is what is asked of evidence besides its maker's word.
type judgement struct {
	rules       *rules // nil: the maker's word, confidence levels 1 to 5, no debug, nothing simulated or revoked
	measurement []byte // nil: any
	reportData  []byte // nil: any
	nonce       []byte // nil: any
}

// verdict is what the command prints as JSON.
type verdict struct {
	Accepted       bool            `json:"accepted"`
	Kind           string          `json:"kind"`
	Level          int             `json:"level"`
	Score          float64         `json:"score"` // what a worker of the level counts, 0 to 1; 0 for what is refused
	Status         string          `json:"status"`
	PlatformStatus string          `json:"platform_status"`
	ModuleStatus   string          `json:"module_status"`
	QEStatus       string          `json:"qe_status"`
	Advisories     []string        `json:"advisories"`
	Debug          bool            `json:"debug"`
	Measurement    string          `json:"measurement"`
	ReportData     string          `json:"report_data"`
	Reasons        []claims.Reason `json:"reasons"`

	claims claims.Claims
	notes  []string
}

func (v *verdict) refuse(code, field, got, want, advice string) {
	v.Reasons = append(v.Reasons, claims.Reason{Code: code, Field: field, Got: got, Want: want, Advice: advice})
}

// check asks the maker.
func (l *loaded) check(roots attest.Roots) (claims.Claims, []claims.Reason) {
	ev := l.Evidence
	switch {
	case ev == nil:
		return claims.Claims{}, []claims.Reason{{Code: "no-evidence", Field: "file", Got: l.Format, Want: "evidence that a TEE has signed",
			Advice: "a log proves nothing alone: name the quote, and the log with --log"}}
	case len(ev.Collateral) == 0 && (ev.Kind == wire.TEE_KIND_TDX || ev.Kind == wire.TEE_KIND_SGX):
		return claims.Claims{}, []claims.Reason{{Code: "collateral-missing", Field: "collateral", Got: "none", Want: "what Intel publishes about this platform",
			Advice: "name a file that holds it with --collateral"}}
	case len(ev.Collateral) == 0 && ev.Kind == wire.TEE_KIND_SEV_SNP:
		return claims.Claims{}, []claims.Reason{{Code: "collateral-missing", Field: "certificate", Got: "none", Want: "the VCEK or VLEK that signed the report",
			Advice: "lay it beside the report as NAME.cert.der, or name it with --collateral"}}
	}
	c, err := attest.Check(ev, attest.Verifier{Time: l.time, Roots: roots, Stored: l.kept})
	return c, claims.Reasons(err, "bad-quote")
}

// judge gives the verdict on what was loaded.
func (l *loaded) judge(j judgement) *verdict {
	v := &verdict{Kind: kindName(l.Evidence.GetKind()), Reasons: []claims.Reason{}, Advisories: []string{}}
	c, reasons := l.check(j.rules.roots())
	v.Reasons = append(v.Reasons, reasons...)
	if len(reasons) == 0 {
		v.tell(c)
		l.demand(j, v)
	}
	v.decide()
	return v
}

// decide accepts what nothing speaks against, and counts its score.
func (v *verdict) decide() {
	v.Accepted, v.Score = len(v.Reasons) == 0, 0
	if v.Accepted {
		v.Score = float64(claims.Score(v.Level)) / 10
	}
}

func (v *verdict) tell(c claims.Claims) {
	v.claims = c
	v.Status, v.PlatformStatus, v.ModuleStatus, v.QEStatus = c.Status.String(), c.PlatformStatus.String(), c.ModuleStatus.String(), c.QEStatus.String()
	v.Advisories = append(v.Advisories, c.Advisories...)
	v.Debug = c.Debug
	v.Measurement, v.ReportData = hex.EncodeToString(c.Measurement), hex.EncodeToString(c.ReportData)
}

func (l *loaded) demand(j judgement, v *verdict) {
	kind := l.Evidence.Kind
	if j.rules == nil {
		v.Level = attest.LevelOf(kind, &v.claims, nil)
		v.makersWord(kind)
	} else {
		v.Level = j.rules.apply(l, v)
	}
	if len(j.measurement) != 0 && !bytes.Equal(j.measurement, v.claims.Measurement) {
		advice := "run the build that has this measurement, or ask for the one that runs"
		for _, r := range v.claims.Registers {
			if bytes.Equal(r.Value, j.measurement) {
				advice = "what you gave is " + r.Name + ", which is only a part of the measurement"
			}
		}
		v.refuse("unknown-measurement", "measurement", v.Measurement, hex.EncodeToString(j.measurement), advice)
	}
	const again = "ask the TEE for evidence that carries this"
	if len(j.reportData) != 0 && !carries(v.claims.ReportData, j.reportData) {
		v.refuse("report-data", "report data", v.ReportData, hex.EncodeToString(j.reportData), again)
	}
	for _, want := range [][]byte{j.nonce, l.Nonce} {
		if has := l.carried(v); len(want) != 0 && !carries(has, want) {
			v.refuse("nonce", "nonce", hex.EncodeToString(has), hex.EncodeToString(want), again)
		}
	}
	l.replay(v)
}

// carried is where verified evidence carries a nonce: Nitro's documents have a field for it, the others put it into the report data.
func (l *loaded) carried(v *verdict) []byte {
	if l.Evidence.Kind == wire.TEE_KIND_NITRO || l.Evidence.Kind == wire.TEE_KIND_NITRO_TPM {
		if d, err := nitro.Parse(l.Evidence.Quote); err == nil {
			return d.Nonce
		}
	}
	return v.claims.ReportData
}

// carries is whether report data is want, or want and zeros up to its size.
func carries(data, want []byte) bool {
	return len(data) >= len(want) && bytes.Equal(data[:len(want)], want) && len(bytes.Trim(data[len(want):], "\x00")) == 0
}

// makersWord is the policy where none is given.
func (v *verdict) makersWord(kind wire.TeeKind) {
	const policy = "judge it under a policy that names it with --policy"
	if kind == wire.TEE_KIND_SIMULATED {
		v.refuse("simulated", "kind", "simulated", "a real TEE", "anybody can make such evidence: only a development network takes it")
		return
	}
	if kind == wire.TEE_KIND_TPM {
		v.notes = append(v.notes, "a TPM hides no memory: only a development network counts it")
	}
	if v.Debug {
		v.refuse("debug", "debug", "on", "off", "start the enclave without debug: its host can look inside")
	}
	if v.Level == 0 {
		v.refuse("tcb-status", "status", fmt.Sprintf("%q", v.Status), "one that a confidence level stands for", "update the platform's firmware and microcode, or "+policy)
	}
}

// replay compares the log with the registers that the maker vouches for. A program may extend PCRs of its own without writing to the
// firmware's log: those are told, the others must follow from it.
func (l *loaded) replay(v *verdict) {
	if l.Log == nil {
		return
	}
	explained, without := unlogged(l.Log, l.LogKind, v.claims.Registers)
	if len(without) > 0 {
		v.notes = append(v.notes, "the log has no event of "+strings.Join(without, ", "))
	}
	if err := l.Log.Explain(explained); err != nil {
		v.Reasons = append(v.Reasons, claims.Reasons(err, "event-log")...)
		return
	}
	v.notes = append(v.notes, fmt.Sprintf("the log's %d events lead to the registers", len(l.Log.Events)))
}

// kindName is a kind as people read it.
func kindName(k wire.TeeKind) string {
	if k == wire.TEE_KIND_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(k.String(), "TEE_KIND_"))
}

// warnings are those of the claims, sorted.
func (v *verdict) warnings() []string {
	return slices.Sorted(slices.Values(v.claims.Warnings))
}
