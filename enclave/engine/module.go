package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds on what is handed to the compiler: generous for what compilers emit,
// narrow enough that a hostile module cannot occupy it for long. Control
// structure inside a function is not looked at yet.
const (
	maxFunctions    = 30_000
	maxFunctionBody = 128 << 10
	maxTable        = 65_536
	maxGlobals      = 1000
	maxImports      = 200
	maxExports      = 1000
	maxName         = 256
)

// module is what is known of a module before it is compiled.
type module struct {
	imports  []symbol
	exports  map[string]byte // kind
	memories uint32
	start    bool

	migrateVersion *uint64
}

type symbol struct {
	module, name string
	kind         byte
}

const kindFunc, kindMemory = 0, 2

func (s symbol) String() string { return s.module + "." + s.name }

// scan reads the sections that decide whether a module is acceptable at all.
// It does not validate the rest: the compiler does.
func scan(code []byte) (*module, error) {
	if !bytes.HasPrefix(code, []byte("\x00asm")) {
		return nil, errors.New("not a WASM module")
	}
	if !bytes.HasPrefix(code[4:], []byte{1, 0, 0, 0}) {
		return nil, errors.New("not a WASM module of version 1")
	}
	m := &module{exports: map[string]byte{}}
	r := &reader{b: code[8:]}
	for len(r.b) > 0 && r.err == nil {
		id := r.byte()
		body := &reader{b: r.take(r.u32())}
		if r.err != nil {
			break
		}
		switch id {
		case 0: // custom; no fault in it is one of the module
			m.readVersion(body)
			continue
		case 2:
			m.readImports(body)
		case 3:
			body.bound(body.u32(), maxFunctions, "functions")
		case 4:
			for n := body.u32(); n > 0 && body.err == nil; n-- {
				body.byte() // type of its elements
				body.bound(body.limits(), maxTable, "elements in a table")
			}
		case 5:
			m.memories += body.u32()
		case 6:
			body.bound(body.u32(), maxGlobals, "globals")
		case 7:
			m.readExports(body)
		case 8:
			m.start = true
		case 10:
			for n := body.u32(); n > 0 && body.err == nil; n-- {
				size := body.u32()
				body.bound(size, maxFunctionBody, "bytes in a function")
				body.take(size)
			}
		}
		if body.err != nil {
			return nil, fmt.Errorf("section %d: %w", id, body.err)
		}
	}
	return m, r.err
}

func (m *module) readImports(r *reader) {
	n := r.u32()
	r.bound(n, maxImports, "imports")
	for ; n > 0 && r.err == nil; n-- {
		s := symbol{module: r.name(), name: r.name(), kind: r.byte()}
		switch s.kind {
		case kindFunc:
			r.u32()
		case 1: // table: type of its elements, limits
			r.byte()
			r.limits()
		case kindMemory:
			r.limits()
		case 3: // global: type, mutability
			r.byte()
			r.byte()
		default:
			r.fail(fmt.Errorf("import of an unknown kind %d", s.kind))
		}
		m.imports = append(m.imports, s)
	}
}

func (m *module) readExports(r *reader) {
	n := r.u32()
	r.bound(n, maxExports, "exports")
	for ; n > 0 && r.err == nil; n-- {
		name := r.name()
		m.exports[name] = r.byte()
		r.u32()
	}
}

// reader takes a section apart; its first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) bound(n, limit uint32, what string) {
	if n > limit {
		r.fail(fmt.Errorf("%d %s, at most %d are allowed", n, what, limit))
	}
}

func (r *reader) take(n uint32) []byte {
	if r.err != nil || uint64(n) > uint64(len(r.b)) {
		r.fail(io.ErrUnexpectedEOF)
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b[:min(len(r.b), 5)])
	if n <= 0 || v > 1<<32-1 {
		r.fail(errors.New("malformed number"))
		return 0
	}
	r.b = r.b[n:]
	return uint32(v)
}

func (r *reader) name() string {
	n := r.u32()
	r.bound(n, maxName, "bytes in a name")
	return string(r.take(n))
}

// limits gives the lower one.
func (r *reader) limits() uint32 {
	flag := r.byte()
	least := r.u32()
	if flag&1 != 0 {
		r.u32()
	}
	return least
}
