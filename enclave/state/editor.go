package state

import (
	"bytes"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/wire"
)

// Editor changes a state step by step and remembers which keys it touched. Steps nest: what a failed call did is dropped whole.
type Editor struct {
	base    Map
	now     Map
	touched map[string]struct{}
}

// Edit begins with m.
func (m Map) Edit() *Editor {
	return &Editor{base: m, now: m, touched: map[string]struct{}{}}
}

// Map is the state as it stands.
func (e *Editor) Map() Map { return e.now }

// Get returns the value of key.
func (e *Editor) Get(key []byte) ([]byte, bool) { return e.now.Get(key) }

// Set puts key at value.
func (e *Editor) Set(key, value []byte) {
	e.now = e.now.Set(key, value)
	e.touched[string(key)] = struct{}{}
}

// Delete takes key out.
func (e *Editor) Delete(key []byte) {
	e.now = e.now.Delete(key)
	e.touched[string(key)] = struct{}{}
}

// Step begins a step that Commit takes over and that is otherwise forgotten.
func (e *Editor) Step() *Editor { return e.now.Edit() }

// Commit takes over what step has changed; step must come from e.Step with no change to e since.
func (e *Editor) Commit(step *Editor) {
	e.now = step.now
	maps.Copy(e.touched, step.touched)
}

// Writes lists what differs from the beginning, by key.
func (e *Editor) Writes() []*wire.Write {
	var out []*wire.Write
	for _, k := range slices.Sorted(maps.Keys(e.touched)) {
		key := []byte(k)
		old, had := e.base.Get(key)
		v, has := e.now.Get(key)
		switch {
		case has && (!had || !bytes.Equal(old, v)):
			out = append(out, &wire.Write{Key: key, Value: v})
		case had && !has:
			out = append(out, &wire.Write{Key: key, Deleted: true})
		}
	}
	return out
}

// Apply gives the map with writes.
func (m Map) Apply(writes []*wire.Write) Map {
	for _, w := range writes {
		if w.Deleted {
			m = m.Delete(w.Key)
		} else {
			m = m.Set(w.Key, w.Value)
		}
	}
	return m
}

// Space is the part of an editor under one prefix: what a contract sees. It is an engine.Store.
type Space struct {
	editor *Editor
	prefix []byte
}

// Space gives the part under prefix.
func (e *Editor) Space(prefix []byte) *Space { return &Space{e, prefix} }

func (s *Space) key(k []byte) []byte {
	return append(s.prefix[:len(s.prefix):len(s.prefix)], k...)
}

// Get returns the value of key.
func (s *Space) Get(key []byte) ([]byte, bool) { return s.editor.Get(s.key(key)) }

// Set puts key at value.
func (s *Space) Set(key, value []byte) { s.editor.Set(s.key(key), value) }

// Delete takes key out.
func (s *Space) Delete(key []byte) { s.editor.Delete(s.key(key)) }

func (s *Space) bounds(start, end []byte) ([]byte, []byte) {
	lo := s.key(start)
	if end != nil {
		return lo, s.key(end)
	}
	return lo, after(s.prefix)
}

// after is the first key behind all that begin with prefix; nil if there is none.
func after(prefix []byte) []byte {
	hi := bytes.Clone(prefix)
	for i := len(hi) - 1; i >= 0; i-- {
		if hi[i]++; hi[i] != 0 {
			return hi[:i+1]
		}
	}
	return nil
}

// Ascend visits start <= key < end in order.
func (s *Space) Ascend(start, end []byte, yield func(key, value []byte) bool) {
	lo, hi := s.bounds(start, end)
	s.editor.now.Ascend(lo, hi, func(k, v []byte) bool { return yield(k[len(s.prefix):], v) })
}

// Descend visits the same range backwards.
func (s *Space) Descend(start, end []byte, yield func(key, value []byte) bool) {
	lo, hi := s.bounds(start, end)
	s.editor.now.Descend(lo, hi, func(k, v []byte) bool { return yield(k[len(s.prefix):], v) })
}
