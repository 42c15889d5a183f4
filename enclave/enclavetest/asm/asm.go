// Package asm assembles small CosmWasm contracts by hand, for tests that must know every instruction: the shell that all of them
// share, and the encodings for what they add. It must never be part of a program.
package asm

import (
	"bytes"
	"encoding/binary"
)

// Types of functions, by the places that Build gives them.
const (
	Unary  = 0 // (i32) → i32: allocate, db_read, query_chain
	Store  = 1 // (i32, i32): db_write
	Drop   = 2 // (i32): deallocate
	Mark   = 3 // (): interface_version_8
	Triple = 4 // (i32, i32, i32) → i32: instantiate, execute
	Double = 5 // (i32, i32) → i32: query, migrate, reply, sudo
)

// Shell is how many functions Build puts before the contract's own: allocate, deallocate, interface_version_8.
const Shell = 3

// Func is a function of the contract, without its end; one without a name is not exported.
type Func struct {
	Name string
	Type byte
	Body []byte
}

// Import is a function of the host, from the module env.
type Import struct {
	Name string
	Type byte
}

const dataBase = 1024

// Strings lays out a region with its text for each s, and says where it stands.
func Strings(all ...string) (data []byte, at map[string]uint32) {
	at = map[string]uint32{}
	for _, s := range all {
		for len(data)%4 != 0 {
			data = append(data, 0)
		}
		p := dataBase + uint32(len(data))
		at[s] = p
		for _, v := range []uint32{p + 12, uint32(len(s)), uint32(len(s))} {
			data = binary.LittleEndian.AppendUint32(data, v)
		}
		data = append(data, s...)
	}
	return data, at
}

// Build gives the module: imports come first in the functions' numbers, then the shell, then funcs. Each of funcs has so many
// locals, all i32.
func Build(imports []Import, data []byte, locals int, funcs ...Func) []byte {
	allocate := Cat( // bumps global 0
		[]byte{0x23, 0, 0x23, 0}, I32(12), []byte{0x6a, 0x36, 2, 0},
		[]byte{0x23, 0, 0x20, 0, 0x36, 2, 4},
		[]byte{0x23, 0}, I32(0), []byte{0x36, 2, 8},
		[]byte{0x23, 0, 0x23, 0, 0x20, 0, 0x6a}, I32(16), []byte{0x6a}, I32(3), []byte{0x6a}, I32(0xfffffffc), []byte{0x71, 0x24, 0},
	)
	shell := []Func{{"allocate", Unary, allocate}, {"deallocate", Drop, nil}, {"interface_version_8", Mark, nil}}
	var imported, types, exports, code [][]byte
	for _, i := range imports {
		imported = append(imported, Cat(str("env"), str(i.Name), []byte{0, i.Type}))
	}
	for i, f := range append(shell, funcs...) {
		types = append(types, []byte{f.Type})
		if f.Name != "" {
			exports = append(exports, Cat(str(f.Name), []byte{0, byte(len(imports) + i)}))
		}
		declared := []byte{0}
		if locals > 0 && i >= Shell {
			declared = []byte{1, byte(locals), 0x7f}
		}
		b := Cat(declared, f.Body, []byte{0x0b})
		code = append(code, Cat(leb(len(b)), b))
	}
	exports = append(exports, Cat(str("memory"), []byte{2, 0}))
	return Cat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, typ(1, 0x7f), typ(2), typ(1), typ(0), typ(3, 0x7f), typ(2, 0x7f)), section(2, imported...),
		section(3, types...), section(5, []byte{0, 17}), section(6, Cat([]byte{0x7f, 1}, I32(256<<10), []byte{0x0b})),
		section(7, exports...), section(10, code...), section(11, Cat([]byte{0}, I32(dataBase), []byte{0x0b}, str(string(data)))))
}

func typ(params int, result ...byte) []byte {
	return Cat([]byte{0x60, byte(params)}, bytes.Repeat([]byte{0x7f}, params), []byte{byte(len(result))}, result)
}

// Cat joins pieces of code.
func Cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// Local pushes a parameter or local.
func Local(i byte) []byte { return []byte{0x20, i} }

// Call calls function f.
func Call(f byte) []byte { return []byte{0x10, f} }

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func str(s string) []byte { return Cat(leb(len(s)), []byte(s)) }

func section(id byte, items ...[]byte) []byte {
	b := Cat(leb(len(items)), Cat(items...))
	return Cat([]byte{id}, leb(len(b)), b)
}

// I32 pushes a constant.
func I32(u uint32) []byte {
	out := []byte{0x41}
	for v := int32(u); ; {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
