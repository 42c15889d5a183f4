package lightclient

import (
	"slices"

	"github.com/phala-go/phala/core/light"
)

// Keep is how many headers behind the newest are kept.
const Keep = 512

// history keeps verified states: all of the last Keep heights that came, then one in light.Spacing for light.History heights, and the
// chain's first two, which show its genesis. So it is bounded whatever the chain's age.
type history struct {
	first  uint64 // of the chain
	states map[uint64]light.State
	recent []uint64 // ascending
	old    []uint64 // ascending, all before recent
}

func newHistory(first uint64) history {
	return history{first: first, states: map[uint64]light.State{}}
}

// add takes the newest.
func (h *history) add(s light.State) {
	h.states[s.Height] = s
	h.recent = append(h.recent, s.Height)
	for h.recent[0]+Keep < s.Height {
		h.retire(h.recent[0])
		h.recent = h.recent[1:]
	}
	for len(h.old) > 0 && h.old[0]+light.History < s.Height {
		h.drop(h.old[0])
		h.old = h.old[1:]
	}
}

// retire keeps one of a spacing.
func (h *history) retire(height uint64) {
	if n := len(h.old); n > 0 && h.old[n-1]/light.Spacing == height/light.Spacing {
		h.drop(height)
		return
	}
	h.old = append(h.old, height)
}

func (h *history) drop(height uint64) {
	if height > h.first+1 {
		delete(h.states, height)
	}
}

// before is the newest state of at most a height.
func (h *history) before(height uint64) (light.State, bool) {
	var found uint64
	for _, l := range [][]uint64{h.recent, h.old, {h.first, h.first + 1}} {
		i, exact := slices.BinarySearch(l, height)
		if exact {
			i++
		}
		for ; i > 0; i-- {
			if _, ok := h.states[l[i-1]]; ok {
				found = max(found, l[i-1])
				break
			}
		}
	}
	s, ok := h.states[found]
	return s, ok
}
