package meter

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestRefused holds what the profile does not allow against its reason. The
// offset must lie on or right behind the bytes of mark, which stand in the
// module once.
func TestRefused(t *testing.T) {
	section := func(id byte, b ...byte) []byte { return cat([]byte{id}, vec(b)) }
	before := func(id byte, s ...[]byte) map[byte][][]byte { return map[byte][][]byte{id: s} }
	imp := func(kind ...byte) map[byte][][]byte {
		return before(2, section(2, cat([]byte{1, 2, 'e', 'n', 1, 'x'}, kind)...))
	}
	export := func(name string, kind, index byte) [][]byte {
		return [][]byte{cat(vec([]byte(name)), []byte{kind, index})}
	}
	good := wat{}.bytes()
	for _, c := range []struct {
		name, want string
		code       []byte
		mark       string // where the offset must be
	}{
		{"nothing", "not a WebAssembly module", nil, ""},
		{"text", "not a WebAssembly module", []byte("#!/bin/sh"), "#"},
		{"component", "version 1", []byte("\x00asm\x0d\x00\x01\x00"), "\x0d"},
		{"cut short", "section 10 has", good[:len(good)-1], "\x0a\x04\x01\x02"},
		{"trailing bytes", "section 85 has", wat{tail: []byte{0x55, 1}}.bytes(), "\x55"},
		{"unknown section", "section 85 is not allowed", wat{tail: []byte{0x55, 0}}.bytes(), "\x55"},
		{"section of exceptions", "section 13 is not", wat{extra: before(6, section(13, 1, 0, 0))}.bytes(), "\x0d\x03"},
		{"section twice", "section 1 twice or out of order", wat{tail: section(1, 0)}.bytes(), "\x01\x01\x00"},
		{"too long a section", "1 bytes too many in section 5", wat{memory: []byte{1, 0, 1, 0x77}}.bytes(), "\x77"},
		{"start", "export it as _initialize", wat{extra: before(8, section(8, 0))}.bytes(), "\x08\x01\x00"},
		{"count of data", "7 segments of data announced, 0 found", wat{extra: before(12, section(12, 7))}.bytes(), ""},
		{"custom name", "custom section", wat{tail: section(0, 2, 0xff, 0xfe)}.bytes(), ""},

		{"import of a table", `import "en"."x" is not a function`, wat{extra: imp(1, 0x70, 0, 1)}.bytes(), "\x02en"},
		{"import of a memory", "is not a function", wat{extra: imp(2, 0, 1)}.bytes(), ""},
		{"import of a global", "is not a function", wat{extra: imp(3, 0x7f, 0)}.bytes(), ""},
		{"import of no type", "type 9 of 1", wat{extra: imp(0, 9)}.bytes(), "\x09"},
		{"reserved import", "are reserved", wat{imports: []string{Reserved + "gas"}}.bytes(), "\x03env"},
		{"import not UTF-8", "name is not UTF-8", wat{imports: []string{"\xff\xfe"}}.bytes(), "\x02\xff"},

		{"type of a struct", "only function types", wat{extra: before(1, section(1, 1, 0x5f, 0, 0))}.bytes(), "\x5f"},
		{"vector parameter", "value type 0x7b", wat{types: []funcType{{}, {params: []byte{0x7b}}}}.bytes(), "\x7b"},
		{"reference parameter", "value type 0x70", wat{types: []funcType{{}, {params: []byte{0x70}}}}.bytes(), "\x70\x00\x03"},
		{"wide type", "33 parameters, at most 32", wat{types: []funcType{{}, {params: repeat([]byte{i32}, 33)}}}.bytes(), "\x21\x7f"},

		{"two memories", "2 memories, at most 1", wat{memory: []byte{2, 0, 1, 0, 1}}.bytes(), "\x02\x00\x01\x00\x01"},
		{"memory64", "memory is shared, of 64 bits", wat{memory: []byte{1, 4, 9}}.bytes(), "\x04\x09"},
		{"shared memory", "memory is shared", wat{memory: []byte{1, 3, 1, 9}}.bytes(), "\x03\x01\x09"},
		{"large memory", "513 pages of memory, at most 512", wat{memory: []byte{1, 0, 0x81, 4}}.bytes(), "\x00\x81\x04"},
		{"inverted memory", "at least 2 and at most 1", wat{memory: []byte{1, 1, 2, 1}}.bytes(), ""},
		{"impossible memory", "more than there can be", wat{memory: []byte{1, 1, 1, 0x81, 0x80, 4}}.bytes(), ""},
		{"two tables", "2 tables, at most 1", wat{table: []byte{2, 0x70, 0, 1, 0x70, 0, 1}}.bytes(), "\x02\x70"},
		{"extern table", "anything but functions", wat{table: []byte{1, 0x6f, 0, 9}}.bytes(), "\x6f\x00\x09"},
		{"large table", "table of 65537 entries", wat{table: []byte{1, 0x70, 0, 0x81, 0x80, 4}}.bytes(), ""},

		{"mutability", "neither 0 nor 1", wat{globals: [][]byte{cat([]byte{i32, 2}, i32c(0), []byte{opEnd})}}.bytes(), "\x02\x41"},
		{"global of another type", "not a constant of its type", wat{globals: [][]byte{cat([]byte{i64, 0}, i32c(0), []byte{opEnd})}}.bytes(), "\x41\x00\x0b"},
		{"global by addition", "more than one constant", wat{globals: [][]byte{cat([]byte{i32, 0}, i32c(1), i32c(1), []byte{opI32Add, opEnd})}}.bytes(), ""},
		{"many mutable globals", "more than 64 mutable globals", wat{globals: manyGlobals(65)}.bytes(), ""},

		{"export twice", `export "f" twice`, wat{exports: export("f", 0, 0)}.bytes(), ""},
		{"reserved export", "are reserved", wat{exports: export(GasGlobal, 0, 0)}.bytes(), "\x09phala:gas"},
		{"export not UTF-8", "name is not UTF-8", wat{exports: export("\xc0\xaf", 0, 0)}.bytes(), "\x02\xc0"},
		{"export of a tag", "unknown kind 4", wat{exports: export("x", 4, 0)}.bytes(), "\x04\x00\x0a"},
		{"export of no function", "function 9 of 1", wat{exports: export("x", 0, 9)}.bytes(), "\x09"},
		{"export of an injected global", "global 0 of 0", wat{exports: export("x", 3, 0)}.bytes(), ""},
		{"export of no memory", "memory 1 of 1", wat{exports: export("x", 2, 1)}.bytes(), ""},
		{"export of no table", "table 1 of 1", wat{exports: export("x", 1, 1)}.bytes(), ""},
		{"long name", "name of 257 bytes", wat{exports: export(strings.Repeat("n", 257), 0, 0)}.bytes(), "\x81\x02n"},

		{"passive elements", "passive and declared", wat{elems: [][]byte{{1, 0, 1, 0}}}.bytes(), "\x01\x00\x01\x00\x0a"},
		{"elements beyond the table", "elements 4 to 5 of a table of 4", wat{elems: [][]byte{{0, 0x41, 4, 0x0b, 1, 0}}}.bytes(), ""},
		{"element that is injected", "function 1 of 1", wat{elems: [][]byte{{0, 0x41, 0, 0x0b, 1, 1}}}.bytes(), ""},
		{"passive data", "passive segments of data", wat{data: [][]byte{{1, 0}}}.bytes(), "\x01\x00"},
		{"data beyond the memory", "data up to byte 65537", wat{data: [][]byte{cat([]byte{0}, i32c(65536), []byte{opEnd, 1, 'x'})}}.bytes(), ""},
		{"data at minus one", "data up to byte 4294967296", wat{data: [][]byte{cat([]byte{0}, i32c(-1), []byte{opEnd, 1, 'x'})}}.bytes(), ""},
		{"data at a global", "not a constant", wat{data: [][]byte{{0, opGlobalGet, 0, opEnd, 0}}}.bytes(), ""},

		{"bodies missing", "1 functions, 0 bodies", wat{}.bytes()[:len(good)-6], ""},
		{"too many bodies", "a body without a function", wat{extra: before(10, section(10, 2, 2, 0, opEnd, 2, 0, opEnd))}.bytes(), ""},
		{"no end", "unexpected end", wat{body: []byte{opBlock, 0x40}}.bytes(), ""},
		{"after the end", "1 bytes after the end", wat{body: []byte{opEnd}}.bytes(), ""},
		{"many locals", "more than 2000 locals", wat{locals: []byte{2, 0xd0, 0x0f, i32, 1, i64}}.bytes(), "\x02\xd0"},
		{"locals that overflow", "more than 2000 locals", wat{locals: []byte{2, 1, i32, 0xff, 0xff, 0xff, 0xff, 0x0f, i32}}.bytes(), ""},
		{"number too long", "not a number of 32 bits", wat{locals: []byte{0x80, 0x80, 0x80, 0x80, 0x10}}.bytes(), "\x80\x80\x80\x80\x10"},
		{"number without end", "not a number of 32 bits", wat{locals: []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}}.bytes(), "\x80\x80\x80\x80\x80\x00"},
		{"signed too large", "signed number of 32 bits", wat{body: []byte{opI32Const, 0xff, 0xff, 0xff, 0xff, 0x4f, opDrop}}.bytes(), "\xff\xff\xff\xff\x4f"},
		{"signed too long", "signed number of 64 bits", wat{body: cat([]byte{opI64Const}, repeat([]byte{0x80}, 9), []byte{1, opDrop})}.bytes(), "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
		{"block of no type", "type of a block", wat{body: []byte{opBlock, 9, opEnd}}.bytes(), "\x09"},
		{"block of a vector", "type of a block", wat{body: []byte{opBlock, 0x7b, opEnd}}.bytes(), "\x7b"},
		{"operand missing", "operand missing", wat{body: []byte{opDrop}}.bytes(), "\x1a"},
		{"operand of another type", "operand of type 0x7e", wat{body: cat(i64c(0), []byte{0x45, opDrop})}.bytes(), "\x45"},
		{"operand too many", "operands too many", wat{body: i32c(5)}.bytes(), "\x0b"},
		{"else without if", "else without if", wat{body: []byte{opBlock, 0x40, opElse, opEnd}}.bytes(), "\x05"},
		{"if that gives", "if without else", wat{body: cat(i32c(1), []byte{opIf, i32}, i32c(1), []byte{opEnd, opDrop})}.bytes(), ""},
		{"branch too far", "label 7 of 1", wat{body: []byte{opBr, 7}}.bytes(), "\x07"},
		{"uneven table", "different operands", wat{body: cat([]byte{opBlock, i32}, i32c(0), i32c(0), []byte{opBrTable, 1, 0, 1, opEnd, opDrop})}.bytes(), ""},
		{"local beyond", "local 1 of 0", wat{body: []byte{opLocalGet, 1, opDrop}}.bytes(), "\x01\x1a"},
		{"the gas", "global 0 of 0", wat{body: []byte{opGlobalGet, 0, opDrop}}.bytes(), ""},
		{"constant global", "cannot be set", wat{globals: manyConstants(1), body: cat(i32c(0), []byte{opGlobalSet, 0})}.bytes(), "\x24"},
		{"a helper", "function 1 of 1", wat{body: cat(i32c(0), call(1), []byte{opDrop})}.bytes(), "\x01\x1a"},
		{"indirect without type", "type 5 of 1", wat{body: cat(i32c(0), []byte{opCallIndirect, 5, 0})}.bytes(), "\x05\x00"},
		{"indirect without table", "table 0 of 0", wat{table: []byte{0}, body: cat(i32c(0), []byte{opCallIndirect, 0, 0})}.bytes(), ""},
		{"indirect, second table", "table 1 of 1", wat{body: cat(i32c(0), []byte{opCallIndirect, 0, 1})}.bytes(), ""},
		{"load without memory", "without a memory", wat{memory: []byte{0}, mute: true, body: cat(i32c(0), []byte{0x28, 2, 0, opDrop})}.bytes(), ""},
		{"alignment", "alignment larger", wat{body: cat(i32c(0), []byte{0x28, 3, 0, opDrop})}.bytes(), "\x03\x00\x1a"},
		{"second memory", "more than one memory", wat{body: []byte{opMemorySize, 1, opDrop}}.bytes(), "\x01\x1a"},
		{"table.get", "(reference types)", wat{body: cat(i32c(0), []byte{0x25, 0, opDrop})}.bytes(), "\x25"},
		{"ref.null", "(reference types)", wat{body: []byte{0xd0, 0x70, opDrop}}.bytes(), "\xd0"},
		{"typed select", "(reference types)", wat{body: []byte{0x1c, 1, i32}}.bytes(), "\x1c"},
		{"SIMD", "(SIMD)", wat{body: []byte{0xfd, 0x0c}}.bytes(), "\xfd"},
		{"threads", "(threads)", wat{body: []byte{0xfe, 0x03, 0}}.bytes(), "\xfe"},
		{"tail call", "(tail calls)", wat{body: []byte{0x12, 0}}.bytes(), "\x12"},
		{"try", "(exceptions)", wat{body: []byte{0x06, 0x40, opEnd}}.bytes(), "\x06\x40"},
		{"memory.init", "0xfc 8", wat{body: []byte{0xfc, 8, 0, 0}}.bytes(), "\xfc"},
		{"table.grow", "0xfc 15", wat{body: []byte{0xfc, 15, 0}}.bytes(), "\xfc"},
		{"struct.new", "(garbage collection)", wat{body: []byte{0xfb, 0, 0}}.bytes(), "\xfb"},
		{"large sub-opcode", "0xfc", wat{body: []byte{0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f}}.bytes(), "\xfc"},
	} {
		m, err := Rewrite(c.code, Config{})
		var refused *Error
		if !errors.As(err, &refused) || m != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			continue
		}
		at := bytes.LastIndex(c.code, []byte(c.mark))
		if refused.Offset > len(c.code) || c.mark != "" && refused.Offset != at && refused.Offset != at+1 {
			t.Errorf("%s: %v, but it stands at byte %d", c.name, err, at)
		}
	}
}

func manyGlobals(n int) [][]byte {
	return sliceOf(n, cat([]byte{i32, 1}, i32c(0), []byte{opEnd}))
}

func manyConstants(n int) [][]byte {
	return sliceOf(n, cat([]byte{i32, 0}, i32c(0), []byte{opEnd}))
}

func sliceOf(n int, b []byte) (out [][]byte) {
	for range n {
		out = append(out, b)
	}
	return out
}

// TestBombs holds what would occupy the compiler for seconds against the limit
// that catches it.
func TestBombs(t *testing.T) {
	ifs := func(n int) []byte { return repeat(cat(i32c(1), []byte{opIf, 0x40}, i32c(0), []byte{opDrop, opEnd}), n) }
	nest := func(op byte, n int) []byte {
		return cat(repeat([]byte{op, 0x40}, n), repeat([]byte{opEnd}, n))
	}
	table := cat(i32c(0), []byte{opBrTable}, appendU32(nil, 10_000), make([]byte, 10_001))
	for _, c := range []struct {
		name, want string
		w          wat
	}{
		{"ifs", "metered blocks, at most 6000", wat{body: ifs(10_000)}},
		{"ifs and locals", "blocks × variables, at most 400000", wat{locals: []byte{1, 0xe8, 7, i32}, body: ifs(200)}},
		{"ifs and globals", "blocks × variables", wat{globals: manyGlobals(64), locals: []byte{1, 0x64, i32}, body: ifs(1500)}},
		{"loops", "more than 200 loops within one another", wat{body: nest(opLoop, 201)}},
		{"blocks", "nesting deeper than 1000", wat{body: nest(opBlock, 1001)}},
		{"flat blocks", "blocks, loops, targets and indirect calls, at most 12000", wat{body: repeat([]byte{opBlock, 0x40, opEnd}, 40_000)}},
		{"table and locals", "targets of br_table × variables", wat{locals: []byte{1, 0x64, i32}, body: cat([]byte{opBlock, 0x40}, table, []byte{opEnd})}},
		{"targets", "blocks, loops, targets and indirect calls", wat{body: cat([]byte{opBlock, 0x40}, table, table, []byte{opEnd})}},
		{"indirect calls", "targets and indirect calls", wat{body: repeat(cat(i32c(0), []byte{opCallIndirect, 0, 0}), 12_000)}},
		{"long module", "8388609 bytes, at most 8388608", wat{tail: make([]byte, 8<<20+1-len(wat{}.bytes()))}},
		{"calls and globals", "blocks × variables", wat{globals: manyGlobals(64), body: repeat(call(0), 20_000)}},
		{"long body", "body of 131076 bytes, at most 131072", wat{body: repeat([]byte{opNop}, 131_074)}},
	} {
		if _, err := Rewrite(c.w.bytes(), Config{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	free := V1()
	free.Cost[Branch] = 0
	dear := V1()
	dear.Cost[Query] = maxCost + 1
	for _, c := range []Config{{MaxPages: 65536}, {Table: free}, {Table: dear}} {
		var refused *Error
		if _, err := Rewrite(wat{}.bytes(), c); err == nil || errors.As(err, &refused) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
