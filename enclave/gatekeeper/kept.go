package gatekeeper

import (
	"cmp"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/wire"
)

// What is kept for clusters that lag, as docs/spec/keys.md has it: parts under the label of the state secret that such a cluster's
// state is sealed under, handed from each set to the next while the cluster has not moved on; no k_B, and nothing that opens an input.

// maxKept bounds the labels that parts are kept of. What is one too many waits, unless money lies in its cluster and in another's not.
const maxKept = 256

// keptLabel names a state secret.
type keptLabel struct{ cluster, epoch, roster uint64 }

func (l keptLabel) compare(o keptLabel) int {
	return cmp.Or(cmp.Compare(l.cluster, o.cluster), cmp.Compare(l.epoch, o.epoch), cmp.Compare(l.roster, o.roster))
}

// keeping is all of it.
type keeping struct {
	parts  map[keptLabel]map[uint64][]dprf.Part // by label, and by the epoch of the set in whose family they are
	lags   map[keptLabel]bool                   // labels that the newest survey has found to lag; true: money lies in the cluster
	survey survey
	pulls  map[keptLabel]*pull
	gone   map[keptLabel]uint64 // height at which it was given up to collect parts
}

func newKeeping() keeping {
	return keeping{parts: map[keptLabel]map[uint64][]dprf.Part{}, lags: map[keptLabel]bool{}, pulls: map[keptLabel]*pull{}, gone: map[keptLabel]uint64{}}
}

// wipe forgets everything.
func (k *keeping) wipe() {
	for l := range k.parts {
		k.drop(l)
	}
	for _, p := range k.pulls {
		p.wipe()
	}
	*k = newKeeping()
}

// drop erases what is kept of a label.
func (k *keeping) drop(l keptLabel) {
	for family := range k.parts[l] {
		k.dropFamily(l, family)
	}
}

func (k *keeping) dropFamily(l keptLabel, family uint64) {
	wipeParts(k.parts[l][family])
	if delete(k.parts[l], family); len(k.parts[l]) == 0 {
		delete(k.parts, l)
	}
}

func wipeParts(parts []dprf.Part) {
	for _, p := range parts {
		clear(p.Value)
	}
}

// put takes parts of a label; false: there is no room for it.
func (k *keeping) put(l keptLabel, family uint64, parts []dprf.Part) bool {
	if k.parts[l] == nil {
		if len(k.parts) >= maxKept && !k.displace(l) {
			return false
		}
		k.parts[l] = map[uint64][]dprf.Part{}
	}
	k.parts[l][family] = parts
	return true
}

// displace makes room for a label in whose cluster money lies, at the cost of one in whose cluster none does.
func (k *keeping) displace(l keptLabel) bool {
	if !k.lags[l] {
		return false
	}
	for _, o := range slices.SortedFunc(maps.Keys(k.parts), keptLabel.compare) {
		if !k.lags[o] {
			k.drop(o)
			return true
		}
	}
	return false
}

// outdated erases parts of families that are not of the set in force or the one before, or in which this boot does not count.
func (g *Gatekeeper) outdated(c *chain) {
	for l, families := range g.kept.parts {
		for family := range families {
			if s := c.setOf(family); s == nil || !g.counted(s) {
				g.kept.dropFamily(l, family)
			}
		}
	}
}

// setOf is the set of an epoch: that in force or the one before; nil: another.
func (c *chain) setOf(epoch uint64) *wire.GatekeeperSet {
	for _, s := range []*wire.GatekeeperSet{c.set, c.previous} {
		if s != nil && s.Epoch == epoch && epoch+1 >= c.set.GetEpoch() {
			return s
		}
	}
	return nil
}

func (g *Gatekeeper) counted(s *wire.GatekeeperSet) bool {
	_, ok := g.place(s)
	return ok
}

// keptEpoch gives what is kept of a label, in the newest family, in the form of an epoch without keys; nil: nothing is.
func (g *Gatekeeper) keptEpoch(l keptLabel) *epoch {
	families := g.kept.parts[l]
	if len(families) == 0 {
		return nil
	}
	newest := slices.Max(slices.Collect(maps.Keys(families)))
	return &epoch{number: l.epoch, family: newest, kept: families[newest]}
}
