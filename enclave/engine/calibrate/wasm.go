package main

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
)

// Value types of the binary format.
const (
	i32 = 0x7f
	i64 = 0x7e
	f64 = 0x7c
)

// Locals of the function that is measured, after its three parameters.
const (
	turn  = 3  // counts down
	num   = 4  // the first of eight i32
	wide  = 12 // of four i64
	float = 16 // of four f64
)

const (
	answerAt  = 1024    // region of what execute answers
	queriedAt = 1536    // region of what query answers
	bufferAt  = 1 << 20 // region that allocate gives, always the same
	bufferCap = 768 << 10
	dataAt    = 4096 // regions of arguments
	pages     = 40
	queryText = `{"ok":"e30="}`
	emptyText = `{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}`
)

// contract is a contract whose execute does something many times over.
type contract struct {
	turns   int
	body    []byte            // once a turn
	more    []function        // called by number: function 0 is the first of these
	data    []byte            // at dataAt
	imports []string          // host functions, in the order they were asked for
	types   map[string]uint32 // by their encoding
	order   []string
}

// function is one of the contract's own.
type function struct {
	params, results []byte
	body            []byte // without its end
}

// signature says what the host functions take and give: how many i32, and the
// result.
var signature = map[string]struct {
	module string
	params int
	result []byte
}{
	"debug": {"env", 1, nil}, "db_read": {"env", 1, []byte{i32}}, "db_write": {"env", 2, nil}, "db_remove": {"env", 1, nil},
	"db_scan": {"env", 3, []byte{i32}}, "db_next": {"env", 1, []byte{i32}}, "db_next_key": {"env", 1, []byte{i32}},
	"addr_validate": {"env", 1, []byte{i32}}, "addr_canonicalize": {"env", 2, []byte{i32}}, "addr_humanize": {"env", 2, []byte{i32}},
	"secp256k1_verify": {"env", 3, []byte{i32}}, "secp256k1_recover_pubkey": {"env", 3, []byte{i64}},
	"secp256r1_verify": {"env", 3, []byte{i32}}, "secp256r1_recover_pubkey": {"env", 3, []byte{i64}},
	"ed25519_verify": {"env", 3, []byte{i32}}, "ed25519_batch_verify": {"env", 3, []byte{i32}},
	"bls12_381_aggregate_g1": {"env", 2, []byte{i32}}, "bls12_381_aggregate_g2": {"env", 2, []byte{i32}},
	"bls12_381_pairing_equality": {"env", 4, []byte{i32}},
	"bls12_381_hash_to_g1":       {"env", 4, []byte{i32}}, "bls12_381_hash_to_g2": {"env", 4, []byte{i32}},
	"query_chain": {"env", 1, []byte{i32}},
	"random":      {"phala", 1, []byte{i32}}, "derive_public_key": {"phala", 3, []byte{i32}}, "sign": {"phala", 4, []byte{i32}},
	"emit_private": {"phala", 2, []byte{i32}},
}

// host calls a host function, with what lies on the stack, and drops what it
// gives. All calls must be made before the first of own.
func (c *contract) host(name string, args ...uint32) []byte {
	i := slices.Index(c.imports, name)
	if i < 0 {
		i = len(c.imports)
		c.imports = append(c.imports, name)
	}
	var b []byte
	for _, a := range args {
		b = append(b, number(a)...)
	}
	b = append(b, 0x10, byte(i))
	if signature[name].result != nil {
		b = append(b, 0x1a)
	}
	return b
}

// own is the number of one of the contract's own functions.
func (c *contract) own(i int) byte { return byte(len(c.imports) + i) }

// region lays out a region with b and room for more, and gives its address.
func (c *contract) region(b []byte, room int) uint32 {
	for len(c.data)%8 != 0 {
		c.data = append(c.data, 0)
	}
	at := uint32(dataAt + len(c.data))
	c.data = append(c.data, header(at+12, max(len(b), room), len(b))...)
	c.data = append(c.data, b...)
	c.data = append(c.data, make([]byte, max(len(b), room)-len(b))...)
	return at
}

func header(at uint32, room, length int) (b []byte) {
	for _, v := range []uint32{at, uint32(room), uint32(length)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func (c *contract) typeOf(params, results []byte) []byte {
	key := string(cat([]byte{0x60}, counted(params), counted(results)))
	i, ok := c.types[key]
	if !ok {
		i = uint32(len(c.order))
		c.types[key] = i
		c.order = append(c.order, key)
	}
	return leb(int(i))
}

// bytes assembles the module.
func (c *contract) bytes() []byte {
	c.types = map[string]uint32{}
	ints := func(n int) []byte { return bytes.Repeat([]byte{i32}, n) }
	var imports, funcs, exports, bodies [][]byte
	for _, name := range c.imports {
		s := signature[name]
		imports = append(imports, cat(text(s.module), text(name), []byte{0}, c.typeOf(ints(s.params), s.result)))
	}
	add := func(name string, f function, locals ...byte) {
		if name != "" {
			exports = append(exports, cat(text(name), []byte{0}, leb(len(imports)+len(funcs))))
		}
		funcs = append(funcs, c.typeOf(f.params, f.results))
		b := cat(counted(locals), f.body, []byte{0x0b})
		if len(locals) > 0 {
			b = cat(leb(len(locals)/2), locals, f.body, []byte{0x0b})
		}
		bodies = append(bodies, counted(b))
	}
	for _, f := range c.more {
		add("", f)
	}
	execute := cat(number(uint32(c.turns)), set(turn), []byte{0x03, 0x40}, c.body, get(turn), number(1), []byte{0x6b}, tee(turn), []byte{0x0d, 0, 0x0b})
	for i := range 8 { // what is computed must be of use, or the compiler leaves it out
		execute = cat(execute, number(64), get(num+byte(i)), []byte{0x36, 2}, leb(4*i))
	}
	for i := range 4 {
		execute = cat(execute, number(128), get(wide+byte(i)), []byte{0x37, 3}, leb(8*i), number(192), get(float+byte(i)), []byte{0x39, 3}, leb(8*i))
	}
	add("allocate", function{ints(1), ints(1), number(bufferAt)})
	add("deallocate", function{ints(1), nil, nil})
	add("interface_version_8", function{})
	add("requires_phala", function{})
	add("execute", function{ints(3), ints(1), cat(execute, number(answerAt))}, 9, i32, 4, i64, 4, f64)
	add("instantiate", function{ints(3), ints(1), number(answerAt)})
	add("query", function{ints(2), ints(1), number(queriedAt)})
	exports = append(exports, cat(text("memory"), []byte{2, 0}))
	var types [][]byte
	for _, t := range c.order {
		types = append(types, []byte(t))
	}
	segment := func(at uint32, b []byte) []byte { return cat([]byte{0}, number(at), []byte{0x0b}, counted(b)) }
	var table [][]byte
	for i := range c.more {
		table = append(table, leb(int(c.own(i))))
	}
	return cat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, types), section(2, imports), section(3, funcs), section(4, [][]byte{{0x70, 0, 16}}), section(5, [][]byte{{0, pages}}),
		section(6, [][]byte{cat([]byte{i32, 1}, number(0), []byte{0x0b})}), section(7, exports),
		section(9, [][]byte{cat([]byte{0}, number(0), []byte{0x0b}, leb(len(table)), cat(table...))}), section(10, bodies),
		section(11, [][]byte{
			segment(answerAt, append(header(answerAt+12, len(emptyText), len(emptyText)), emptyText...)),
			segment(queriedAt, append(header(queriedAt+12, len(queryText), len(queryText)), queryText...)),
			segment(bufferAt, header(bufferAt+12, bufferCap, 0)), segment(dataAt, c.data),
		}))
}

func section(id byte, items [][]byte) []byte {
	if len(items) == 0 {
		return nil
	}
	return cat([]byte{id}, counted(cat(leb(len(items)), cat(items...))))
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func counted(b []byte) []byte { return cat(leb(len(b)), b) }

func text(s string) []byte { return counted([]byte(s)) }

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func get(i byte) []byte { return []byte{0x20, i} }
func set(i byte) []byte { return []byte{0x21, i} }
func tee(i byte) []byte { return []byte{0x22, i} }

// number pushes an i32.
func number(u uint32) []byte { return append([]byte{0x41}, sleb(int64(int32(u)))...) }

// long pushes an i64.
func long(v int64) []byte { return append([]byte{0x42}, sleb(v)...) }

func sleb(v int64) (out []byte) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// names lists what is known, for a person who asks for one.
func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
