package meter

import (
	"slices"
	"strconv"
)

// limits reads the least and, if it is given, the greatest size.
func (r *reader) limits(what string) (least, most uint32, bounded bool) {
	at := r.off
	flags := r.byte()
	if flags > 1 {
		r.fail(at, "%s is shared, of 64 bits or of another kind that is not allowed", what)
		return 0, 0, false
	}
	least = r.u32()
	if bounded = flags == 1; bounded {
		most = r.u32()
		if most < least {
			r.fail(at, "%s is at least %d and at most %d large", what, least, most)
		}
	}
	return least, most, bounded
}

func (m *module) memory(n int) {
	r := &m.r
	if n == 0 || r.err != nil {
		return
	}
	at := r.off
	least, most, bounded := r.limits("memory")
	m.hasMem = true
	m.out.MinPages, m.out.MaxPages = least, m.cfg.MaxPages
	switch {
	case least > m.cfg.MaxPages:
		r.fail(at, "%d pages of memory, at most %d are allowed", least, m.cfg.MaxPages)
	case bounded && most > 65536:
		r.fail(at, "memory of up to %d pages, more than there can be", most)
	case bounded:
		m.out.MaxPages = min(most, m.cfg.MaxPages)
	}
}

func (m *module) table1() {
	r := &m.r
	if at := r.off; r.byte() != 0x70 {
		r.fail(at, "a table of anything but functions is not allowed")
		return
	}
	at := r.off
	least, _, _ := r.limits("table")
	if uint64(least) > uint64(m.cfg.Limits.TableSize) {
		r.fail(at, "table of %d entries, at most %d are allowed", least, m.cfg.Limits.TableSize)
	}
	m.hasTable, m.table = true, least
}

func (m *module) global1() {
	r := &m.r
	g := global{typ: r.valueType()}
	at := r.off
	switch r.byte() {
	case 0:
	case 1:
		g.mutable = true
	default:
		r.fail(at, "mutability is neither 0 nor 1")
	}
	r.constant(g.typ)
	if g.mutable {
		n := len(m.out.Globals)
		if n == m.cfg.Limits.MutableGlobals {
			r.fail(at, "more than %d mutable globals", n)
		}
		m.out.Globals = append(m.out.Globals, Global{globalPrefix + strconv.Itoa(n), g.typ})
	}
	m.globals = append(m.globals, g)
}

// constant reads an expression that is one constant of the type. Others need
// imported globals or references.
func (r *reader) constant(typ byte) (v int64) {
	at := r.off
	op := r.byte()
	switch {
	case op == opI32Const && typ == i32:
		v = r.signed(32)
	case op == opI64Const && typ == i64:
		v = r.signed(64)
	case op == opF32Const && typ == f32:
		r.take(4)
	case op == opF64Const && typ == f64:
		r.take(8)
	default:
		r.fail(at, "initial value is not a constant of its type")
		return 0
	}
	if end := r.off; r.byte() != opEnd {
		r.fail(end, "initial value is more than one constant")
	}
	return v
}

func (m *module) element1() {
	r := &m.r
	at := r.off
	if flags := r.u32(); flags != 0 {
		r.fail(at, "passive and declared segments of elements, and those of another table, are not allowed")
		return
	}
	if !m.hasTable {
		r.fail(at, "elements without a table")
		return
	}
	off := uint32(r.constant(i32))
	n := r.count(m.cfg.Limits.TableSize, "elements")
	if uint64(off)+uint64(n) > uint64(m.table) {
		r.fail(at, "elements %d to %d of a table of %d", off, uint64(off)+uint64(n), m.table)
	}
	for i := 0; i < n && r.err == nil; i++ {
		f := r.index(len(m.funcs), "function")
		if int(f) < len(m.out.Imports) && r.err == nil && !slices.Contains(m.tabled, f) {
			m.tabled = append(m.tabled, f)
		}
	}
}

func (m *module) data1() {
	r := &m.r
	at := r.off
	if flags := r.u32(); flags != 0 {
		r.fail(at, "passive segments of data, and those of another memory, are not allowed")
		return
	}
	if !m.hasMem {
		r.fail(at, "data without a memory")
		return
	}
	s := Segment{Offset: uint32(r.constant(i32))}
	s.Bytes = r.take(r.u32())
	if end := uint64(s.Offset) + uint64(len(s.Bytes)); end > uint64(m.out.MinPages)*pageSize {
		r.fail(at, "data up to byte %d in a memory of %d pages", end, m.out.MinPages)
	}
	m.out.Data = append(m.out.Data, s)
}
