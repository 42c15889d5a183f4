package dcap

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// recorded is a file of evidence of real machines with what is expected of it.
type recorded struct {
	Recorded
	name     string
	Expected struct {
		Verdict, Status, Platform, Module, QE string
		Advisories                            []string
		Debug                                 bool
		Eval                                  uint64
		MRTD, MRSEAM, MRENCLAVE, MRSIGNER     string
		RTMR                                  []string
		ReportData                            string    `json:"report_data"`
		TCBDate                               time.Time `json:"tcb_date"`
		TDAttributes                          string    `json:"td_attributes"`
		XFAM                                  string
		TEETCBSVN                             string `json:"tee_tcb_svn"`
	}
	Because string `json:"must_be_refused_because"`
}

// evidence reads the recorded cases of a folder below PHALA_EVIDENCE.
func evidence(t testing.TB, folder string) []recorded {
	t.Helper()
	root := os.Getenv("PHALA_EVIDENCE")
	if root == "" {
		t.Skip("PHALA_EVIDENCE names no folder of recorded evidence: nothing real can be verified")
	}
	files, err := filepath.Glob(filepath.Join(root, folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no evidence in %s: %v", filepath.Join(root, folder), err)
	}
	var out []recorded
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r := recorded{name: strings.TrimSuffix(filepath.Base(f), ".json")}
		if r.Recorded, err = ParseRecorded(b); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, r)
	}
	return out
}

func (r recorded) verify() (claims.Claims, error) {
	return Verify(r.Quote, r.Collateral, Options{Now: r.At, Root: IntelRoot()})
}

func TestP15_Recorded(t *testing.T) {
	for _, r := range evidence(t, "dcap") {
		t.Run(r.name, func(t *testing.T) {
			c, err := r.verify()
			if r.Expected.Verdict != "" {
				if err == nil || c.Status != claims.Unknown {
					t.Fatalf("accepted as %v, want %s", c.Status, r.Expected.Verdict)
				}
				if reasons := claims.Reasons(err, "?"); len(reasons) != 1 || reasons[0].Code != "no-tcb-level" {
					t.Fatalf("refused because of %v, want no-tcb-level alone", reasons)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			compare(t, r, c)
		})
	}
}

func compare(t *testing.T, r recorded, c claims.Claims) {
	e := r.Expected
	equal := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
	equal("status", c.Status.String(), e.Status)
	equal("platform", c.PlatformStatus.String(), e.Platform)
	equal("module", c.ModuleStatus.String(), e.Module)
	equal("qe", c.QEStatus.String(), e.QE)
	slices.Sort(e.Advisories)
	equal("advisories", strings.Join(c.Advisories, " "), strings.Join(e.Advisories, " "))
	if c.Debug != e.Debug {
		t.Errorf("debug is %t, want %t", c.Debug, e.Debug)
	}
	if got, ok := c.Version("tcb-eval"); !ok || got != e.Eval {
		t.Errorf("evaluation is %d, want %d", got, e.Eval)
	}
	equal("date", c.TCBDate.Format(time.RFC3339), e.TCBDate.Format(time.RFC3339))
	equal("report data", hex.EncodeToString(c.ReportData), e.ReportData)
	for name, want := range map[string]string{
		"MRTD": e.MRTD, "MRSEAM": e.MRSEAM, "MRENCLAVE": e.MRENCLAVE, "MRSIGNER": e.MRSIGNER, "RTMR0": e.RTMR[0], "RTMR1": e.RTMR[1],
		"RTMR2": e.RTMR[2], "RTMR3": e.RTMR[3], "TDATTRIBUTES": e.TDAttributes, "XFAM": e.XFAM, "TEETCBSVN": e.TEETCBSVN,
	} {
		equal(name, hex.EncodeToString(c.Register(name)), want)
	}
}

func TestP15_RecordedNegatives(t *testing.T) {
	because := map[string]string{
		"sgx-with-tdx-collateral": "wrong-collateral", "tdx-collateral-expired": "collateral-expired crl-expired", "tdx-mrtd-bit": "bad-signature",
		"tdx-qeidentity-edited": "bad-signature", "tdx-report-data-bit": "bad-signature", "tdx-tcbinfo-other-fmspc": "collateral-not-yet-valid wrong-collateral",
		"tdx-v5-body-type": "unsupported-quote", "tdx-wrong-crl": "wrong-crl",
	}
	for _, r := range evidence(t, "dcap-broken") {
		t.Run(r.name, func(t *testing.T) {
			_, err := r.verify()
			if err == nil {
				t.Fatalf("accepted, though %s", r.Because)
			}
			var codes []string
			for _, x := range claims.Reasons(err, "?") {
				if !slices.Contains(codes, x.Code) {
					codes = append(codes, x.Code)
				}
			}
			if got := strings.Join(codes, " "); got != because[r.name] {
				t.Errorf("refused because of %q, want %q: %s", got, because[r.name], r.Because)
			}
		})
	}
}
