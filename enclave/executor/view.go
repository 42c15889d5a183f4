package executor

import (
	"slices"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// view is what answering takes of a cluster, as of one moment. Nothing in it changes, so any goroutine may read it.
type view struct {
	cluster uint64
	height  uint64
	final   snapshot
	seen    *lightclient.Frozen // of height
	labels  []label             // whose keys are here and taken for new inputs
	refusal *wire.Out           // nil: it may answer
}

// lookAt takes the view of a cluster.
func (x *Executor) lookAt(c *cluster) *view {
	v := &view{cluster: c.id, height: c.height, final: c.final}
	switch {
	case c.height == 0 || c.me < 0:
		v.refusal = stranger(c.id)
		return v
	case c.keys[c.now()] == nil || c.final.number != c.head.Number || c.broken != nil:
		v.refusal = failure("not-serving", "ask again shortly, or ask another member", "this worker has not caught up with cluster %d yet", c.id)
	}
	v.seen = x.cfg.Light.Freeze(c.height)
	for _, l := range []label{c.now(), c.before()} {
		if c.keys[l] != nil && settle.MaySeal(c.info, l.epoch, l.roster) {
			v.labels = append(v.labels, l)
		}
	}
	return v
}

func stranger(cluster uint64) *wire.Out {
	return failure("unknown-cluster", "ask a gateway of one of the cluster's members", "this worker does not serve cluster %d", cluster)
}

// ready is nil if the view may answer now.
func (v *view) ready() *wire.Out {
	if v.refusal != nil {
		return v.refusal
	}
	if err := v.seen.Fresh(); err != nil {
		return failure("stale", "ask another member: this one is cut off from the chain", "%v", err)
	}
	return nil
}

func (v *view) holds(l label) bool { return slices.Contains(v.labels, l) }

// Publish shows the sessions what is known by now, ends those whose keys are gone, and says what they lack. Whoever lets the executor
// work calls it afterwards: until then sessions answer from what was.
func (x *Executor) Publish() []*wire.Out {
	views := make(map[uint64]*view, len(x.clusters))
	for id, c := range x.clusters {
		views[id] = x.lookAt(c)
	}
	x.views.Store(&views)
	x.sessions.sweep(views)
	var outs []*wire.Out
	for _, id := range x.codes.missed() {
		outs = append(outs, (&needCode{id}).out())
	}
	return outs
}

// seen is the published view of a cluster.
func (x *Executor) seen(cluster uint64) *view {
	if views := x.views.Load(); views != nil {
		if v := (*views)[cluster]; v != nil {
			return v
		}
	}
	return &view{cluster: cluster, refusal: stranger(cluster)}
}
