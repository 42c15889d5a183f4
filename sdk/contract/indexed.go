package contract

import (
	"encoding/binary"
	"iter"
)

// Index finds values of a map by something in them: its Key gives, for a
// value, what to find it by.
type Index[T any] struct {
	Name string
	Key  func(T) string
}

// IndexedMap is a Map that can also be walked by what is in its values.
type IndexedMap[T any] struct {
	Map[T]
	indexes []Index[T]
	keys    []Map[struct{}]
}

// NewIndexedMap names a map and its indexes. Make it a package variable. The
// state of each index lies under the map's name, a slash and the index's.
// Indexes cannot be added to a map that has values already.
func NewIndexedMap[T any](name string, indexes ...Index[T]) IndexedMap[T] {
	m := IndexedMap[T]{Map: NewMap[T](name), indexes: indexes}
	for _, i := range indexes {
		if i.Name == "" || i.Key == nil {
			panic("contract: an index needs a name and a key")
		}
		m.keys = append(m.keys, NewMap[struct{}](name+"/"+i.Name))
	}
	return m
}

// Save sets the value under a key, in the map and in its indexes.
func (m IndexedMap[T]) Save(ctx *Context, key string, v T) {
	m.forget(ctx, key)
	m.Map.Save(ctx, key, v)
	for i, x := range m.indexes {
		m.keys[i].Save(ctx, entry(x.Key(v))+key, struct{}{})
	}
}

// Remove removes it from both.
func (m IndexedMap[T]) Remove(ctx *Context, key string) {
	m.forget(ctx, key)
	m.Map.Remove(ctx, key)
}

// forget takes the value under a key out of the indexes.
func (m IndexedMap[T]) forget(ctx *Context, key string) {
	old, ok := m.Load(ctx, key)
	if !ok {
		return
	}
	for i, x := range m.indexes {
		m.keys[i].Remove(ctx, entry(x.Key(old))+key)
	}
}

// By visits the values for which an index's Key is what, in the order of their
// keys. An unknown index is a fault in the contract.
func (m IndexedMap[T]) By(ctx *Context, index, what string) iter.Seq2[string, T] {
	for i, x := range m.indexes {
		if x.Name == index {
			return m.by(ctx, m.keys[i], entry(what))
		}
	}
	panic("contract: no index " + index)
}

func (m IndexedMap[T]) by(ctx *Context, keys Map[struct{}], prefix string) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		start := keys.key(prefix)
		next := ctx.host.Scan(start, above(start), false)
		for k, _, ok := next(); ok; k, _, ok = next() {
			key := string(k[len(start):])
			v, ok := m.Load(ctx, key)
			if !ok {
				panic("contract: an index names " + key + ", which is not in the map")
			}
			if !yield(key, v) {
				return
			}
		}
	}
}

// entry begins the key of an index's entry: length first, so that one thing to
// find is never the beginning of another.
func entry(what string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(what)))) + what
}
