package executor

import (
	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// keepResults is how many results a worker keeps for those who ask late.
const keepResults = 4096

// results are those of final batches only.
type results struct {
	by    map[uint64]released
	order []uint64
}

type released struct {
	final *wire.FinalResult
	reply *seal.ReplyKey
	void  bool
}

func (r *results) add(c *cluster, cand *candidate) {
	if r.by == nil {
		r.by = map[uint64]released{}
	}
	leaves := make([][]byte, len(cand.outcomes))
	for i, o := range cand.outcomes {
		leaves[i] = settle.OutputLeaf(o.result, o.salt)
	}
	for i, o := range cand.outcomes {
		r.by[o.result.Index] = released{reply: o.reply, void: o.void, final: &wire.FinalResult{
			Result: o.result, Salt: o.salt, Leaf: uint32(i), Leaves: uint32(len(leaves)), Path: merkle.Path(leaves, i),
			Batch: cand.batch, FinalHeight: c.height, Trace: o.trace,
		}}
		r.order = append(r.order, o.result.Index)
	}
	for len(r.order) > keepResults {
		delete(r.by, r.order[0])
		r.order = r.order[1:]
	}
}

// Result seals a final result for the one who sealed its input; the answer tells nothing to anybody else.
func (x *Executor) Result(q *wire.ResultCall) *wire.Out {
	c := x.clusters[q.Cluster]
	if c == nil || c.height == 0 {
		return failure("unknown-cluster", "ask a gateway of one of the cluster's members", "this worker does not serve cluster %d", q.Cluster)
	}
	if err := x.cfg.Light.FreshAt(c.height); err != nil {
		return failure("stale", "ask another member: this one is cut off from the chain", "%v", err)
	}
	r, ok := c.results.by[q.Index]
	switch {
	case ok && r.void:
		return failure("wrong-epoch", "seal the message again to the cluster's present key", "item %d was sealed to a key whose grace is over; its funds go back", q.Index)
	case ok && r.reply == nil:
		return failure("does-not-open", "seal the message again, as its sender, to the cluster's present key", "item %d did not open, so nobody can be answered", q.Index)
	case ok:
		return &wire.Out{Body: &wire.Out_Reply{Reply: r.reply.Reply(wire.Marshal(r.final))}}
	case q.Index >= c.head.InboxNext || c.final.number < c.head.Number:
		return failure("not-final", "ask again after the next block", "item %d is not part of a final batch at height %d", q.Index, c.height)
	}
	return failure("unknown-item", "ask another member: this one keeps the newest results since its last start", "the result of item %d is not here", q.Index)
}

// openings presents a candidate's effects; padding stays closed.
func openings(cand *candidate) (out []*wire.EffectOpening) {
	leaves := make([][]byte, len(cand.effects))
	for i, e := range cand.effects {
		leaves[i] = settle.EffectLeaf(e)
	}
	for i, e := range cand.effects {
		if _, padding := e.Body.(*wire.Effect_Nothing); padding {
			continue
		}
		out = append(out, &wire.EffectOpening{Effect: e, Leaf: uint32(i), Leaves: uint32(len(leaves)), Path: merkle.Path(leaves, i)})
	}
	return out
}
