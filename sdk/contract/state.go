package contract

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// Item is one value in the contract's state, kept as JSON.
type Item[T any] struct{ key []byte }

// NewItem names a value. Make it a package variable; names must differ from
// those of other items.
func NewItem[T any](name string) Item[T] {
	Warm[T]()
	if name == "" || name[0] == 0 {
		panic("contract: an item needs a name of text")
	}
	return Item[T]{[]byte(name)}
}

// Load gives the value, and whether there is one.
func (i Item[T]) Load(ctx *Context) (T, bool) { return load[T](ctx, i.key) }

// Save sets it.
func (i Item[T]) Save(ctx *Context, v T) { save(ctx, i.key, v) }

// Remove removes it.
func (i Item[T]) Remove(ctx *Context) { remove(ctx, i.key) }

// Map is a set of values in the contract's state, each under a string, kept in
// the order of these strings' bytes.
type Map[T any] struct{ prefix []byte }

// NewMap names a map. Make it a package variable; names must differ from those
// of other maps.
func NewMap[T any](name string) Map[T] {
	Warm[T]()
	if name == "" || len(name) > 0xff {
		panic("contract: a map needs a name of 1 to 255 bytes")
	}
	// Two bytes of length first: no map's keys begin like another's, nor like
	// an item's, whose first byte is not zero.
	return Map[T]{append(binary.BigEndian.AppendUint16(nil, uint16(len(name))), name...)}
}

func (m Map[T]) key(k string) []byte { return append(m.prefix[:len(m.prefix):len(m.prefix)], k...) }

// Load gives the value under a key, and whether there is one.
func (m Map[T]) Load(ctx *Context, key string) (T, bool) { return load[T](ctx, m.key(key)) }

// Save sets it.
func (m Map[T]) Save(ctx *Context, key string, v T) { save(ctx, m.key(key), v) }

// Remove removes it.
func (m Map[T]) Remove(ctx *Context, key string) { remove(ctx, m.key(key)) }

// Has tells whether there is one.
func (m Map[T]) Has(ctx *Context, key string) bool {
	_, ok := ctx.host.Get(m.key(key))
	return ok
}

// All visits the map in order.
func (m Map[T]) All(ctx *Context) iter.Seq2[string, T] { return m.walk(ctx, m.prefix, false) }

// After visits, in order, what comes after a key: for answers page by page.
func (m Map[T]) After(ctx *Context, key string) iter.Seq2[string, T] {
	return m.walk(ctx, append(m.key(key), 0), false)
}

// Backwards visits the map in reverse.
func (m Map[T]) Backwards(ctx *Context) iter.Seq2[string, T] { return m.walk(ctx, m.prefix, true) }

// Under visits, in order, what has a key that begins so; the keys it gives are
// whole. Keys made of parts, the first ending in a byte that no part has, are
// so found by their first part.
func (m Map[T]) Under(ctx *Context, begin string) iter.Seq2[string, T] {
	start := m.key(begin)
	return m.between(ctx, start, above(start), false)
}

func (m Map[T]) walk(ctx *Context, start []byte, descending bool) iter.Seq2[string, T] {
	return m.between(ctx, start, above(m.prefix), descending)
}

func (m Map[T]) between(ctx *Context, start, end []byte, descending bool) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		next := ctx.host.Scan(start, end, descending)
		for k, raw, ok := next(); ok; k, raw, ok = next() {
			if !yield(string(k[len(m.prefix):]), parse[T](k, raw)) {
				return
			}
		}
	}
}

// above is the least key greater than all that begin with prefix. A map's
// prefix begins with a zero byte, so there is one.
func above(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	end[len(end)-1]++
	return end
}

func load[T any](ctx *Context, key []byte) (T, bool) {
	raw, ok := ctx.host.Get(key)
	if !ok {
		var zero T
		return zero, false
	}
	return parse[T](key, raw), true
}

// parse panics on what this contract cannot have written as a T.
func parse[T any](key, raw []byte) T {
	var v T
	if err := decode(raw, &v); err != nil {
		panic(fmt.Sprintf("contract: state under %q is not a %T: %v", key, v, err))
	}
	return v
}

func save(ctx *Context, key []byte, v any) {
	ctx.writing()
	raw, err := encode(v)
	if err != nil {
		panic(fmt.Sprintf("contract: %T cannot be JSON: %v", v, err))
	}
	ctx.host.Set(key, raw)
}

func remove(ctx *Context, key []byte) {
	ctx.writing()
	ctx.host.Delete(key)
}

func (c *Context) writing() {
	if c.readOnly {
		panic("contract: state cannot be changed in a query")
	}
}
