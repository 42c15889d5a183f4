package contracttest

import (
	"bytes"
	"maps"
	"slices"
)

// host is the contract's world in one call: a map, and what that call has used
// of the extensions.
type host struct {
	c       *Contract
	query   bool
	draws   uint32
	private [][]byte
}

func (h *host) Get(key []byte) ([]byte, bool) {
	v, ok := h.c.state[string(key)]
	return bytes.Clone(v), ok
}

func (h *host) Set(key, value []byte) { h.c.state[string(key)] = append([]byte{}, value...) }

func (h *host) Delete(key []byte) { delete(h.c.state, string(key)) }

// Scan looks up each pair when asked for it, as the enclave does, so that
// writes in between are seen.
func (h *host) Scan(start, end []byte, descending bool) func() ([]byte, []byte, bool) {
	return func() ([]byte, []byte, bool) {
		keys := slices.Sorted(maps.Keys(h.c.state))
		if descending {
			slices.Reverse(keys)
		}
		for _, k := range keys {
			if k < string(start) || end != nil && k >= string(end) {
				continue
			}
			if descending {
				end = []byte(k)
			} else {
				start = append([]byte(k), 0)
			}
			return []byte(k), bytes.Clone(h.c.state[k]), true
		}
		return nil, nil, false
	}
}

func (h *host) CheckAddress(address string) error { return checkAddress(address) }

func (h *host) Query(request []byte) []byte {
	if h.c.Answers == nil {
		return []byte(`{"error":{"unsupported_request":{"kind":"contracttest has no Answers"}}}`)
	}
	return h.c.Answers(request)
}
