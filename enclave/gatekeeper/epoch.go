package gatekeeper

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
	signer "github.com/phala-go/phala/enclave/beacon"
)

// epoch is what a gatekeeper holds of one epoch, in this memory and nowhere else.
type epoch struct {
	number uint64
	sets   []dprf.Set // ascending
	keys   map[dprf.Set]*keytree.Secret
	share  *beacon.Share
	signer *signer.Signer // nil until it is known what the epoch's values are checked with

	// Of an epoch whose keys are gone, what is kept of one label, in the family of another epoch's set.
	family uint64
	kept   []dprf.Part
}

func newEpoch(number uint64, keys map[dprf.Set]*keytree.Secret, share *beacon.Share) *epoch {
	return &epoch{number: number, keys: keys, sets: slices.Sorted(maps.Keys(keys)), share: share}
}

func (e *epoch) wipe() {
	for _, k := range e.keys {
		k.Wipe()
	}
	clear(e.keys)
	if e.share != nil {
		e.share.Wipe()
	}
	e.sets, e.share, e.signer = nil, nil, nil
}

// held is the epoch of a number; nil: nothing is held of it.
func (g *Gatekeeper) held(number uint64) *epoch {
	for _, e := range g.epochs {
		if e.number == number {
			return e
		}
	}
	return nil
}

// settle erases what the chain says is over: everything with the loss of the identity, an epoch when the one after the next has
// begun, or when this boot's parts of it do not count.
func (g *Gatekeeper) settle(c *chain) (outs []*wire.Out) {
	if len(g.epochs) == 0 && g.member == nil && len(g.kept.parts) == 0 {
		return nil
	}
	if !g.registered(c) {
		g.Wipe()
		return g.complain("identity-lost", "the identity of this boot", fmt.Errorf("no longer the registered one at height %d: all keys are erased", c.height),
			"register the worker again; it takes part from the next border on")
	}
	g.epochs = slices.DeleteFunc(g.epochs, func(e *epoch) bool {
		err := g.counts(e, c)
		if err != nil {
			e.wipe()
		}
		outs = append(outs, g.complain("epoch-over", fmt.Sprintf("keys of epoch %d", e.number), err, "")...)
		return err != nil
	})
	g.outdated(c)
	return outs
}

// counts is nil while the parts of an epoch are of use.
func (g *Gatekeeper) counts(e *epoch, c *chain) error {
	for _, s := range []*wire.GatekeeperSet{c.set, c.previous} {
		if s == nil || s.Epoch != e.number {
			continue
		}
		if s != c.set && s.Epoch+1 != c.set.GetEpoch() {
			break
		}
		if _, ok := g.place(s); !ok {
			return errors.New("this boot's parts do not count any more: they are erased")
		}
		return nil
	}
	return fmt.Errorf("its grace is over, epoch %d is in force: they are erased", c.set.GetEpoch())
}
