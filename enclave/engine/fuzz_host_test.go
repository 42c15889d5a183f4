package engine

import (
	"encoding/binary"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
)

// FuzzHost runs contracts that call functions of the host in any order, with
// any operands: each ends as a result or a trap, leaves what is below its
// overlay alone, and does the same again, on a used instance and on a new one.
func FuzzHost(f *testing.F) {
	calls := hostFunctions()
	for i := range calls {
		f.Add([]byte{byte(i), 0x10, 0x11, 0x12, 0x13, byte(i), 0x01, 0x01, 0x01, 0x01})
		f.Add([]byte{byte(i), 0x00, 0x20, 0x21, 0x30, byte(i), 0x10, 0x10, 0x10, 0x10})
	}
	e := newEngine(f, Config{MemoryPages: 32})
	f.Fuzz(func(t *testing.T, script []byte) {
		a := &asm{extra: []string{"requires_phala"}}
		body := scripted(a, calls, script)
		a.entries = map[Entry][]byte{Execute: cat(body, a.say(emptyResponse)), Query: cat(body, a.say(`{"ok":""}`))}
		c, err := e.Compile(t.Context(), a.bytes())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(t.Context()) }()
		for _, entry := range []Entry{Execute, Query} {
			var first Outcome
			var firstErr error
			var left memory
			for turn := range 3 {
				base := before()
				s := maps.Clone(base)
				out, err := e.Run(t.Context(), c, Call{
					Entry: entry, Info: &Info{}, Msg: []byte(`{}`), Store: s, GasLimit: 50_000_000, Extensions: extended(t),
				})
				var trap *TrapError
				if err != nil && (!errors.As(err, &trap) || trap.Timeout) {
					t.Fatalf("%s: %v", entry, err)
				}
				if out.GasUsed == 0 || out.GasUsed > 50_000_000 || !reflect.DeepEqual(base, before()) || entry == Query && !reflect.DeepEqual(s, base) {
					t.Fatalf("%s: %d gas, state %d, %v", entry, out.GasUsed, len(s), err)
				}
				if turn == 0 {
					first, firstErr, left = out, err, s
				} else if !reflect.DeepEqual(out, first) || !reflect.DeepEqual(s, left) || (err == nil) != (firstErr == nil) || err != nil && err.Error() != firstErr.Error() {
					t.Fatalf("%s: turn %d came to %+v, %v, the first to %+v, %v", entry, turn, out, err, first, firstErr)
				}
			}
		}
	})
}

type function struct {
	name string
	hostFunc
}

func hostFunctions() []function {
	var out []function
	for _, m := range []hostModule{envModule(), phalaModule(), wasiModule()} {
		for name, f := range m.funcs {
			out = append(out, function{name, f})
		}
	}
	slices.SortFunc(out, func(a, b function) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	return out
}

// scripted is calls as bytes say: a function, then its operands, a byte each.
func scripted(a *asm, calls []function, script []byte) (body []byte) {
	seen := a.region(make([]byte, 8), 8) + regionSize
	for n := 0; len(script) > 0 && n < 64; n++ {
		f := calls[int(script[0])%len(calls)]
		script = script[1:]
		if len(script) < len(f.params) {
			return body
		}
		var call []byte
		for i, typ := range f.params {
			b := script[i]
			switch {
			case typ == i64:
				call = cat(call, []byte{0x42, b & 0x3f})
			default:
				call = cat(call, operandOf(a, b))
			}
		}
		script = script[len(f.params):]
		call = cat(call, a.call(f.name))
		switch {
		case len(f.result) == 0:
		case f.result[0] == i64:
			call = drop(call)
		default: // what it gave is an operand of what comes
			call = cat(i32const(seen), call, []byte{0x36, 2, 0})
		}
		body = cat(body, call)
	}
	return body
}

// operandOf is a small number, a region that is right, one that lies, the last
// answer, or any address.
func operandOf(a *asm, b byte) []byte {
	low := int(b & 0x0f)
	switch b >> 4 {
	case 0:
		return i32const(uint32(low))
	case 1:
		return a.text([]string{"a", "b", "new", "", string(make([]byte, 32)), string(make([]byte, 64)), "\xff\xfe", `{"bank":{}}`,
			string(make([]byte, 65)), "pha1", "x\x00\x00\x00\x01", string(make([]byte, 300)), "{", "0123456789", string(make([]byte, 48)), string(make([]byte, 96))}[low])
	case 2:
		return i32const(a.region(nil, 16*low))
	case 3:
		return forged(a, []uint32{0, 1, 1024, 17 << 16}[low&3], []uint32{0, 8, 0xffffffff, 1 << 16}[low>>2], uint32(low))
	case 4:
		return cat(i32const(dataBase+regionSize), []byte{0x28, 2, 0})
	}
	var wide [4]byte
	wide[low&3] = b
	return i32const(binary.LittleEndian.Uint32(wide[:]))
}
