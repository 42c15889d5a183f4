package enclavetest

import (
	"bytes"
	"encoding/binary"
)

// Echo is a contract whose every entry point answers with the message it was given, so that the test says what the contract does:
// {"ok":{…}}, {"error":"…"}, a payment, or garbage, which is a trap; execution of four bytes never ends. Instantiation stores a 1
// and execution a 2 first; a query whose message is {} answers with what is stored.
func Echo() []byte {
	data, at := []byte{}, map[string]uint32{}
	for _, s := range []string{"k", `{"ok":"MQ=="}`, `{"ok":"Mg=="}`} {
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
	const dbRead, dbWrite = 0, 1
	write := func(v string) []byte { return cat(i32(at["k"]), i32(at[v]), []byte{0x10, dbWrite}) }
	msg := func(i byte) []byte { return []byte{0x20, i} }
	// if length of message == 2 then db_read(k) else message
	query := cat(msg(1), []byte{0x28, 2, 8}, i32(2), []byte{0x46, 0x04, 0x7f}, i32(at["k"]), []byte{0x10, dbRead, 0x05}, msg(1), []byte{0x0b})
	// if length of message == 4 then for {}
	loop := cat(msg(2), []byte{0x28, 2, 8}, i32(4), []byte{0x46, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b})
	allocate := cat(
		[]byte{0x23, 0, 0x23, 0}, i32(12), []byte{0x6a, 0x36, 2, 0},
		[]byte{0x23, 0, 0x20, 0, 0x36, 2, 4},
		[]byte{0x23, 0}, i32(0), []byte{0x36, 2, 8},
		[]byte{0x23, 0, 0x23, 0, 0x20, 0, 0x6a}, i32(16), []byte{0x6a}, i32(3), []byte{0x6a}, i32(0xfffffffc), []byte{0x71, 0x24, 0},
	)
	typ := func(params int, result ...byte) []byte {
		return cat([]byte{0x60, byte(params)}, bytes.Repeat([]byte{0x7f}, params), []byte{byte(len(result))}, result)
	}
	funcs := []struct {
		name string
		typ  byte
		body []byte
	}{
		{"allocate", 0, allocate},
		{"deallocate", 2, nil},
		{"interface_version_8", 3, nil},
		{"instantiate", 4, cat(write(`{"ok":"MQ=="}`), msg(2))},
		{"execute", 4, cat(loop, write(`{"ok":"Mg=="}`), msg(2))},
		{"query", 5, query},
	}
	var exports, code, types [][]byte
	for i, f := range funcs {
		types = append(types, []byte{f.typ})
		exports = append(exports, cat(str(f.name), []byte{0, byte(i + 2)}))
		b := cat([]byte{0}, f.body, []byte{0x0b})
		code = append(code, cat(leb(len(b)), b))
	}
	exports = append(exports, cat(str("memory"), []byte{2, 0}))
	return cat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, typ(1, 0x7f), typ(2), typ(1), typ(0), typ(3, 0x7f), typ(2, 0x7f)),
		section(2, cat(str("env"), str("db_read"), []byte{0, 0}), cat(str("env"), str("db_write"), []byte{0, 1})),
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
