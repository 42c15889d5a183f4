package attest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/evidencefile"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

func TestVerifyUnderAPolicy(t *testing.T) {
	ev, network := machine(t, nil)
	digest := make([]byte, 48)
	copy(digest, []byte{0x4d, 1})
	file := put(t, "evidence", wire.Marshal(ev))
	for name, c := range map[string]struct {
		change func(*wire.Policy, *wire.NetworkParams)
		args   []string
		codes  string // "<nil>": accepted
	}{
		"approved":                {nil, nil, "<nil>"},
		"at a height when it was": {nil, []string{"--height", "800"}, "<nil>"},
		"before its height":       {nil, []string{"--height", "600"}, "not-active"},
		"after its end":           {nil, []string{"--height", "900"}, "retired"},
		"another program":         {func(p *wire.Policy, _ *wire.NetworkParams) { p.Measurements[0].Digest[0]++ }, nil, "unknown-measurement"},
		"another kind":            {func(p *wire.Policy, _ *wire.NetworkParams) { p.Kinds[0] = wire.TEE_KIND_TDX }, nil, "kind-not-allowed"},
		"a better level":          {func(p *wire.Policy, _ *wire.NetworkParams) { p.WorstLevel = 0 }, nil, "tcb-level"},
		"a floor": {func(p *wire.Policy, _ *wire.NetworkParams) {
			p.Floors = []*wire.TcbFloor{{Kind: wire.TEE_KIND_SEV_SNP, Name: "snp", Least: 0x1d}}
		}, nil, "tcb-floor"},
		"a root that nobody knows": {func(_ *wire.Policy, n *wire.NetworkParams) { n.DevelopmentRoots = nil }, nil, "chain"},
		"not a development":        {func(_ *wire.Policy, n *wire.NetworkParams) { n.Development = false }, nil, "chain"},
		"its measurement":          {nil, []string{"--measurement", hex.EncodeToString(digest)}, "<nil>"},
		"another measurement":      {nil, []string{"--measurement", strings.Repeat("00", 48)}, "unknown-measurement"},
		"its report data":          {nil, []string{"--report-data", "5202"}, "<nil>"},
		"another report data":      {nil, []string{"--report-data", "52"}, "report-data"},
		"its nonce":                {nil, []string{"--nonce", "5202"}, "<nil>"},
		"another nonce":            {nil, []string{"--nonce", "52"}, "nonce"},
		"a certificate's end":      {nil, []string{"--at", "2028-06-02"}, "expired"},
	} {
		p, n := approving(bytes.Clone(digest)), *network
		if c.change != nil {
			c.change(p, &n)
		}
		args := append([]string{"verify", file, "--policy", policyFile(t, p, &n)}, c.args...)
		if _, err := command(nil, false, args...); codes(err) != c.codes {
			t.Errorf("%s: %s, want %s", name, codes(err), c.codes)
		}
	}
}

func TestVerifyByTheMakersWord(t *testing.T) {
	ev, _ := machine(t, nil)
	simulated := put(t, "simulated", wire.Marshal(worker()))
	for name, c := range map[string]struct {
		file  string
		codes string
	}{
		"simulated":                 {simulated, "simulated"},
		"simulated, in JSON":        {put(t, "w.json", asJSON(t, worker())), "simulated"},
		"simulated, from a node":    {put(t, "n.json", []byte(`{"evidence":`+string(asJSON(t, worker()))+`}`)), "simulated"},
		"simulated, evidence alone": {put(t, "e.json", asJSON(t, worker().Evidence)), "simulated"},
		"a root of its own":         {put(t, "snp", wire.Marshal(ev)), "chain"},
	} {
		if _, err := command(nil, true, "verify", c.file); codes(err) != c.codes {
			t.Errorf("%s: %s, want %s", name, codes(err), c.codes)
		}
	}
	b, err := os.ReadFile(simulated)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command(bytes.NewReader(b), true, "verify", "-"); codes(err) != "simulated" {
		t.Errorf("from standard input: %v", err)
	}
}

// A certificate beside a report of the same name is found, a debug policy is told, and the machine's own words are cleaned.
func TestVerifyFindsCertificates(t *testing.T) {
	m := sevsnptest.New("Genoa")
	m.Policy |= 1 << 19
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"a.report.bin": e.Report, "a.cert.der": e.Collateral.Leaf, "a.crl": e.Collateral.CRL, "b.report.bin": e.Report} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := command(nil, false, "show", filepath.Join(dir, "a.report.bin"))
	if err != nil || !strings.Contains(out, "VCEK or VLEK") || !strings.Contains(out, "ARK CRL") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := command(nil, false, "verify", filepath.Join(dir, "b.report.bin")); codes(err) != "collateral-missing" {
		t.Error(codes(err))
	}
}

// No file makes the command do anything but say what is wrong.
func TestHostileFiles(t *testing.T) {
	ev, _ := machine(t, nil)
	whole := wire.Marshal(worker())
	text := string(asJSON(t, worker()))
	var unknown *evidencefile.Unknown
	for name, c := range map[string]struct {
		file string
		word string
	}{
		"empty":             {put(t, "f", nil), "is empty"},
		"noise":             {put(t, "f", bytes.Repeat([]byte{7}, 64)), "tried: SNP report"},
		"huge":              {put(t, "f", make([]byte, evidencefile.MaxSize+1)), "more than"},
		"truncated":         {put(t, "f", whole[:len(whole)-1]), "tried"},
		"trailing":          {put(t, "f", append(bytes.Clone(whole), 0)), "tried"},
		"a directory":       {t.TempDir(), "not a regular file"},
		"not there":         {filepath.Join(t.TempDir(), "x"), "no such file"},
		"JSON of something": {put(t, "f", []byte(`{"a":1}`)), "recorded case {quote_hex}"},
		"JSON cut off":      {put(t, "f", []byte(text[:len(text)-2])), "JSON"},
		"JSON twice":        {put(t, "f", []byte(text+text)), "behind its end"},
		"a member twice":    {put(t, "f", []byte(strings.Replace(text, `"evidence":`, `"evidence":{},"evidence":`, 1))), "twice"},
		"nested":            {put(t, "f", []byte(`{"a":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`)), "nested"},
		"a device":          {os.DevNull, "not a regular file"},
		"a list":            {put(t, "f", []byte(`[1,2]`)), "tried"},
		"a certificate":     {put(t, "f", []byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")), "tried"},
	} {
		for _, sub := range []string{"verify", "show", "status"} {
			out, err := command(nil, false, sub, c.file)
			if err == nil || !strings.Contains(err.Error(), c.word) || out != "" {
				t.Errorf("%s %s: %v, want %q\n%s", sub, name, err, c.word, out)
			}
			if c.word == "tried" && !errors.As(err, &unknown) {
				t.Errorf("%s %s: %v is no Unknown", sub, name, err)
			}
		}
	}
	for n := 0; n < len(ev.Quote); n += 16 { // a cut report is refused or unknown, never accepted
		if _, err := command(nil, false, "verify", put(t, "f", ev.Quote[:n])); err == nil {
			t.Fatalf("%d bytes of a report were accepted", n)
		}
	}
}

func TestWrongUse(t *testing.T) {
	file := put(t, "w", wire.Marshal(worker()))
	for _, args := range [][]string{
		{"verify"}, {"verify", file, "--worker", "pha1x/0"}, {"verify", "--worker", "pha1x"}, {"verify", file, "--at", "soon"},
		{"verify", file, "--measurement", "xyz"}, {"verify", file, "--nonce", "0"}, {"verify", file, "--policy", "x", "--chain"},
		{"verify", file, "--chain", "--role", "miner"}, {"measure"}, {"verify", file, "--report-data", strings.Repeat("00", 65)},
	} {
		if _, err := command(nil, false, args...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for word, args := range map[string][]string{
		"no network":         {"verify", file, "--chain"},
		"no network in":      {"show", "--worker", "pha1x/0"},
		"reading the policy": {"verify", file, "--policy", put(t, "p", []byte(`{"rolle":1}`))},
		"want an event log":  {"verify", file, "--log", file},
		"taking collateral":  {"verify", file, "--collateral", put(t, "c", []byte("nothing"))},
	} {
		if _, err := command(nil, false, args...); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v: %v, want %q", args, err, word)
		}
	}
}

// The default policy by itself: what each kind of claims comes to.
func TestMakersWord(t *testing.T) {
	for name, c := range map[string]struct {
		kind  wire.TeeKind
		level int
		debug bool
		codes string
		note  string
		text  string
	}{
		"up to date":    {wire.TEE_KIND_TDX, 1, false, "", "", "1 (up to date), score 1.0"},
		"hardening":     {wire.TEE_KIND_SGX, 2, false, "", "", "2 (software hardening needed), score 1.0"},
		"known":         {wire.TEE_KIND_SGX, 3, false, "", "", "3 (configuration needed, known advisories only), score 1.0"},
		"configuration": {wire.TEE_KIND_SGX, 4, false, "", "", "4 (configuration needed), score 0.8"},
		"out of date":   {wire.TEE_KIND_TDX, 5, false, "", "", "5 (out of date), score 0.7"},
		"revoked":       {wire.TEE_KIND_TDX, 0, false, "tcb-status", "", ""},
		"debug":         {wire.TEE_KIND_NITRO, 1, true, "debug", "", "1 (up to date)"},
		"both":          {wire.TEE_KIND_SGX, 0, true, "debug tcb-status", "", ""},
		"simulated":     {wire.TEE_KIND_SIMULATED, 0, false, "simulated", "", ""},
		"a TPM":         {wire.TEE_KIND_TPM, 1, false, "", "hides no memory", "1 (up to date), score 1.0"},
	} {
		v := &verdict{Level: c.level, Debug: c.debug}
		v.makersWord(c.kind)
		var got []string
		for _, r := range v.Reasons {
			got = append(got, r.Code)
		}
		if strings.Join(got, " ") != c.codes || !strings.Contains(strings.Join(v.notes, " "), c.note) || c.note == "" && len(v.notes) > 0 {
			t.Errorf("%s: %v, notes %v", name, got, v.notes)
		}
		if v.decide(); levelText(v.Level, v.Score) != c.text || !v.Accepted && v.Score != 0 {
			t.Errorf("%s: %q, want %q", name, levelText(v.Level, v.Score), c.text)
		}
	}
}
