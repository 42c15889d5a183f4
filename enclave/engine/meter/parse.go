package meter

import (
	"slices"
	"strings"
)

// Sections of the binary format.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
)

// order is that in which sections must stand: the one of their numbers, but
// for the count of data, which stands before the code.
var order = [...]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6, secExport: 7,
	secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12}

// module is a module on its way through Rewrite.
type module struct {
	cfg Config
	r   reader
	out Module

	types    []funcType
	funcs    []uint32 // type of each function, imported ones first
	hasTable bool
	table    uint32 // its least size
	hasMem   bool
	tabled   []uint32 // imports that elements put into the table
	globals  []global
	dataHint int // what the count of data says, or -1

	raw     [secDataCount + 1]span // content of the sections that are put out again
	code    []byte                 // content of the new code section
	pass    pass
	held    []byte // operands, while they are compared
	scratch []byte // a new body

	moreTypes [][]byte // types to add, encoded
	typeOf    map[string]uint32
}

type funcType struct{ params, results []byte }

type global struct {
	typ     byte
	mutable bool
}

// span is the content of a section: how many items, and these.
type span struct {
	n     int
	items []byte
}

func (m *module) parse() {
	r := &m.r
	if string(r.take(4)) != "\x00asm" {
		r.err = &Error{0, "not a WebAssembly module"}
		return
	}
	if string(r.take(4)) != "\x01\x00\x00\x00" {
		r.err = &Error{4, "not a WebAssembly module of version 1"}
		return
	}
	m.dataHint = -1
	m.typeOf = map[string]uint32{}
	if len(r.b) > m.cfg.Limits.Module {
		r.fail(m.cfg.Limits.Module, "%d bytes, at most %d are allowed", len(r.b), m.cfg.Limits.Module)
	}
	last := 0
	for r.more() {
		at := r.off
		id := int(r.byte())
		size := r.u32()
		if uint64(size) > uint64(r.end-r.off) {
			r.fail(at, "section %d has %d bytes, %d are left", id, size, r.end-r.off)
			return
		}
		whole := r.end
		r.end = r.off + int(size)
		switch {
		case id == secCustom:
			m.custom()
			r.off = r.end
		case id >= len(order):
			r.fail(at, "section %d is not allowed", id)
		case order[id] <= last:
			r.fail(at, "section %d twice or out of order", id)
		default:
			last = order[id]
			m.section(id, at)
			if r.err == nil && r.off != r.end {
				r.fail(r.off, "%d bytes too many in section %d", r.end-r.off, id)
			}
		}
		if r.err != nil {
			return
		}
		r.end = whole
	}
	m.finish()
}

// finish checks what only shows when all sections are read.
func (m *module) finish() {
	r := &m.r
	switch {
	case r.err != nil:
	case m.defined() != m.raw[secCode].n:
		r.fail(r.end, "%d functions, %d bodies", m.defined(), m.raw[secCode].n)
	case m.dataHint >= 0 && m.dataHint != m.raw[secData].n:
		r.fail(r.end, "%d segments of data announced, %d found", m.dataHint, m.raw[secData].n)
	}
	for i := range m.out.Names {
		if uint64(i) >= uint64(len(m.funcs)) {
			delete(m.out.Names, i)
		}
	}
	cost := &m.cfg.Table.Cost
	m.out.DeployGas += int64(len(r.b)) * cost[DeployByte]
}

// defined is the number of functions that are not imported.
func (m *module) defined() int { return len(m.funcs) - len(m.out.Imports) }

func (m *module) section(id, at int) {
	r, lim := &m.r, &m.cfg.Limits
	switch id {
	case secStart:
		r.fail(at, "a start function is not allowed: export it as _initialize")
		return
	case secDataCount:
		m.dataHint = int(r.u32())
		return
	case secMemory:
		m.memory(r.count(1, "memories"))
		return
	}
	read, limit, what := m.type1, lim.Types, "types"
	switch id {
	case secImport:
		read, limit, what = m.import1, lim.Imports, "imports"
	case secFunction:
		read, limit, what = m.function1, lim.Functions, "functions"
	case secTable:
		read, limit, what = m.table1, 1, "tables"
	case secGlobal:
		read, limit, what = m.global1, lim.Globals, "globals"
	case secExport:
		read, limit, what = m.export1, lim.Exports, "exports"
	case secElement:
		read, limit, what = m.element1, lim.Segments, "segments of elements"
	case secCode:
		read, limit, what = m.code1, lim.Functions, "bodies"
	case secData:
		read, limit, what = m.data1, lim.Segments, "segments of data"
	}
	n := r.count(limit, what)
	start := r.off
	for i := 0; i < n && r.err == nil; i++ {
		read()
	}
	if r.err != nil {
		return
	}
	m.raw[id] = span{n, r.b[start:r.off]}
	if id == secExport {
		m.uniqueExports(start)
	}
}

func (m *module) type1() {
	r := &m.r
	if at := r.off; r.byte() != 0x60 {
		r.fail(at, "only function types are allowed")
		return
	}
	list := func(what string) []byte {
		n := r.count(m.cfg.Limits.Arity, what)
		start := r.off
		for range n {
			r.valueType()
		}
		if r.err != nil {
			return nil
		}
		return r.b[start:r.off]
	}
	m.types = append(m.types, funcType{list("parameters"), list("results")})
}

func (m *module) import1() {
	r := &m.r
	at := r.off
	i := Import{Module: r.name(m.cfg.Limits.Name), Name: r.name(m.cfg.Limits.Name)}
	if strings.HasPrefix(i.Module, Reserved) || strings.HasPrefix(i.Name, Reserved) {
		r.fail(at, "import %q.%q: names with %q are reserved", i.Module, i.Name, Reserved)
		return
	}
	if kind := r.byte(); kind != 0 {
		r.fail(at, "import %q.%q is not a function", i.Module, i.Name)
		return
	}
	t := r.index(len(m.types), "type")
	if r.err != nil {
		return
	}
	i.Params, i.Results = m.types[t].params, m.types[t].results
	m.out.Imports = append(m.out.Imports, i)
	m.funcs = append(m.funcs, t)
}

func (m *module) function1() {
	m.funcs = append(m.funcs, m.r.index(len(m.types), "type"))
}

func (m *module) export1() {
	r := &m.r
	at := r.off
	e := Export{Name: r.name(m.cfg.Limits.Name)}
	if strings.HasPrefix(e.Name, Reserved) {
		r.fail(at, "export %q: names with %q are reserved", e.Name, Reserved)
		return
	}
	kindAt := r.off
	switch e.Kind = Kind(r.byte()); e.Kind {
	case KindFunc:
		e.Index = r.index(len(m.funcs), "function")
	case KindTable:
		e.Index = r.index(one(m.hasTable), "table")
	case KindMemory:
		e.Index = r.index(one(m.hasMem), "memory")
	case KindGlobal:
		e.Index = r.index(len(m.globals), "global")
	default:
		r.fail(kindAt, "export %q of an unknown kind %d", e.Name, e.Kind)
	}
	m.out.Exports = append(m.out.Exports, e)
}

func (m *module) uniqueExports(at int) {
	seen := make(map[string]bool, len(m.out.Exports))
	for _, e := range m.out.Exports {
		if seen[e.Name] {
			m.r.fail(at, "export %q twice", e.Name)
		}
		seen[e.Name] = true
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// typeIndex gives the number of a function type, adding it if need be.
func (m *module) typeIndex(t funcType) uint32 {
	b := slices.Concat([]byte{0x60}, vec(t.params), vec(t.results))
	i, ok := m.typeOf[string(b)]
	if !ok {
		i = uint32(len(m.types) + len(m.moreTypes))
		m.typeOf[string(b)] = i
		m.moreTypes = append(m.moreTypes, b)
	}
	return i
}
