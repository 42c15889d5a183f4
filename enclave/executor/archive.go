package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
)

// The archive holds state keys of labels whose other keys this worker does not have: what members need to open a state that was sealed
// under keys which gatekeepers no longer give. They open snapshots and records, seal nothing, and open no input.

// stateKey is the key that opens what was sealed under l; nil: this worker lacks it.
func (c *cluster) stateKey(l label) *keytree.Secret {
	if k := c.keys[l]; k != nil {
		return k.State
	}
	return c.archive[l]
}

// arrived takes the state key of an old label, and begins reading anew with it. The caller advances the cluster.
func (x *Executor) arrived(c *cluster, l label, state *keytree.Secret) {
	if c.stateKey(l) != nil || c.final.number == c.head.Number {
		state.Wipe()
		return
	}
	c.archive[l] = state
	c.fetch, c.restoring = nil, true
	clear(c.asked)
}

// sources are the labels whose snapshots to look for, the best first.
func (c *cluster) sources() []label {
	old := make([]label, 0, len(c.archive))
	for l := range c.archive {
		old = append(old, l)
	}
	slices.SortFunc(old, func(a, b label) int {
		return cmp.Or(cmp.Compare(b.epoch, a.epoch), cmp.Compare(b.roster, a.roster))
	})
	return slices.Concat([]label{c.now()}, old, []label{c.before()})
}

// closeArchive forgets old state keys once the state is here and is being sealed under the keys in force.
func (c *cluster) closeArchive() {
	if c.final.number == c.head.Number && c.sealed == c.now() {
		c.wipeArchive()
	}
}

func (c *cluster) wipeArchive() {
	for l, s := range c.archive {
		s.Wipe()
		delete(c.archive, l)
	}
}

// keptPart takes a gatekeeper's part of the state secret of a label that the cluster lags at; enough of them come to its state key.
func (x *Executor) keptPart(ctx context.Context, c *cluster, set *wire.GatekeeperSet, from int, parts []dprf.Part) error {
	r := c.request
	all := r.kept[set.Epoch]
	if all == nil {
		all = map[int][]dprf.Part{}
		r.kept[set.Epoch] = all
	}
	wipeParts(all[from])
	all[from] = parts
	n, t := len(set.Members), int(set.Threshold)
	var secret *keytree.Secret
	var suspects []int
	var err error
	if labelOf(c.key) == r.label {
		secret, suspects, err = dprf.Match(n, t, all, func(s *keytree.Secret) bool { return keytree.IsState(s, c.key.Check) })
	} else {
		secret, suspects, err = dprf.Combine(n, t, all)
	}
	if err != nil && suspects == nil {
		return nil // more parts are to come
	}
	if err != nil {
		return fmt.Errorf("combining kept parts for cluster %d: %w", c.id, err)
	}
	defer secret.Wipe()
	l := r.label
	c.endRequest()
	x.arrived(c, l, keytree.StateKey(secret))
	x.advance(ctx, c)
	return nil
}
