package executor

import (
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func TestEffectsArePadded(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 4, 4: 4, 5: 16, 17: 64} {
		in := make([]*wire.Effect, n)
		for i := range in {
			in[i] = &wire.Effect{Body: &wire.Effect_Payout{Payout: &wire.Payout{}}}
		}
		if got := len(padEffects(in)); got != want {
			t.Errorf("%d effects are padded to %d, want %d", n, got, want)
		}
	}
}
