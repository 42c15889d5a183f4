package meter

// instruction reads one instruction, checks it, charges it and notes what has
// to change about it.
func (m *module) instruction() {
	r, p := &m.r, &m.pass
	at := r.off
	op := int(r.byte())
	if op == opPrefix {
		if op = 0x100 + int(min(r.u32(), 0xffff)); op > opMemoryFill {
			r.fail(at, "instruction 0xfc %d is not allowed", op-0x100)
			return
		}
	}
	if op < len(opcodes) && opcodes[op].known {
		m.plain(op)
		return
	}
	switch op {
	case opUnreachable, opBlock, opLoop, opIf, opElse, opEnd:
		m.structure(byte(op))
	case opBr, opBrIf, opBrTable, opReturn:
		m.branch(op, at)
	case opCall, opCallIndirect:
		m.call(op)
	case opLocalGet, opLocalSet, opLocalTee, opGlobalGet, opGlobalSet:
		m.variable(op, at)
	case opMemorySize, opMemoryGrow, opMemoryCopy, opMemoryFill:
		m.memoryOp(op, at)
	case opNop:
	case opDrop:
		p.pop(0)
	case opSelect:
		m.cost(Integer)
		p.pop(i32)
		t := p.pop(0)
		p.push(p.pop(t))
	case opI32Const:
		m.cost(Integer)
		r.signed(32)
		p.push(i32)
	case opI64Const:
		m.cost(Integer)
		r.signed(64)
		p.push(i64)
	case opF32Const:
		m.cost(Integer)
		r.take(4)
		p.push(f32)
	case opF64Const:
		m.cost(Integer)
		r.take(8)
		p.push(f64)
	default:
		r.fail(at, "instruction %s is not allowed", opName(op))
	}
}

// plain handles what opcodes describes.
func (m *module) plain(op int) {
	r, p, o := &m.r, &m.pass, &opcodes[op]
	if o.access != 0 {
		if !m.hasMem {
			r.fail(r.off-1, "an access without a memory")
			return
		}
		if at := r.off; r.u32() > uint32(o.access-1) {
			r.fail(at, "alignment larger than the access")
		}
		r.u32()
	}
	m.cost(o.class)
	for i := int(o.nin) - 1; i >= 0; i-- {
		p.pop(o.in[i])
	}
	if o.out == 0 {
		return
	}
	p.push(o.out)
	if !o.nan || p.dead() {
		return
	}
	m.out.Report.FloatOps++
	if o.out == f32 {
		p.nan32 = true
		p.edit(r.off, canon32, 0)
	} else {
		p.nan64 = true
		p.edit(r.off, canon64, 0)
	}
}

func (m *module) call(op int) {
	r, p := &m.r, &m.pass
	var t funcType
	if op == opCall {
		i := r.index(len(m.funcs), "function")
		if r.err != nil {
			return
		}
		t = m.types[m.funcs[i]]
		if int(i) < len(m.out.Imports) {
			m.cost(Host)
		} else {
			m.cost(Call)
		}
	} else {
		i := r.index(len(m.types), "type")
		at := r.off
		// LLVM pads the table's number to five bytes, which wazero without
		// reference types does not read.
		r.index(one(m.hasTable), "table")
		if r.err != nil {
			return
		}
		if r.off > at+1 {
			p.edit(at, tableZero, int64(r.off-at))
		}
		t = m.types[i]
		if m.hostInTable(t) {
			m.cost(Host)
		} else {
			m.cost(Indirect)
		}
		p.indirect++
		p.pop(i32)
	}
	p.popAll(t.params)
	p.pushAll(t.results)
	p.calls++
	if !p.dead() {
		p.edit(r.off, called, 0)
	}
	p.passed += len(t.params) + len(t.results)
}

// hostInTable tells whether a call through the table may reach the host by a
// function of such a type, which must not be cheaper that way.
func (m *module) hostInTable(t funcType) bool {
	for _, i := range m.tabled {
		if h := m.out.Imports[i]; string(h.Params) == string(t.params) && string(h.Results) == string(t.results) {
			return true
		}
	}
	return false
}

func (m *module) variable(op, at int) {
	r, p := &m.r, &m.pass
	if op == opGlobalGet || op == opGlobalSet {
		i := r.index(len(m.globals), "global")
		if r.err != nil {
			return
		}
		m.cost(Memory)
		g := m.globals[i]
		switch {
		case op == opGlobalGet:
			p.push(g.typ)
		case !g.mutable:
			r.fail(at, "global %d cannot be set", i)
		default:
			p.pop(g.typ)
		}
		return
	}
	i := r.index(len(p.locals), "local")
	if r.err != nil {
		return
	}
	m.cost(Integer)
	if op != opLocalGet {
		p.pop(p.locals[i])
		p.top().sets++
		if !p.isSet[i] {
			p.isSet[i] = true
			p.set++
		}
	}
	if op != opLocalSet {
		p.push(p.locals[i])
	}
}

func (m *module) memoryOp(op, at int) {
	r, p := &m.r, &m.pass
	if !m.hasMem {
		r.fail(at, "an instruction on memory without a memory")
		return
	}
	r.zero("more than one memory is not allowed")
	m.cost(Memory)
	switch op {
	case opMemorySize:
		p.push(i32)
		return
	case opMemoryGrow:
		m.cost(Host) // it leaves the guest, also where it gives nothing
		p.pop(i32)
		p.push(i32)
		if !p.dead() {
			p.edit(at, chargePages, 0)
		}
		return
	case opMemoryCopy:
		r.zero("more than one memory is not allowed")
	}
	m.cost(Bulk)
	p.pop(i32)
	p.pop(i32)
	p.pop(i32)
	if !p.dead() {
		p.edit(at, chargeBytes, 0)
	}
}
