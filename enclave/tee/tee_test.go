package tee

import (
	"bytes"
	"crypto/sha256"
	"os"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func TestSimulatedMeasuresItsOwnExecutable(t *testing.T) {
	s, err := NewSimulated()
	if err != nil {
		t.Fatal(err)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(b); !bytes.Equal(s.Measurement(), want[:]) || s.Kind() != wire.TEE_KIND_SIMULATED {
		t.Errorf("measurement %x of kind %s, want %x", s.Measurement(), s.Kind(), want)
	}
	report := make([]byte, 64)
	ev, err := s.Evidence(report)
	if err != nil || ev.Kind != wire.TEE_KIND_SIMULATED || len(ev.Collateral) != 0 {
		t.Fatalf("%v %v", ev, err)
	}
	var q wire.SimulatedQuote
	if err := wire.Unmarshal(ev.Quote, &q); err != nil || !bytes.Equal(q.Measurement, s.Measurement()) || !bytes.Equal(q.ReportData, report) {
		t.Errorf("%v %v", &q, err)
	}
	if as := SimulatedAs([]byte("x")); string(as.Measurement()) != "x" {
		t.Error("SimulatedAs")
	}
}
