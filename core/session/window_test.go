package session

import (
	"math/rand/v2"
	"testing"
)

// The window against a model that remembers everything.
func TestWindowAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 40 {
		var w Window
		used, top := map[uint64]bool{}, uint64(0)
		for range 5000 {
			var n uint64
			switch r.IntN(12) {
			case 0:
				n = top + uint64(r.IntN(3*WindowSize))
			case 1:
				n = uint64(r.IntN(int(top) + 2))
			default:
				n = top + 8 - min(top+8, uint64(r.IntN(WindowSize+100)))
			}
			want := n > 0 && n <= MaxRequests && !used[n] && (n > top || top-n < WindowSize)
			if err := w.Fresh(n); (err == nil) != want {
				t.Fatalf("round %d: Fresh(%d) with top %d: %v", round, n, top, err)
			}
			if err := w.Use(n); (err == nil) != want {
				t.Fatalf("round %d: Use(%d) with top %d: %v", round, n, top, err)
			}
			if want {
				used[n], top = true, max(top, n)
			}
		}
	}
}

func TestWindowEdges(t *testing.T) {
	var w Window
	for _, c := range []struct {
		counter uint64
		ok      bool
	}{
		{0, false}, {1, true}, {1, false}, {WindowSize, true}, {2, true}, {2, false}, {WindowSize + 2, true}, {3, true}, {3, false},
		{4 * WindowSize, true}, {3*WindowSize + 1, true}, {3 * WindowSize, false}, {MaxRequests + 1, false},
		{MaxRequests, true}, {MaxRequests, false}, {MaxRequests - WindowSize, false}, {MaxRequests - WindowSize + 1, true}, {1 << 63, false}, {^uint64(0), false},
	} {
		if err := w.Use(c.counter); (err == nil) != c.ok {
			t.Errorf("Use(%d): %v", c.counter, err)
		}
	}
}
