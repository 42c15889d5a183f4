package meter

// pass is what is found out about one function. It is used again for the next.
type pass struct {
	stack
	fn       funcType
	locals   []byte // types, parameters first
	isSet    []bool // by local
	set      int    // how many of them
	groups   int    // of declared locals
	decl     []byte // these groups, as they stand
	edits    []edit
	cur      int // the open metered block, among edits
	blocks   int
	calls    int
	indirect int  // of them
	edges    int  // of br_table
	opened   int  // blocks and loops
	passed   int  // operands of calls, in and out
	tight    bool // it has a tight loop
	nan32    bool
	nan64    bool
}

// edit is one change of a body.
type edit struct {
	at    int // before this byte of the module
	depth int // of a metered block: how many frames are open
	kind  editKind
	arg   int64
}

type editKind uint8

const (
	charge      editKind = iota // arg is the cost of a metered block
	chargeCheck                 // the same, and it must trap if no gas is left
	chargePages                 // for memory.grow, which follows
	chargeBytes                 // for memory.copy or memory.fill, which follows
	called                      // a call stands before, which has changed the gas
	tighten                     // for a loop, which follows: it is tight and ends before edit arg, or arg is 0
	leaveBody                   // replace a return by a branch over arg labels
	tableZero                   // replace arg bytes that say table 0 by one
	canon32                     // make a NaN canonical
	canon64
)

// code1 reads one body and adds the new one to m.code.
func (m *module) code1() {
	r := &m.r
	i := len(m.out.Imports) + m.out.Report.Functions
	if i >= len(m.funcs) {
		r.fail(r.off, "a body without a function")
		return
	}
	at := r.off
	size := r.u32()
	if uint64(size) > uint64(m.cfg.Limits.Body) || uint64(size) > uint64(r.end-r.off) {
		r.fail(at, "body of %d bytes, at most %d are allowed and %d left", size, m.cfg.Limits.Body, r.end-r.off)
		return
	}
	whole := r.end
	r.end = r.off + int(size)
	m.begin(m.types[m.funcs[i]])
	start := r.off
	for len(m.pass.ctl) > 0 && r.err == nil {
		m.instruction()
	}
	if r.err == nil && r.off != r.end {
		r.fail(r.off, "%d bytes after the end of a body", r.end-r.off)
	}
	if r.err != nil {
		return
	}
	slots := m.weigh(at, r.end-start)
	m.emit(start, r.end, slots)
	r.end = whole
	m.out.Report.Functions++
}

// begin reads the locals and opens the function's frame.
func (m *module) begin(t funcType) {
	r, p := &m.r, &m.pass
	p.reset()
	p.r = r
	*p = pass{stack: p.stack, fn: t, locals: append(p.locals[:0], t.params...), isSet: p.isSet[:0], edits: p.edits[:0]}
	at := r.off
	p.groups = r.count(r.end-r.off, "groups of locals")
	start := r.off
	for i := 0; i < p.groups && r.err == nil; i++ {
		n := r.u32()
		typ := r.valueType()
		if uint64(n)+uint64(len(p.locals)) > uint64(m.cfg.Limits.Locals) {
			r.fail(at, "more than %d locals", m.cfg.Limits.Locals)
			return
		}
		for range n {
			p.locals = append(p.locals, typ)
		}
	}
	if r.err != nil {
		return
	}
	p.decl = r.b[start:r.off]
	for range p.locals {
		p.isSet = append(p.isSet, false)
	}
	p.open(opBlock, nil, t.results)
	p.top().targeted = true // its end is where all returns lead
	p.next(chargeCheck)
}

// next begins a metered block here.
func (p *pass) next(kind editKind) {
	p.retract()
	p.cur = len(p.edits)
	p.edits = append(p.edits, edit{at: p.r.off, depth: len(p.ctl), kind: kind})
	p.blocks++
}

// retract takes the open block back if it has cost nothing so far.
func (p *pass) retract() {
	if p.idle() {
		p.edits = p.edits[:p.cur]
		p.blocks--
	}
}

func (p *pass) idle() bool {
	last := len(p.edits) - 1
	return p.blocks > 0 && p.cur == last && p.edits[last].kind == charge && p.edits[last].arg == 0
}

// tightBytes is how long a loop can be that is worth a local: in a longer one
// the runtime's processor finds other work while it waits for a global.
const tightBytes = 64

// loop notes whether a loop that just ended is tight.
func (p *pass) loop(f *frame) {
	end := len(p.edits)
	if p.idle() {
		end-- // it will move out of the loop
	}
	if p.r.off-p.edits[f.head].at <= tightBytes {
		p.edits[f.head].arg = int64(end)
		p.tight = true
	}
}

func (p *pass) edit(at int, kind editKind, arg int64) {
	p.edits = append(p.edits, edit{at: at, kind: kind, arg: arg})
}

// cost charges an instruction to the open block.
func (m *module) cost(c Class) {
	if p := &m.pass; !p.dead() {
		p.edits[p.cur].arg += m.cfg.Table.Cost[c]
	}
}

// merged counts the values that may differ by the way to the label of f: its
// operands, each local set within, the mutable globals, gas, depth and the two
// the compiler keeps about memory.
func (m *module) merged(f *frame, operands []byte) {
	m.pass.joins += len(operands) + min(f.sets, m.pass.set) + len(m.out.Globals) + 4
}

// weigh gives the function's slots of stack and holds its size against the
// limits. size is that of the instructions.
func (m *module) weigh(at, size int) int {
	p, lim, rep := &m.pass, &m.cfg.Limits, &m.out.Report
	globals, graph := len(m.out.Globals), p.blocks+p.opened+p.edges+p.indirect
	work := p.blocks*(len(p.locals)+globals) + p.calls*globals
	// The compiler gives every value that has to wait in memory a slot of its
	// own and never reuses one: what the instructions make (no more than they
	// have bytes, with a surplus for those injected), what calls make it load
	// again, and what is merged. The constant is for saved registers.
	slots := 64 + len(p.locals) + p.highest + size + 4*len(p.edits) +
		p.calls*(globals+4) + p.passed + p.joins
	overrun := int64(p.calls) * smallCalls * m.cfg.Table.Cost[Call]
	for _, e := range p.edits {
		if e.kind <= chargeCheck {
			overrun += max(e.arg, 1)
		}
	}
	for _, v := range []struct {
		got, limit int
		seen       *int
		what       string
	}{
		{size, lim.Body, &rep.MaxBody, "bytes"},
		{len(p.locals), lim.Locals, &rep.MaxLocals, "locals"},
		{p.blocks, lim.Blocks, &rep.MaxBlocks, "metered blocks"},
		{graph, lim.Graph, &rep.MaxGraph, "blocks, loops, targets and indirect calls"},
		{p.deepest, lim.Nesting, &rep.MaxNesting, "levels of nesting"},
		{p.deepestLoops, lim.Loops, &rep.MaxLoops, "loops within one another"},
		{p.highest, 1 << 30, &rep.MaxHeight, "operands"},
		{work, lim.Work, &rep.MaxWork, "metered blocks × variables"},
		{p.edges * (len(p.locals) + globals), lim.Edges, &rep.MaxEdges, "targets of br_table × variables"},
		{slots, lim.Slots, &rep.MaxSlots, "slots of stack"},
	} {
		if v.got > v.limit {
			m.r.fail(at, "a function has %d %s, at most %d are allowed", v.got, v.what, v.limit)
		}
		*v.seen = max(*v.seen, v.got)
	}
	rep.Blocks += p.blocks
	rep.MaxOverrun = max(rep.MaxOverrun, overrun)
	cost := &m.cfg.Table.Cost
	m.out.DeployGas += int64(graph)*int64(graph)*cost[DeployGraph] + int64(work)*cost[DeployWork]
	return slots
}
