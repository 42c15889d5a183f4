package tee

import (
	"runtime"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
)

func TestCountersRunAndSayWhoStopsThem(t *testing.T) {
	for kind, stops := range map[wire.TeeKind]bool{
		wire.TEE_KIND_SIMULATED: true, wire.TEE_KIND_TPM: true, wire.TEE_KIND_NITRO: false, wire.TEE_KIND_UNSPECIFIED: true,
	} {
		c := CounterOf(kind)
		if c.HostStops() != stops {
			t.Errorf("%s: host stops %v", kind, c.HostStops())
		}
		before := c.Elapsed()
		time.Sleep(2 * time.Millisecond)
		if c.Elapsed() <= before {
			t.Errorf("%s stands still", kind)
		}
	}
}

// The processor's counter, at whatever rate this machine has, runs and can be scaled.
func TestCycles(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		if _, err := scaleTDX(); err == nil {
			t.Error("a rate without CPUID")
		}
		return
	}
	c := cycles{first: readTSC(), scale: 1e6}
	begun := time.Now()
	time.Sleep(5 * time.Millisecond)
	took, got := time.Since(begun), c.Elapsed()
	if got < took/20 || got > took*20 { // 1 GHz was a guess
		t.Errorf("%s on the clock, %s in cycles of 1 GHz", took, got)
	}
	if c := (cycles{first: readTSC() + 1<<60, scale: 1e6}); c.Elapsed() != 0 {
		t.Error("a counter that went back moves")
	}
	if top, _, _, _ := cpuid(0, 0); top == 0 {
		t.Error("CPUID says nothing")
	}
}

func TestScale(t *testing.T) {
	for hz, ok := range map[uint64]bool{0: false, 99e6: false, 100e6: true, 2_500_000_000: true, 21e9: false} {
		if _, err := scaleOf(hz); (err == nil) != ok {
			t.Errorf("%d Hz: %v", hz, err)
		}
	}
	s, err := scaleOf(2_500_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[uint64]time.Duration{0: 0, 2_500_000_000: time.Second, 1_250_000: 500 * time.Microsecond, 2_500_000_000 * 86400 * 365: 365 * 24 * time.Hour} {
		if got := s.duration(n); got != want {
			t.Errorf("%d cycles: %s, want %s", n, got, want)
		}
	}
}
