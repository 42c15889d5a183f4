package gatekeeper

import (
	"cmp"
	"slices"

	"github.com/phala-go/phala/core/wire"
)

// queue says which requests are to be looked at: those of which something has come that they waited for. A thousand requests wait at
// a time, and their values come one by one.
type queue struct {
	todo    map[*pending]bool
	waits   map[string][]*pending // by the name of what they wait for
	current *pending              // being decided: what is asked for now is for it
}

func (q *queue) begin() { *q = queue{todo: map[*pending]bool{}, waits: map[string][]*pending{}} }

func (q *queue) put(p *pending) { q.todo[p] = true }

// wait notes that the request that is being decided lacks a value.
func (q *queue) wait(name string) {
	if q.current != nil {
		q.waits[name] = append(q.waits[name], q.current)
	}
}

// came puts those in who waited for what has come.
func (q *queue) came(names []string) {
	for _, n := range names {
		for _, p := range q.waits[n] {
			q.put(p)
		}
		delete(q.waits, n)
	}
}

// take gives those to be looked at, by name.
func (q *queue) take() []*pending {
	var out []*pending
	for p := range q.todo {
		out = append(out, p)
	}
	clear(q.todo)
	slices.SortFunc(out, func(a, b *pending) int { return cmp.Compare(a.name, b.name) })
	return out
}

// ask asks for keys at the height that is worked on.
func (g *Gatekeeper) ask(keys ...*wire.StoreKey) []*wire.Out {
	for _, k := range keys {
		if !g.now.has(k) {
			g.queue.wait(id(k))
		}
	}
	return need(g.now, keys)
}
