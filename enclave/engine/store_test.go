package engine

import (
	"bytes"
	"maps"
	"slices"
)

// memory is a Store for tests.
type memory map[string][]byte

func (m memory) Get(key []byte) ([]byte, bool) { v, ok := m[string(key)]; return v, ok }
func (m memory) Set(key, value []byte)         { m[string(key)] = append([]byte{}, value...) }
func (m memory) Delete(key []byte)             { delete(m, string(key)) }

func (m memory) Ascend(start, end []byte, yield func(k, v []byte) bool) {
	m.visit(slices.Sorted(maps.Keys(m)), start, end, yield)
}

func (m memory) Descend(start, end []byte, yield func(k, v []byte) bool) {
	keys := slices.Sorted(maps.Keys(m))
	slices.Reverse(keys)
	m.visit(keys, start, end, yield)
}

func (m memory) visit(keys []string, start, end []byte, yield func(k, v []byte) bool) {
	for _, k := range keys {
		if bytes.Compare([]byte(k), start) < 0 || end != nil && bytes.Compare([]byte(k), end) >= 0 {
			continue
		}
		if !yield([]byte(k), m[k]) {
			return
		}
	}
}
