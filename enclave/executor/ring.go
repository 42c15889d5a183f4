package executor

import (
	"errors"
	"slices"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// label names one secret of a cluster.
type label struct{ epoch, roster uint64 }

// ring is the keys that a member holds: those in force, those before them while they still open, those to come.
type ring map[label]*keytree.Cluster

func (r ring) wipe(l label) {
	if k := r[l]; k != nil {
		k.Wipe()
		delete(r, l)
	}
}

// errNoKey breaks off what needs keys that this worker lacks; others may have them.
var errNoKey = errors.New("this worker lacks the keys of another epoch or roster for it")

// now is the label in force, before the one it took the place of, next the one that members are to ask for.
func (c *cluster) now() label    { return label{c.info.Epoch, c.info.Roster} }
func (c *cluster) before() label { return label{c.info.PreviousEpoch, c.info.PreviousRoster} }
func (c *cluster) next() label   { return label{c.set.Epoch, c.info.Roster} }

func labelOf(k *wire.ClusterKey) label { return label{k.GetEpoch(), k.GetRoster()} }

// missing lists the labels that this worker lacks and gatekeepers may give: they keep an epoch's keys for one more.
func (c *cluster) missing() (out []label) {
	for _, l := range []label{c.now(), c.before(), c.next()} {
		if c.keys[l] == nil && !slices.Contains(out, l) && (l.epoch+1 >= c.set.Epoch || c.kept(l)) && settle.MayRequest(c.info, c.set.Epoch, l.epoch, l.roster) {
			out = append(out, l)
		}
	}
	return out
}

// kept says whether l is one of which gatekeepers may have kept the state secret for this cluster, which lags, and this worker lacks
// the state that it opens.
func (c *cluster) kept(l label) bool {
	return c.stateKey(l) == nil && c.restoring && c.final.number != c.head.Number && l.epoch+1 < c.set.Epoch
}

// lacking is the label to ask for after last, in a circle, so that one which nobody gives does not stand before the others.
func (c *cluster) lacking(last label) (label, bool) {
	out := c.missing()
	if len(out) == 0 {
		return label{}, false
	}
	return out[(slices.Index(out, last)+1)%len(out)], true
}

// moved takes over the chain's word on epoch and roster: keys whose grace is over are erased.
func (c *cluster) moved(former *wire.Cluster) {
	if former != nil && (former.Epoch != c.info.Epoch || former.Roster != c.info.Roster) {
		c.former = former
		if former.Roster != c.info.Roster {
			clear(c.votes) // members have other places now
			c.held = nil
		}
	}
	keep := []label{c.now(), c.before(), c.next(), labelOf(c.nextKey)}
	for l := range c.keys {
		if !slices.Contains(keep, l) {
			c.keys.wipe(l)
		}
	}
	if c.request != nil && !slices.Contains(c.missing(), c.request.label) {
		c.endRequest()
	}
}

// under is the cluster as it was in force for batches that name (epoch, roster); nil if this worker has not seen it.
func (c *cluster) under(epoch, roster uint64) *wire.Cluster {
	for _, info := range []*wire.Cluster{c.info, c.former} {
		if info != nil && info.Epoch == epoch && info.Roster == roster {
			return info
		}
	}
	return nil
}
