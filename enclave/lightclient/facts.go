package lightclient

import (
	"fmt"
	"iter"
	"maps"

	"github.com/phala-go/phala/core/wire"
)

// Facts are values of the chain's stores that were proven at one height.
type Facts struct {
	Height uint64
	values map[string][]byte
}

// Facts verifies everything in sv against the header of its height; one bad proof refuses all.
func (c *Client) Facts(sv *wire.StoreValues) (Facts, error) {
	f := Facts{Height: sv.Height, values: make(map[string][]byte, len(sv.Values))}
	for _, v := range sv.Values {
		if err := c.Check(sv.Height, v); err != nil {
			return Facts{}, err
		}
		f.values[id(v.Key)] = v.Value
	}
	return f, nil
}

// NewFacts is for tests of rules that take facts; keys and values alternate.
func NewFacts(height uint64, pairs ...any) Facts {
	f := Facts{Height: height, values: map[string][]byte{}}
	for i := 0; i < len(pairs); i += 2 {
		var v []byte
		if m, ok := pairs[i+1].(wire.Message); ok {
			v = wire.Marshal(m)
		}
		f.values[id(pairs[i].(*wire.StoreKey))] = v
	}
	return f
}

func id(k *wire.StoreKey) string { return k.Store + "/" + string(k.Key) }

// All gives every value with the name that ID gives its key, nil for a proven absence.
func (f Facts) All() iter.Seq2[string, []byte] { return maps.All(f.values) }

// ID names a key.
func ID(k *wire.StoreKey) string { return id(k) }

// Has says whether the key was asked and answered, be it with its absence.
func (f Facts) Has(keys ...*wire.StoreKey) bool {
	for _, k := range keys {
		if _, ok := f.values[id(k)]; !ok {
			return false
		}
	}
	return true
}

// Bytes is the value of k as it is, nil for a proven absence. A key that was not asked is an error.
func (f Facts) Bytes(k *wire.StoreKey) ([]byte, error) {
	v, ok := f.values[id(k)]
	if !ok {
		return nil, fmt.Errorf("reading %s/%x at height %d: not among the proven values", k.Store, k.Key, f.Height)
	}
	return v, nil
}

// Read decodes the value of k into m; found is false for a proven absence. A key that was not asked is an error.
func (f Facts) Read(k *wire.StoreKey, m wire.Message) (found bool, err error) {
	v, err := f.Bytes(k)
	if err != nil || len(v) == 0 {
		return false, err
	}
	if err := wire.Unmarshal(v, m); err != nil {
		return false, fmt.Errorf("reading %s/%x at height %d: %w", k.Store, k.Key, f.Height, err)
	}
	return true, nil
}
