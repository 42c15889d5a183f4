package sidebyside

import (
	"maps"
	"slices"
)

// store is a contract's state in the engine.
type store map[string][]byte

func (s store) Get(key []byte) ([]byte, bool) { v, ok := s[string(key)]; return v, ok }
func (s store) Set(key, value []byte)         { s[string(key)] = append([]byte{}, value...) }
func (s store) Delete(key []byte)             { delete(s, string(key)) }

func (s store) Ascend(start, end []byte, yield func(k, v []byte) bool) {
	s.visit(slices.Sorted(maps.Keys(s)), start, end, yield)
}

func (s store) Descend(start, end []byte, yield func(k, v []byte) bool) {
	keys := slices.Sorted(maps.Keys(s))
	slices.Reverse(keys)
	s.visit(keys, start, end, yield)
}

func (s store) visit(keys []string, start, end []byte, yield func(k, v []byte) bool) {
	for _, k := range keys {
		if k >= string(start) && (end == nil || k < string(end)) && !yield([]byte(k), s[k]) {
			return
		}
	}
}
