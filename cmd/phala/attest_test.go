package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// judged is what phala attest verify prints as JSON; nothing else may be in it.
type judged struct {
	Accepted       bool                `json:"accepted"`
	Kind           string              `json:"kind"`
	Level          int                 `json:"level"`
	Score          float64             `json:"score"`
	Status         string              `json:"status"`
	PlatformStatus string              `json:"platform_status"`
	ModuleStatus   string              `json:"module_status"`
	QEStatus       string              `json:"qe_status"`
	Advisories     []string            `json:"advisories"`
	Debug          bool                `json:"debug"`
	Measurement    string              `json:"measurement"`
	ReportData     string              `json:"report_data"`
	Reasons        []map[string]string `json:"reasons"`
}

func (j judged) codes() string {
	var out []string
	for _, r := range j.Reasons {
		out = append(out, r["code"])
	}
	return strings.Join(out, " ")
}

// verifyFile runs the command as a shell would.
func verifyFile(t *testing.T, args ...string) (j judged, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"attest", "verify", "-o", "json"}, args...), strings.NewReader(""), &out, &errs)
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		t.Fatalf("%v: reading the output: %v\n%s", args, err, errs.String())
	}
	if j.Accepted != (code == 0) || j.Accepted != (len(j.Reasons) == 0) || code != 0 && code != exitDenied {
		t.Errorf("%v: accepted %t with exit code %d and reasons %v", args, j.Accepted, code, j.Reasons)
	}
	for _, r := range j.Reasons {
		if r["code"] == "" || r["got"] == "" && r["field"] == "" {
			t.Errorf("%v: a reason that names nothing: %v", args, r)
		}
	}
	return j, code
}

func evidence(t *testing.T) string {
	t.Helper()
	root := os.Getenv("PHALA_EVIDENCE")
	if root == "" {
		t.Skip("PHALA_EVIDENCE names no folder of recorded evidence: nothing real can be verified")
	}
	return root
}

func files(t *testing.T, root, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no evidence %s in %s: %v", pattern, root, err)
	}
	return found
}

// levels are the confidence levels of Phala, without advisories that a policy knows.
var levels = map[string]int{
	"UpToDate": 1, "SWHardeningNeeded": 2, "ConfigurationNeeded": 4, "ConfigurationAndSWHardeningNeeded": 4, "OutOfDate": 5,
}

// scores are what accepted workers of the levels count.
var scores = [...]float64{0, 1, 1, 1, 0.8, 0.7}

// Every recorded case of Intel's comes to what it expects, by the command.
func TestAttestVerifyRecordedIntel(t *testing.T) {
	for _, name := range files(t, evidence(t), "dcap/*.json") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var c struct {
				Expected struct {
					Verdict, Status, Platform, Module, QE string
					Advisories                            []string
					Debug                                 bool
					ReportData                            string `json:"report_data"`
				}
			}
			if err := json.Unmarshal(b, &c); err != nil {
				t.Fatal(err)
			}
			e := c.Expected
			got, _ := verifyFile(t, name)
			if e.Verdict != "" {
				if got.Accepted || got.codes() != "no-tcb-level" {
					t.Fatalf("%+v, want %s", got, e.Verdict)
				}
				return
			}
			if got.Accepted && got.Score != scores[got.Level] || !got.Accepted && got.Score != 0 {
				t.Errorf("level %d, accepted %t: score %v", got.Level, got.Accepted, got.Score)
			}
			slices.Sort(e.Advisories)
			if got.Accepted == e.Debug || got.Debug != e.Debug || e.Debug && got.codes() != "debug" {
				t.Errorf("accepted %t, debug %t, reasons %v", got.Accepted, got.Debug, got.Reasons)
			}
			if got.Status != e.Status || got.PlatformStatus != e.Platform || got.ModuleStatus != e.Module || got.QEStatus != e.QE || got.Level != levels[e.Status] {
				t.Errorf("%+v, want %+v", got, e)
			}
			if !slices.Equal(got.Advisories, e.Advisories) && len(got.Advisories)+len(e.Advisories) > 0 {
				t.Errorf("advisories %v, want %v", got.Advisories, e.Advisories)
			}
			if got.ReportData != e.ReportData {
				t.Errorf("report data %s, want %s", got.ReportData, e.ReportData)
			}
		})
	}
}

func TestAttestVerifyRefusesBrokenIntel(t *testing.T) {
	for _, name := range files(t, evidence(t), "dcap-broken/*.json") {
		if got, _ := verifyFile(t, name); got.Accepted || got.Measurement != "" {
			t.Errorf("%s: %+v", filepath.Base(name), got)
		}
	}
}

// What is recorded of the others, at a time when its certificates were in force.
func TestAttestVerifyRecorded(t *testing.T) {
	root := evidence(t)
	in := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	quote, log := in("ccel", "gcp-cos113-cos-113-tdx-quote.dat"), in("ccel", "gcp-cos113-ccel_data.dat")
	with := in("dcap", "tdx-v4-UpToDate-00b2526ab190.json")
	for _, c := range []struct {
		args  []string
		kind  string
		codes string // empty: accepted
	}{
		{[]string{in("snp", "google-milan-vcek.report.bin")}, "sev_snp", "debug"},
		{[]string{in("snp", "trustee-milan-vcek.report.bin")}, "sev_snp", ""},
		{[]string{in("snp", "trustee-milan-vcek-INVALID-new.report.bin")}, "sev_snp", "tcb-mismatch"},
		{[]string{in("snp", "trustee-aws-milan-vlek.report.bin"), "--at", "2025-06-01"}, "sev_snp", ""},
		{[]string{in("snp", "trustee-aws-milan-vlek.report.bin"), "--at", "2027-06-01"}, "sev_snp", "expired"},
		{[]string{in("snp", "trustee-milan-vcek.report.bin"), "--collateral", in("snp", "google-milan-vcek.cert.der")}, "sev_snp", "tcb-mismatch"},
		{[]string{in("snp", "azure-evidence-genoa.json")}, "azure_sev_snp", ""},
		{[]string{in("snp", "azure-evidence-v1.json")}, "azure_sev_snp", ""},
		{[]string{in("snp", "azure-evidence-v1.json"), "--nonce", "6368616c6c656e6765"}, "azure_sev_snp", ""},
		{[]string{in("snp", "azure-evidence-v1.json"), "--nonce", "6368616c6c656e6766"}, "azure_sev_snp", "nonce"},
		{[]string{in("snp", "azure-evidence-v1.json"), "--collateral", in("snp", "trustee-milan-vcek.cert.der")}, "azure_sev_snp", "tcb-mismatch"},
		{[]string{in("tpm", "azure-snp-tpm-quote-v1.json"), "--collateral", in("tpm", "azure-snp-hcl-report.bin")}, "azure_sev_snp", "missing-certificate"},
		{[]string{in("tpm", "own-swtpm-ovmf-serial.txt")}, "tpm", "unknown-ak"},
		{[]string{in("tpm", "own-swtpm-seabios-serial.txt")}, "tpm", "unknown-ak"},
		{[]string{quote}, "tdx", "collateral-missing"},
		{[]string{quote, "--collateral", with}, "tdx", ""},
		{[]string{quote, "--collateral", with, "--log", log}, "tdx", ""},
		{[]string{in("dcap", "tdx-v4-UpToDate-0441bfc6ebb8.json"), "--log", log}, "tdx", "event-log event-log event-log event-log"},
		{[]string{quote, "--collateral", with, "--report-data", "01"}, "tdx", "report-data"},
		{[]string{quote, "--collateral", with, "--measurement", "01"}, "tdx", "unknown-measurement"},
		{[]string{quote, "--collateral", with, "--at", "now"}, "tdx", "collateral-expired collateral-expired crl-expired crl-expired"},
		{[]string{log}, "", "no-evidence"},
		{[]string{in("ccel", "gcp-cos113-ccel_table.dat")}, "", "no-evidence"},
		{[]string{in("ccel", "dstack-quote-report.json")}, "tdx", "collateral-missing"},
	} {
		got, _ := verifyFile(t, c.args...)
		if got.Kind != c.kind || got.codes() != c.codes {
			t.Errorf("%v: %s refused for %q, want %s for %q", c.args, got.Kind, got.codes(), c.kind, c.codes)
		}
	}
}

// A recorded TPM's quote, once a development network names its key: the policy decides, and the nonce of the kernel's command line is in it.
func TestAttestVerifyRecordedTPM(t *testing.T) {
	root := evidence(t)
	for _, name := range []string{"own-swtpm-ovmf-serial.txt", "own-swtpm-seabios-serial.txt"} {
		file := filepath.Join(root, "tpm", name)
		refused, _ := verifyFile(t, file)
		ak, err := hex.DecodeString(refused.Reasons[0]["got"])
		if err != nil || len(ak) != 34 {
			t.Fatalf("%s: the AK's name in %v: %v", name, refused.Reasons, err)
		}
		rules := filepath.Join(t.TempDir(), "rules.json")
		named := fmt.Sprintf(`{"policy":{"role":"ROLE_EXECUTOR","kinds":["TEE_KIND_TPM"],"worst_level":1,"max_age_blocks":"1"},"network":{"development":true,`+
			`"development_roots":[{"kind":"TEE_KIND_TPM","ak_name":%q}]}}`, base64.StdEncoding.EncodeToString(ak))
		if err := os.WriteFile(rules, []byte(named), 0o600); err != nil {
			t.Fatal(err)
		}
		got, _ := verifyFile(t, file, "--policy", rules)
		if got.codes() != "unknown-measurement" || len(got.Measurement) != 64 || got.Level != 1 || got.ReportData == "" {
			t.Errorf("%s: %+v", name, got)
		}
		approved := strings.Replace(named, `"max_age_blocks":"1"`, `"max_age_blocks":"1","measurements":[{"digest":"`+inBase64(t, got.Measurement)+`"}]`, 1)
		if err := os.WriteFile(rules, []byte(approved), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, code := verifyFile(t, file, "--policy", rules); code != 0 {
			t.Errorf("%s, approved: %v", name, got.Reasons)
		}
		if got, _ := verifyFile(t, file, "--policy", rules, "--nonce", "00ff"); got.codes() != "nonce" {
			t.Errorf("%s, another nonce: %v", name, got.Reasons)
		}
	}
}

func inBase64(t *testing.T, digits string) string {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// The log that dstack keeps as JSON leads to the registers that its quote has, and names what it measured.
func TestAttestShowRecorded(t *testing.T) {
	root := evidence(t)
	for name, words := range map[string][]string{
		"ccel/dstack-quote-report.json":                      {"UNVERIFIED", "RTMR3", "DSTACK_RUNTIME_EVENT", "compose-hash 3763", "key-provider {"},
		"ccel/dstack-tdx-lite-getquote.json":                 {"UNVERIFIED", "DSTACK_RUNTIME_EVENT", "app-id"},
		"ccel/gcp-cos113-ccel_data.dat":                      {"CCEL event log", `variable "SecureBoot"`, "kernel_cmdline", "the events lead to"},
		"ccel/trustee-CCEL_data_gcp.bin":                     {"CCEL event log", "RTMR1", `variable "dbx"`},
		"ccel/gcp-cos113-ccel_table.dat":                     {"CCEL table", "262144 bytes"},
		"dcap/tdx-v4-UpToDate-00b2526ab190.json":             {"MRTD", "TCB info", "qe-isvsvn"},
		"dcap-broken/tdx-mrtd-bit.json":                      {"UNVERIFIED", "bad-signature"},
		"snp/google-milan-vcek.report.bin":                   {"MEASUREMENT", "committed-snp", "debug"},
		"tpm/own-swtpm-ovmf-serial.txt":                      {"PCR7", "EV_EFI_VARIABLE_DRIVER_CONFIG"},
		"tpm/azure-snp-tpm-quote-v1.json":                    {"PCR0", "nonce"},
		"snp/azure-evidence-genoa.json":                      {"azure_sev_snp", "VCEK or VLEK"},
		"nitro/dstack-attest__tests__nitro_attestation.cose": {"Nitro document", "2025-12-25"},
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"attest", "show", filepath.Join(root, name)}, strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("%s: exit code %d: %s", name, code, errs.String())
		}
		for _, w := range words {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", name, w, out.String())
			}
		}
	}
}

// status names what is short and what raises it, and reads collateral that has run out as of its last day.
func TestAttestStatusRecorded(t *testing.T) {
	root := evidence(t)
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"dcap/tdx-v4-OutOfDate-module-a187b0da057d.json"}, []string{"5 (out of date), score 0.7", "next: UpToDate", "tdx-tcb-01  2   4", "newer TDX module", "microcode", "days left"}},
		{[]string{"dcap/tdx-v4-OutOfDate-module-a187b0da057d.json", "--at", "2026-01-01"}, []string{"has run out", "as of 2025-07-04", "-181"}},
		{[]string{"dcap/tdx-v4-UpToDate-00b2526ab190.json"}, []string{"UpToDate", "TCB info"}},
		{[]string{"snp/trustee-milan-vcek.report.bin"}, []string{"AMD-SB-3019", "microcode  115  219", "bulletins"}},
		{[]string{"snp/azure-evidence-v1.json"}, []string{"AMD-SB-3023", "snp      24  27", "days left"}},
		{[]string{"dcap/tdx-v4-no-tcb-level-149ed84025bc.json"}, []string{"no-tcb-level", "SEAMLDR"}},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"attest", "status", filepath.Join(root, c.args[0])}, c.args[1:]...)
		if code := run(context.Background(), args, strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("%v: exit code %d: %s", c.args, code, errs.String())
		}
		for _, w := range c.words {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%v: no %q in\n%s", c.args, w, out.String())
			}
		}
	}
}

// dstack keeps its log as JSON: what it leads to are the registers of the quote beside it, all four of them.
func TestAttestReplaysDstack(t *testing.T) {
	type named struct{ Name, Value string }
	for _, name := range files(t, evidence(t), "ccel/dstack-*.json") {
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"attest", "show", "-o", "json", name}, strings.NewReader(""), &out, &errs); code != 0 {
			t.Fatalf("%s: %s", name, errs.String())
		}
		var d struct {
			Registers []named
			Log       struct{ Replayed []named }
		}
		if err := json.Unmarshal(out.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if len(d.Log.Replayed) != 4 {
			t.Errorf("%s: %d registers replayed", name, len(d.Log.Replayed))
		}
		for _, r := range d.Log.Replayed {
			if !slices.Contains(d.Registers, r) {
				t.Errorf("%s: %s is not %s in the quote", filepath.Base(name), r.Name, r.Value)
			}
		}
	}
}
