// Package script is a contract whose every answer the test chooses, for tests
// of what contracts may ask of each other. It must never be part of a program.
package script

import (
	"bytes"
	"encoding/binary"
)

// OK is an answer with nothing in it.
const OK = `{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}`

// What the contract keeps, and under which key.
const (
	Answer  = "a" // to the last query that Sudo was told to make
	Info    = "i" // of the last Instantiate or Execute
	Message = "m" // of the last Instantiate, Execute or Migrate
	Reply   = "r" // the last one
	Script  = "s" // what it answers where the message is no answer
)

// Contract gives the module. Instantiate, Execute, Migrate and Query answer
// with the message itself if that is an answer ({"ok":… or {"error":…), else,
// as Reply, with the script, or OK. Sudo takes an answer as the new script and
// anything else as a request, which it asks the chain.
func Contract() []byte {
	data, at := []byte{}, map[string]uint32{}
	for _, s := range []string{Answer, Info, Message, Reply, Script, OK} {
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
	const dbRead, dbWrite, queryChain, answer = 0, 1, 2, 6
	param := func(i byte) []byte { return []byte{0x20, i} }
	call := func(f byte) []byte { return []byte{0x10, f} }
	write := func(key string, value ...byte) []byte { return cat(i32(at[key]), value, call(dbWrite)) }
	begins := func(i byte, s string) []byte { // the message in parameter i
		return cat(param(i), []byte{0x28, 2, 0, 0x28, 0, 0}, i32(binary.LittleEndian.Uint32([]byte(s))), []byte{0x46})
	}
	either := func(cond, yes, no []byte) []byte {
		return cat(cond, []byte{0x04, 0x7f}, yes, []byte{0x05}, no, []byte{0x0b})
	}
	allocate := cat(
		[]byte{0x23, 0, 0x23, 0}, i32(12), []byte{0x6a, 0x36, 2, 0},
		[]byte{0x23, 0, 0x20, 0, 0x36, 2, 4},
		[]byte{0x23, 0}, i32(0), []byte{0x36, 2, 8},
		[]byte{0x23, 0, 0x23, 0, 0x20, 0, 0x6a}, i32(16), []byte{0x6a}, i32(3), []byte{0x6a}, i32(0xfffffffc), []byte{0x71, 0x24, 0},
	)
	scripted := either(cat(i32(at[Script]), call(dbRead), []byte{0x22, 1}), param(1), i32(at[OK]))
	answers := func(i byte) []byte { return cat(begins(i, `{"ok`), begins(i, `{"er`), []byte{0x72}) }
	chosen := either(answers(0), param(0), scripted)
	entry := cat(write(Info, param(1)...), write(Message, param(2)...), param(2), call(answer))
	sudo := cat(answers(1), []byte{0x04, 0x40}, write(Script, param(1)...), []byte{0x05},
		write(Answer, cat(param(1), call(queryChain))...), []byte{0x0b}, i32(at[OK]))
	funcs := []struct {
		name string
		typ  byte
		body []byte
	}{
		{"allocate", 0, allocate},
		{"deallocate", 2, nil},
		{"interface_version_8", 3, nil},
		{"", 0, chosen},
		{"instantiate", 4, entry},
		{"execute", 4, entry},
		{"migrate", 5, cat(write(Message, param(1)...), param(1), call(answer))},
		{"reply", 5, cat(write(Reply, param(1)...), param(1), call(answer))},
		{"sudo", 5, sudo},
		{"query", 5, cat(param(1), call(answer))},
	}
	typ := func(params int, result ...byte) []byte {
		return cat([]byte{0x60, byte(params)}, bytes.Repeat([]byte{0x7f}, params), []byte{byte(len(result))}, result)
	}
	imported := func(name string, typ byte) []byte { return cat(str("env"), str(name), []byte{0, typ}) }
	var exports, code, types [][]byte
	for i, f := range funcs {
		types = append(types, []byte{f.typ})
		if f.name != "" {
			exports = append(exports, cat(str(f.name), []byte{0, byte(i + 3)}))
		}
		b := cat([]byte{1, 1, 0x7f}, f.body, []byte{0x0b}) // one local
		code = append(code, cat(leb(len(b)), b))
	}
	exports = append(exports, cat(str("memory"), []byte{2, 0}))
	return cat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, typ(1, 0x7f), typ(2), typ(1), typ(0), typ(3, 0x7f), typ(2, 0x7f)),
		section(2, imported("db_read", 0), imported("db_write", 1), imported("query_chain", 0)),
		section(3, types...), section(5, []byte{0, 17}), section(6, cat([]byte{0x7f, 1}, i32(256<<10), []byte{0x0b})),
		section(7, exports...), section(10, code...), section(11, cat([]byte{0}, i32(dataBase), []byte{0x0b}, str(string(data)))))
}

const dataBase = 1024

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func leb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func str(s string) []byte { return cat(leb(len(s)), []byte(s)) }

func section(id byte, items ...[]byte) []byte {
	b := cat(leb(len(items)), cat(items...))
	return cat([]byte{id}, leb(len(b)), b)
}

// i32 pushes a constant.
func i32(u uint32) []byte {
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
