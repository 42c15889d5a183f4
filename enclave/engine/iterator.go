package engine

import "bytes"

// iterator walks a range by looking up the next key after the last one given,
// so that writes between two steps cannot invalidate it: it gives what is in
// the range when asked, never a removed key and never one twice.
type iterator struct {
	start, end []byte // nil is open; narrowed as it goes
	descending bool
	done       bool
}

func newIterator(start, end []byte, descending bool) *iterator {
	it := &iterator{start: start, end: end, descending: descending}
	it.done = end != nil && bytes.Compare(start, end) >= 0
	if len(start) == 0 {
		it.start = nil
	}
	return it
}

// size is how many bytes it holds on to.
func (it *iterator) size() int { return len(it.start) + len(it.end) }

// next gives the next pair, or false for good.
func (it *iterator) next(s Store) (key, value []byte, ok bool) {
	if it.done {
		return nil, nil, false
	}
	walk := s.Ascend
	if it.descending {
		walk = s.Descend
	}
	walk(it.start, it.end, func(k, v []byte) bool {
		key, value, ok = bytes.Clone(k), bytes.Clone(v), true
		return false
	})
	switch {
	case !ok:
		it.done = true
	case it.descending:
		it.end = key
		it.done = len(key) == 0 // nothing is below the empty key
	default:
		it.start = append(bytes.Clone(key), 0) // the least key after it
	}
	return key, value, ok
}
