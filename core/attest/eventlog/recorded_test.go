package eventlog_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/eventlog"
)

// recorded reads a file of recorded evidence; the test that needs it is skipped without.
func recorded(t testing.TB, elem ...string) []byte {
	t.Helper()
	dir := os.Getenv("PHALA_EVIDENCE")
	if dir == "" {
		t.Skip("PHALA_EVIDENCE is not set: no recorded logs to replay")
	}
	b, err := os.ReadFile(filepath.Join(append([]string{dir}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rtmrs are the registers of a TDX quote of version 4: its body of 584 bytes begins at 48, the four RTMRs in it at 328.
func rtmrs(quote []byte) (out []claims.Register) {
	for i := range 4 {
		at := 48 + 328 + 48*i
		out = append(out, claims.Register{Name: fmt.Sprintf("RTMR%d", i), Value: quote[at : at+48]})
	}
	return out
}

// A log of a TDX machine leads to all four registers of the quote that was taken beside it.
func TestRecordedCCEL(t *testing.T) {
	area := recorded(t, "ccel", "gcp-cos113-ccel_data.dat")
	want := rtmrs(recorded(t, "ccel", "gcp-cos113-cos-113-tdx-quote.dat"))
	l, err := eventlog.ParseArea(area)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Events) != 43 {
		t.Errorf("%d events, want 43", len(l.Events))
	}
	if err := l.Explain(want); err != nil {
		t.Error(err)
	}
	if _, err := eventlog.Parse(area); code(err) != "malformed-log" {
		t.Errorf("a whole area as a log: %v", err)
	}
	for i := range want { // each register counts
		other := slices.Clone(want)
		other[i].Value = bytes.Clone(other[i].Value)
		other[i].Value[0] ^= 1
		if r := claims.Reasons(l.Explain(other), ""); len(r) != 1 || r[0].Field != want[i].Name {
			t.Errorf("another %s: %v", want[i].Name, r)
		}
	}
	var proven int
	for i := range l.Events {
		words, ok := l.Events[i].Describe()
		if words == "" {
			t.Errorf("event %d (%s) has no words", i+1, l.Events[i].Type)
		}
		if ok {
			proven++
		}
	}
	if proven == 0 {
		t.Error("no event's text hashes to its digest")
	}
}

// A log of another machine does not.
func TestRecordedCCELOfAnother(t *testing.T) {
	l, err := eventlog.ParseArea(recorded(t, "ccel", "trustee-CCEL_data_gcp.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Explain(rtmrs(recorded(t, "ccel", "gcp-cos113-cos-113-tdx-quote.dat"))); code(err) != "event-log" {
		t.Error(err)
	}
}

// Logs of swtpm under two firmwares lead to every PCR but PCR 11, which the program itself extended without logging it.
func TestRecordedTPM(t *testing.T) {
	for name, events := range map[string]int{"own-swtpm-ovmf-serial.txt": 24, "own-swtpm-seabios-serial.txt": 13} {
		log, registers := serial(t, recorded(t, "tpm", name))
		l, err := eventlog.Parse(log)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Events) != events {
			t.Errorf("%s: %d events, want %d", name, len(l.Events), events)
		}
		r := claims.Reasons(l.Explain(registers), "")
		if len(r) != 1 || r[0].Field != "PCR11" || !strings.Contains(r[0].Advice, "no event of it") {
			t.Errorf("%s: %v", name, r)
		}
	}
}

// serial takes log and registers out of what a machine wrote.
func serial(t testing.TB, b []byte) (log []byte, out []claims.Register) {
	t.Helper()
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch {
		case name == "@@LOG":
			log, err = base64.StdEncoding.DecodeString(value)
		case strings.HasPrefix(name, "@@PCR"):
			var v []byte
			v, err = hex.DecodeString(value)
			out = append(out, claims.Register{Name: "PCR" + strings.TrimPrefix(name[len("@@PCR"):], "0"), Value: v})
			if name == "@@PCR00" {
				out[len(out)-1].Name = "PCR0"
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return log, out
}
