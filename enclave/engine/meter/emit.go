package meter

import "slices"

// emit puts out the new body of the function just read, whose instructions
// stand from start to end. One that looks at the gas or takes depth becomes
//
//	block               where its checks lead
//	    block           where its returns led
//	        the original
//	    end
//	    give back the depth
//	    return
//	end
//	unreachable
//
// because a compiler lays code out in the order it is written in: what is
// seldom done must come last, or every turn of a loop jumps over it.
func (m *module) emit(start, end, slots int) {
	p := &m.pass
	// A function without calls is the last on the stack, and adds little to it.
	deep := p.calls > 0 || slots > freeSlots
	tiny, small := m.short()
	checked := deep || !small
	w := writer{b: m.scratch[:0], gas: m.gasGlobal()}
	w.b = append(appendU32(w.b, uint32(p.groups+one(p.nan32)+one(p.nan64)+one(p.tight))), p.decl...)
	for _, l := range []struct {
		used bool
		typ  byte
	}{{p.nan32, f32}, {p.nan64, f64}, {p.tight, i64}} {
		if l.used {
			w.b = append(w.b, 1, l.typ)
		}
	}
	nan32 := uint32(len(p.locals)) // the first local that is ours
	nan64 := nan32 + uint32(one(p.nan32))
	w.local = nan64 + uint32(one(p.nan64))

	if checked {
		w.b = append(w.b, opBlock, 0x40)
	}
	if !tiny { // the first edit is what the function's entry costs
		w.charge(max(p.edits[0].arg, 1))
	}
	if deep {
		w.depth(m.depthGlobal(), int64(slots))
		w.check(0, m.depthGlobal())
	} else if checked {
		w.check(0, 0)
	}
	if checked {
		w.b = m.open(w.b, p.fn.results)
	}
	at := start
	for i, e := range p.edits {
		if w.cached = i < w.until; i == 0 {
			continue
		}
		w.b = append(w.b, m.r.b[at:e.at]...)
		at = e.at
		switch e.kind {
		case charge:
			if e.arg > 0 && !tiny {
				w.charge(e.arg)
			}
		case chargeCheck:
			w.charge(max(e.arg, 1)) // a loop must not be free
			w.check(e.depth, 0)
		case chargePages, chargeBytes:
			w.b = appendU32(append(w.b, opCall), m.helper(uint32(e.kind-chargePages)))
			w.reload()
		case called:
			w.reload()
		case tighten:
			if !w.cached && e.arg > 0 {
				w.until, w.cached = int(e.arg), true
				w.reload()
			}
		case leaveBody:
			if deep { // to what gives the depth back
				w.b = appendU32(append(w.b, opBr), uint32(e.arg))
				at++
			}
		case tableZero:
			w.b = append(w.b, 0)
			at += int(e.arg)
		case canon32:
			w.b = canonical(w.b, nan32, opF32Eq, opF32Const, 0, 0, 0xc0, 0x7f)
		case canon64:
			w.b = canonical(w.b, nan64, opF64Eq, opF64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f)
		}
	}
	w.b = append(w.b, m.r.b[at:end]...)
	if deep {
		w.depth(m.depthGlobal(), -int64(slots))
	}
	if checked { // the original end has closed the inner block
		w.b = append(w.b, opReturn, opEnd, opUnreachable, opEnd)
	}
	m.scratch = w.b
	m.code = append(appendU32(m.code, uint32(len(w.b))), w.b...)
}

// short tells whether a function is too short to look at the gas: it calls
// nothing, has no loop and costs little. Its caller looks again soon. A tiny
// one does not even count, since a call of it has paid for it.
func (m *module) short() (tiny, small bool) {
	p := &m.pass
	total := int64(0)
	for i, e := range p.edits {
		switch e.kind {
		case chargePages, chargeBytes:
			return false, false
		case chargeCheck:
			if i > 0 {
				return false, false
			}
			total += e.arg
		case charge:
			total += e.arg
		}
	}
	call := m.cfg.Table.Cost[Call]
	return p.calls == 0 && total <= call/2, p.calls == 0 && total <= smallCalls*call
}

// smallCalls bounds, in calls, by how much each call in a path adds to its
// overrun.
const smallCalls = 4

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
	b = appendU32(append(b, opGlobalGet), m.gasGlobal())
	b = append(b, opI64Const, 0, opI64LtS, opIf, 0x40, opUnreachable, opEnd)
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
