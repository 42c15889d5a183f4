package meter

import "fmt"

// structure handles what opens, splits and closes frames.
func (m *module) structure(op byte) {
	r, p := &m.r, &m.pass
	at := r.off - 1
	switch op {
	case opUnreachable:
		p.leave()
	case opBlock, opLoop, opIf:
		start, end := m.blockType()
		if op == opIf {
			m.cost(Branch)
			p.pop(i32)
		}
		p.popAll(start)
		if r.err != nil {
			return
		}
		p.open(op, start, end)
		if op != opIf {
			p.opened++ // the compiler makes a block of its own for each
		}
		switch {
		case len(p.ctl) > m.cfg.Limits.Nesting:
			r.fail(at, "nesting deeper than %d", m.cfg.Limits.Nesting)
		case p.loops > m.cfg.Limits.Loops:
			r.fail(at, "more than %d loops within one another", m.cfg.Limits.Loops)
		case p.dead():
		case op == opLoop:
			p.retract()
			p.top().head = len(p.edits)
			p.edit(at, tighten, 0)
			p.next(chargeCheck)
		case op == opIf:
			p.next(charge)
		}
	case opElse:
		if p.top().op != opIf {
			r.fail(at, "else without if")
			return
		}
		f := p.close()
		if r.err != nil {
			return
		}
		p.open(opElse, f.start, f.end)
		p.top().targeted, p.top().sets = f.targeted, f.sets
		if len(p.ctl) > 1 {
			p.ctl[len(p.ctl)-2].sets -= f.sets // they will be counted again
		}
		if !p.dead() {
			p.next(charge)
		}
	case opEnd:
		m.end(at)
	}
}

func (m *module) end(at int) {
	p := &m.pass
	f := p.close()
	if f.op == opIf && string(f.start) != string(f.end) {
		m.r.fail(at, "an if without else that changes the stack")
	}
	switch {
	case m.r.err != nil:
	case len(p.ctl) == 0:
		m.merged(&f, f.end)
	default:
		if f.op == opLoop && !f.dead {
			p.loop(&f)
		}
		p.pushAll(f.end)
		joined := f.op == opIf || f.op == opElse || f.targeted
		if joined && f.op == opLoop {
			m.merged(&f, f.start)
		} else if joined {
			m.merged(&f, f.end)
		}
		// The end of a loop is reached from one place, so it splits nothing.
		if (joined && f.op != opLoop || f.unreachable) && !p.dead() {
			p.next(charge)
		}
	}
}

func (m *module) branch(op, at int) {
	r, p := &m.r, &m.pass
	switch op {
	case opBr:
		m.cost(Branch)
		if d := r.index(len(p.ctl), "label"); r.err == nil {
			p.popAll(p.label(d))
			p.leave()
		}
	case opBrIf:
		m.cost(Branch)
		p.pop(i32)
		if d := r.index(len(p.ctl), "label"); r.err == nil {
			t := p.label(d)
			p.popAll(t)
			p.pushAll(t)
			if !p.dead() {
				p.next(charge)
			}
		}
	case opBrTable:
		m.cost(Switch)
		p.pop(i32)
		m.branchTable()
	case opReturn:
		m.cost(Branch)
		p.popAll(p.ctl[0].end)
		p.edit(at, leaveBody, int64(len(p.ctl)-1))
		p.leave()
	}
}

func (m *module) branchTable() {
	r, p := &m.r, &m.pass
	arity := -1
	n := r.count(m.cfg.Limits.Body, "targets")
	if at := r.off; n > m.cfg.Limits.Graph { // each costs time here already
		r.fail(at, "br_table of %d targets, at most %d are allowed", n, m.cfg.Limits.Graph)
	}
	for i := 0; i <= n && r.err == nil; i++ {
		d := r.index(len(p.ctl), "label")
		if r.err != nil {
			return
		}
		t := p.label(d)
		if arity >= 0 && len(t) != arity {
			r.fail(r.off, "targets of br_table that take different operands")
			return
		}
		arity = len(t)
		if i == n {
			p.popAll(t)
			continue
		}
		// Each target must fit what lies on the stack.
		m.held = append(m.held[:0], t...)
		for j := len(t) - 1; j >= 0; j-- {
			m.held[j] = p.pop(t[j])
		}
		p.pushAll(m.held)
	}
	p.edges += n + 1
	p.leave()
}

// blockType reads what a block takes and gives: nothing, one value, or what a
// function type says.
func (m *module) blockType() (start, end []byte) {
	r := &m.r
	at := r.off
	v := r.signed(33)
	switch {
	case r.err != nil:
	case v == -0x40:
	case v >= -4 && v < 0: // i32 to f64, read as numbers
		return nil, r.b[at : at+1 : at+1]
	case v >= 0 && v < int64(len(m.types)):
		return m.types[v].params, m.types[v].results
	default:
		r.fail(at, "type of a block is not allowed or not there")
	}
	return nil, nil
}

func opName(op int) string {
	class := ""
	switch {
	case op >= 0x100:
		return fmt.Sprintf("0xfc %d (bulk memory or table)", op-0x100)
	case op == 0x06 || op == 0x07 || op == 0x08 || op == 0x09 || op == 0x0a || op == 0x18 || op == 0x19 || op == 0x1f:
		class = " (exceptions)"
	case op == 0x12 || op == 0x13 || op == 0x15:
		class = " (tail calls)"
	case op == 0x1c, op >= 0x25 && op <= 0x26, op >= 0xd0 && op <= 0xd6:
		class = " (reference types)"
	case op == 0xfb:
		class = " (garbage collection)"
	case op == 0xfd:
		class = " (SIMD)"
	case op == 0xfe:
		class = " (threads)"
	}
	return fmt.Sprintf("0x%02x%s", op, class)
}
