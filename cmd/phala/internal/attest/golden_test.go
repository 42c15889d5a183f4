package attest

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

func bootLog(t *testing.T) []byte {
	t.Helper()
	log, err := eventlog.NewHeader(crypto.SHA384)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []eventlog.Event{
		eventlog.Measure(1, eventlog.Separator, []byte{0, 0, 0, 0}, crypto.SHA384),
		eventlog.Measure(3, eventlog.IPL, []byte("kernel_cmdline: quiet\x1b[2J\x00"), crypto.SHA384),
	} {
		if log, err = eventlog.Append(log, e); err != nil {
			t.Fatal(err)
		}
	}
	return append(log, bytes.Repeat([]byte{0xff}, 100)...)
}

// What people read, word for word. After a wanted change: go test ./cmd/phala/internal/attest -run Golden -update
func TestGolden(t *testing.T) {
	digest := make([]byte, 48)
	copy(digest, []byte{0x4d, 1})
	ev, network := machine(t, nil)
	old, _ := machine(t, func(m *sevsnptest.Machine) { m.Reported.SNP, m.Reported.Microcode = 0x16, 0x50 })
	policy := policyFile(t, approving(digest), network)
	binary := put(t, "pruntime", []byte("a program"))
	image := put(t, "image.json", fmt.Appendf(nil, `{"sev_snp":{"measurement":%q},"tdx":{"mrtd":%q},"version":"v1"}`, hex.EncodeToString(digest), strings.Repeat("07", 48)))
	for name, args := range map[string][]string{
		"verify-accepted":  {"verify", put(t, "f", wire.Marshal(ev)), "--policy", policy},
		"verify-refused":   {"verify", put(t, "f", wire.Marshal(old)), "--policy", policy},
		"verify-simulated": {"verify", put(t, "f", wire.Marshal(worker()))},
		"show-worker":      {"show", put(t, "f", wire.Marshal(worker()))},
		"show-unverified":  {"show", put(t, "f", wire.Marshal(ev))},
		"show-log":         {"show", put(t, "f", bootLog(t))},
		"status-unrated":   {"status", put(t, "f", wire.Marshal(ev)), "--at", "2026-08-01"},
		"measure":          {"measure", "--source", strings.Repeat("ab", 20), "--binary", binary, "--image", image, "--policy", policy},
	} {
		out, err := command(nil, false, args...)
		if err != nil {
			out += "error: " + err.Error() + "\n"
		}
		for _, a := range args {
			out = strings.ReplaceAll(out, a, filepath.Base(a))
		}
		if strings.ContainsRune(out, '\x1b') {
			t.Errorf("%s: colours, though this is no terminal:\n%q", name, out)
		}
		golden := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if out != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, out, want)
		}
	}
}
