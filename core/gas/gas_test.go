package gas

import (
	"math"
	"testing"
)

func TestLimit(t *testing.T) {
	for class, want := range map[uint32]uint64{0: 10_000_000, 1: 20_000_000, 7: 1_280_000_000, 8: 0, math.MaxUint32: 0} {
		if got := Limit(class); got != want {
			t.Errorf("class %d: %d, want %d", class, got, want)
		}
	}
}

func TestBatchClass(t *testing.T) {
	for used, want := range map[uint64]uint32{
		0: 0, 1: 0, 10_000_000: 0, 10_000_001: 1, 40_000_000: 1, 40_000_001: 2, 256 * 1_280_000_000: 8, math.MaxUint64: 16,
	} {
		if got := BatchClass(used); got != want {
			t.Errorf("%d gas: class %d, want %d", used, got, want)
		}
	}
}
