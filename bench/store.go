package main

import (
	"maps"
	"slices"

	"github.com/CosmWasm/wasmvm/v3/types"
)

// store is the state of one contract, for both engines.
type store map[string][]byte

func (s store) Set(key, value []byte) { s[string(key)] = append([]byte{}, value...) }
func (s store) Delete(key []byte)     { delete(s, string(key)) }

// pairs lists what is in a range, in order.
func (s store) pairs(start, end []byte) [][2][]byte {
	var out [][2][]byte
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if k >= string(start) && (end == nil || k < string(end)) {
			out = append(out, [2][]byte{[]byte(k), s[k]})
		}
	}
	return out
}

// ours is the store as our engine wants it.
type ours struct{ store }

func (s ours) Get(key []byte) ([]byte, bool) { v, ok := s.store[string(key)]; return v, ok }

func (s ours) Ascend(start, end []byte, yield func(k, v []byte) bool) {
	for _, p := range s.pairs(start, end) {
		if !yield(p[0], p[1]) {
			return
		}
	}
}

func (s ours) Descend(start, end []byte, yield func(k, v []byte) bool) {
	for _, p := range slices.Backward(s.pairs(start, end)) {
		if !yield(p[0], p[1]) {
			return
		}
	}
}

// theirs is the store as wasmvm wants it.
type theirs struct{ store }

func (s theirs) Get(key []byte) []byte { return s.store[string(key)] }

func (s theirs) Iterator(start, end []byte) types.Iterator {
	return &walk{start, end, s.pairs(start, end)}
}

func (s theirs) ReverseIterator(start, end []byte) types.Iterator {
	p := s.pairs(start, end)
	slices.Reverse(p)
	return &walk{start, end, p}
}

type walk struct {
	start, end []byte
	left       [][2][]byte
}

func (w *walk) Domain() (start, end []byte) { return w.start, w.end }
func (w *walk) Valid() bool                 { return len(w.left) > 0 }
func (w *walk) Next()                       { w.left = w.left[1:] }
func (w *walk) Key() []byte                 { return w.left[0][0] }
func (w *walk) Value() []byte               { return w.left[0][1] }
func (w *walk) Error() error                { return nil }
func (w *walk) Close() error                { return nil }
