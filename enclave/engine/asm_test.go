package engine

import (
	"bytes"
	"encoding/binary"
)

// asm assembles small contracts, so that the tests need no other compiler. It
// knows just enough: i32 and i64, one memory, regions laid out in advance.
type asm struct {
	imports  []asmImport
	entries  map[Entry][]byte // bodies; their last value is the answer
	skip     string           // a standard export to leave out
	extra    []string         // further exports, of functions that do nothing
	init     []byte           // body of _initialize
	allocate []byte           // body of allocate, if it is to be another
	pages    uint32
	start    bool
	data     []byte
}

type asmImport struct {
	module, name string
	params       []byte
	result       []byte
}

const dataBase = 1024

// The answer of an entry point that has nothing to say.
const emptyResponse = `{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}`

// call adds an import if need be, and calls it with what lies on the stack.
func (a *asm) call(name string) []byte {
	var module string
	var f hostFunc
	for _, m := range []hostModule{envModule(), phalaModule(), wasiModule()} {
		if have, ok := m.funcs[name]; ok {
			module, f = m.name, have
		}
	}
	if module == "" {
		panic("no host function " + name)
	}
	for i, have := range a.imports {
		if have.name == name {
			return append([]byte{0x10}, leb(uint32(i))...)
		}
	}
	a.imports = append(a.imports, asmImport{module, name, f.params, f.result})
	return append([]byte{0x10}, leb(uint32(len(a.imports)-1))...)
}

// region lays out a region holding b and gives its address.
func (a *asm) region(b []byte, capacity int) uint32 {
	for len(a.data)%4 != 0 {
		a.data = append(a.data, 0)
	}
	p := dataBase + uint32(len(a.data))
	a.data = binary.LittleEndian.AppendUint32(a.data, p+12)
	a.data = binary.LittleEndian.AppendUint32(a.data, uint32(capacity))
	a.data = binary.LittleEndian.AppendUint32(a.data, uint32(len(b)))
	a.data = append(a.data, b...)
	a.data = append(a.data, make([]byte, capacity-len(b))...)
	return p
}

// text pushes the address of a region holding s.
func (a *asm) text(s string) []byte { return i32const(a.region([]byte(s), len(s))) }

// say is a body that answers with a constant.
func (a *asm) say(s string) []byte { return a.text(s) }

// store writes the region whose address value pushes under a key.
func (a *asm) store(key string, value []byte) []byte {
	return cat(a.text(key), value, a.call("db_write"))
}

// storeCode writes the i32 that value pushes under a key, as four bytes.
func (a *asm) storeCode(key string, value []byte) []byte {
	p := a.region(make([]byte, 4), 4)
	return cat(i32const(p+12), value, []byte{0x36, 2, 0}, a.store(key, i32const(p)))
}

func i32const(v uint32) []byte { return append([]byte{0x41}, sleb(int32(v))...) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// bytes assembles the module.
func (a *asm) bytes() []byte {
	if a.entries == nil {
		a.entries = map[Entry][]byte{}
	}
	for _, e := range []Entry{Instantiate, Execute, Query} {
		if a.entries[e] == nil {
			a.entries[e] = a.say(emptyResponse)
		}
	}
	pages := a.pages
	if pages == 0 {
		pages = 17
	}
	var types, imports, funcs, exports, code [][]byte
	typ := func(params, result []byte) []byte {
		types = append(types, cat([]byte{0x60}, vec(split8(params)...), vec(split8(result)...)))
		return leb(uint32(len(types) - 1))
	}
	for _, i := range a.imports {
		imports = append(imports, cat(str(i.module), str(i.name), []byte{0}, typ(i.params, i.result)))
	}
	add := func(name string, params int, result []byte, body []byte) {
		if name != a.skip {
			exports = append(exports, cat(str(name), []byte{0}, leb(uint32(len(imports)+len(funcs)))))
		}
		funcs = append(funcs, typ(i32s(params), result))
		b := cat([]byte{0}, body, []byte{0x0b})
		code = append(code, cat(leb(uint32(len(b))), b))
	}
	one := []byte{0x7f}
	allocate := a.allocate
	if allocate == nil {
		allocate = allocateBody
	}
	add("allocate", 1, one, allocate)
	add("deallocate", 1, nil, nil)
	add("interface_version_8", 0, nil, nil)
	for _, e := range entries() {
		if a.entries[e] != nil {
			add(string(e), e.params(), one, a.entries[e])
		}
	}
	if a.init != nil {
		add("_initialize", 0, nil, a.init)
	}
	for _, name := range a.extra {
		add(name, 0, nil, nil)
	}
	if a.skip != "memory" {
		exports = append(exports, cat(str("memory"), []byte{2, 0}))
	}
	var start []byte
	if a.start {
		start = section(8, leb(uint32(len(imports)+1+1))) // interface_version_8
	}
	heap := cat([]byte{0x7f, 1}, i32const(256<<10), []byte{0x0b})
	data := cat([]byte{0}, i32const(dataBase), []byte{0x0b}, str(string(a.data)))
	return cat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, vec(types...)), section(2, vec(imports...)), section(3, vec(funcs...)),
		section(5, vec(cat([]byte{0}, leb(pages)))), section(6, vec(heap)),
		section(7, vec(exports...)), start, section(10, vec(code...)), section(11, vec(data)))
}

// allocateBody takes the region at global 0 and moves that on.
var allocateBody = cat(
	[]byte{0x23, 0, 0x23, 0}, i32const(12), []byte{0x6a, 0x36, 2, 0}, // [g] = g+12
	[]byte{0x23, 0, 0x20, 0, 0x36, 2, 4},             // [g+4] = n
	[]byte{0x23, 0}, i32const(0), []byte{0x36, 2, 8}, // [g+8] = 0
	[]byte{0x23, 0, 0x23, 0, 0x20, 0, 0x6a}, i32const(16), []byte{0x6a, 0x24, 0}, // g += n+16, leaving the old g
)

func section(id byte, b []byte) []byte { return cat([]byte{id}, leb(uint32(len(b))), b) }

func vec(items ...[]byte) []byte { return cat(leb(uint32(len(items))), cat(items...)) }

func str(s string) []byte { return cat(leb(uint32(len(s))), []byte(s)) }

func split8(b []byte) (out [][]byte) {
	for i := range b {
		out = append(out, b[i:i+1])
	}
	return out
}

func leb(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

func sleb(v int32) (out []byte) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
