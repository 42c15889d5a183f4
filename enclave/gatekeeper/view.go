package gatekeeper

import (
	"fmt"
	"time"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// view is what was asked for, and proven, at one height. It takes nothing that was not asked, so its size is the asker's doing.
type view struct {
	height uint64
	time   time.Time // of the header: certificates are judged by the chain's clock, never by the host's
	asked  map[string]bool
	values map[string][]byte // nil for a proven absence
}

func newView(h lightclient.Header) *view {
	return &view{height: h.Height, time: h.Time, asked: map[string]bool{}, values: map[string][]byte{}}
}

func id(k *wire.StoreKey) string { return lightclient.ID(k) }

// want notes keys, and gives those that were not asked for before.
func (v *view) want(keys ...*wire.StoreKey) (fresh []*wire.StoreKey) {
	for _, k := range keys {
		if name := id(k); !v.asked[name] {
			v.asked[name] = true
			fresh = append(fresh, k)
		}
	}
	return fresh
}

// take keeps those of the facts that were asked for, and gives the names of those that are new.
func (v *view) take(f lightclient.Facts) (fresh []string) {
	for name, b := range f.All() {
		if _, known := v.values[name]; known || !v.asked[name] {
			continue
		}
		v.values[name] = b
		fresh = append(fresh, name)
	}
	return fresh
}

func (v *view) has(keys ...*wire.StoreKey) bool {
	for _, k := range keys {
		if _, ok := v.values[id(k)]; !ok {
			return false
		}
	}
	return true
}

// complete says that all that was asked for has come.
func (v *view) complete() bool { return len(v.values) == len(v.asked) }

// read decodes the value of a key; nil for a proven absence. A key that has not come is an error.
func read[M any, P interface {
	*M
	wire.Message
}](v *view, k *wire.StoreKey) (P, error) {
	b, ok := v.values[id(k)]
	if !ok {
		return nil, fmt.Errorf("reading %s/%x at height %d: not proven", k.Store, k.Key, v.height)
	}
	if len(b) == 0 {
		return nil, nil
	}
	m := P(new(M))
	if err := wire.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("reading %s/%x at height %d: %w", k.Store, k.Key, v.height, err)
	}
	return m, nil
}
