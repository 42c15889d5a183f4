package meter

import "slices"

// emit puts out the new body of the function just read, whose instructions
// stand from start to end.
func (m *module) emit(start, end, slots int) {
	p := &m.pass
	// A function without calls is the last on the stack, and adds little to it.
	deep := p.calls > 0 || slots > freeSlots
	b := m.scratch[:0]
	groups := uint32(p.groups)
	scratch := uint32(len(p.locals)) // the first local that is ours
	if p.nan32 {
		groups++
	}
	if p.nan64 {
		groups++
	}
	b = append(appendU32(b, groups), p.decl...)
	if p.nan32 {
		b = append(b, 1, f32)
	}
	if p.nan64 {
		b = append(b, 1, f64)
	}
	// The first edit is what the function's entry costs.
	b = m.charge(b, m.gasGlobal(), max(p.edits[0].arg, 1))
	if deep {
		b = m.charge(b, m.depthGlobal(), int64(slots))
		b = m.check(b, true)
		b = m.open(b, p.fn.results)
	} else if !p.small() {
		b = m.check(b, false)
	}
	at := start
	for _, e := range p.edits[1:] {
		b = append(b, m.r.b[at:e.at]...)
		at = e.at
		switch e.kind {
		case charge:
			if e.arg > 0 {
				b = m.charge(b, m.gasGlobal(), e.arg)
			}
		case chargeCheck:
			b = m.charge(b, m.gasGlobal(), max(e.arg, 1)) // a loop must not be free
			b = m.check(b, false)
		case chargePages:
			b = appendU32(append(b, opCall), m.helper(0))
		case chargeBytes:
			b = appendU32(append(b, opCall), m.helper(1))
		case leaveBody:
			if deep { // past the new outermost block, which gives the depth back
				b = appendU32(append(b, opBr), uint32(e.arg))
				at++
			}
		case tableZero:
			b = append(b, 0)
			at += int(e.arg)
		case canon32:
			b = canonical(b, scratch, opF32Eq, opF32Const, 0, 0, 0xc0, 0x7f)
		case canon64:
			local := scratch + uint32(one(p.nan32))
			b = canonical(b, local, opF64Eq, opF64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f)
		}
	}
	b = append(b, m.r.b[at:end]...)
	if deep { // the original end closes the block
		b = m.charge(b, m.depthGlobal(), -int64(slots))
		b = append(b, opEnd)
	}
	m.scratch = b
	m.code = append(appendU32(m.code, uint32(len(b))), b...)
}

// small tells whether a function is too short to look at the gas: it calls
// nothing, has no loop and costs little. Its caller looks again soon.
func (p *pass) small() bool {
	total := int64(0)
	for _, e := range p.edits {
		if e.kind == chargeCheck && e.at != p.edits[0].at || e.kind == chargePages || e.kind == chargeBytes {
			return false
		}
		if e.kind <= chargeCheck {
			total += e.arg
		}
	}
	return p.calls == 0 && total <= smallCost
}

// smallCost bounds by how much each call in a path adds to its overrun.
const smallCost = 64

// freeSlots is how much stack a function without calls has for nothing; the
// distance between StackSlots and what the runtime has covers it.
const freeSlots = 10_000

func (m *module) gasGlobal() uint32   { return uint32(len(m.globals)) }
func (m *module) depthGlobal() uint32 { return uint32(len(m.globals)) + 1 }

// helper is the index of an injected function: 0 charges pages, 1 bytes.
func (m *module) helper(i uint32) uint32 { return uint32(len(m.funcs)) + i }

// open begins a block that gives what the function gives.
func (m *module) open(b, results []byte) []byte {
	b = append(b, opBlock)
	switch len(results) {
	case 0:
		return append(b, 0x40)
	case 1:
		return append(b, results[0])
	}
	return appendS64(b, int64(m.typeIndex(funcType{nil, results})))
}

// charge takes an amount from the gas or the depth that is left.
func (m *module) charge(b []byte, global uint32, amount int64) []byte {
	b = appendU32(append(b, opGlobalGet), global)
	b = appendS64(append(b, opI64Const), amount)
	return appendU32(append(b, opI64Sub, opGlobalSet), global)
}

// check traps if no gas is left, or no depth either: the sign of both is that
// of their union.
func (m *module) check(b []byte, depth bool) []byte {
	b = appendU32(append(b, opGlobalGet), m.gasGlobal())
	if depth {
		b = appendU32(append(b, opGlobalGet), m.depthGlobal())
		b = append(b, opI64Or)
	}
	return append(b, opI64Const, 0, opI64LtS, opIf, 0x40, opUnreachable, opEnd)
}

// canonical replaces a NaN on top of the stack: x == x ? x : nan.
func canonical(b []byte, local uint32, eq byte, nan ...byte) []byte {
	b = appendU32(append(b, opLocalTee), local)
	b = append(b, nan...)
	b = appendU32(append(b, opLocalGet), local)
	b = appendU32(append(b, opLocalGet), local)
	return append(b, eq, opSelect)
}

// chargeFor is the body of a helper that takes a number, charges for it and
// gives it back: cost for each unit of 1<<shift or part of one. Where it is
// about pages, a growth that cannot succeed costs nothing more.
func (m *module) chargeFor(cost int64, shift byte, pages bool) []byte {
	b := []byte{0} // no locals
	if pages {     // n <= most - memory.size
		b = append(b, opLocalGet, 0, opI32Const)
		b = appendS64(b, int64(m.out.MaxPages))
		b = append(b, opMemorySize, 0, opI32Sub, opI32LeU, opIf, 0x40)
	}
	b = appendU32(append(b, opGlobalGet), m.gasGlobal())
	b = append(b, opLocalGet, 0, opI64ExtendU, opI64Const)
	b = appendS64(b, 1<<shift-1)
	b = append(b, opI64Add, opI64Const, shift, opI64ShrU, opI64Const)
	b = appendS64(b, cost)
	b = appendU32(append(b, opI64Mul, opI64Sub, opGlobalSet), m.gasGlobal())
	b = m.check(b, false)
	if pages {
		b = append(b, opEnd)
	}
	return append(b, opLocalGet, 0, opEnd)
}

func appendU32(b []byte, v uint32) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

func appendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// vec is bytes after their number.
func vec(b []byte) []byte { return slices.Concat(appendU32(nil, uint32(len(b))), b) }
