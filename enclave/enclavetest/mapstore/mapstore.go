// Package mapstore is a contract's state in a map, for tests of the engine and beside it. It must never be part of a program.
package mapstore

import (
	"maps"
	"slices"
)

// Store is an engine.Store; it keeps copies of what it is given.
type Store map[string][]byte

// Get is the value of key.
func (s Store) Get(key []byte) ([]byte, bool) { v, ok := s[string(key)]; return v, ok }

// Set writes a copy of value.
func (s Store) Set(key, value []byte) { s[string(key)] = append([]byte{}, value...) }

// Delete removes key.
func (s Store) Delete(key []byte) { delete(s, string(key)) }

// Ascend visits what lies from start to before end (nil: to the last) by rising key, until yield says no.
func (s Store) Ascend(start, end []byte, yield func(k, v []byte) bool) {
	s.visit(slices.Sorted(maps.Keys(s)), start, end, yield)
}

// Descend is Ascend by falling key.
func (s Store) Descend(start, end []byte, yield func(k, v []byte) bool) {
	keys := slices.Sorted(maps.Keys(s))
	slices.Reverse(keys)
	s.visit(keys, start, end, yield)
}

func (s Store) visit(keys []string, start, end []byte, yield func(k, v []byte) bool) {
	for _, k := range keys {
		if k >= string(start) && (end == nil || k < string(end)) && !yield([]byte(k), s[k]) {
			return
		}
	}
}
