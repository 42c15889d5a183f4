// Package script is a contract whose every answer the test chooses, for tests
// of what contracts may ask of each other. It must never be part of a program.
package script

import (
	"encoding/binary"

	"github.com/phala-go/phala/enclave/enclavetest/asm"
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
	data, at := asm.Strings(Answer, Info, Message, Reply, Script, OK)
	const dbRead, dbWrite, queryChain, answer = 0, 1, 2, 3 + asm.Shell
	param, call := asm.Local, asm.Call
	write := func(key string, value ...byte) []byte { return asm.Cat(asm.I32(at[key]), value, call(dbWrite)) }
	begins := func(i byte, s string) []byte { // the message in parameter i
		return asm.Cat(param(i), []byte{0x28, 2, 0, 0x28, 0, 0}, asm.I32(binary.LittleEndian.Uint32([]byte(s))), []byte{0x46})
	}
	either := func(cond, yes, no []byte) []byte {
		return asm.Cat(cond, []byte{0x04, 0x7f}, yes, []byte{0x05}, no, []byte{0x0b})
	}
	scripted := either(asm.Cat(asm.I32(at[Script]), call(dbRead), []byte{0x22, 1}), param(1), asm.I32(at[OK]))
	answers := func(i byte) []byte { return asm.Cat(begins(i, `{"ok`), begins(i, `{"er`), []byte{0x72}) }
	chosen := either(answers(0), param(0), scripted)
	entry := asm.Cat(write(Info, param(1)...), write(Message, param(2)...), param(2), call(answer))
	sudo := asm.Cat(answers(1), []byte{0x04, 0x40}, write(Script, param(1)...), []byte{0x05},
		write(Answer, asm.Cat(param(1), call(queryChain))...), []byte{0x0b}, asm.I32(at[OK]))
	imports := []asm.Import{{Name: "db_read", Type: asm.Unary}, {Name: "db_write", Type: asm.Store}, {Name: "query_chain", Type: asm.Unary}}
	return asm.Build(imports, data, 1,
		asm.Func{Type: asm.Unary, Body: chosen},
		asm.Func{Name: "instantiate", Type: asm.Triple, Body: entry},
		asm.Func{Name: "execute", Type: asm.Triple, Body: entry},
		asm.Func{Name: "migrate", Type: asm.Double, Body: asm.Cat(write(Message, param(1)...), param(1), call(answer))},
		asm.Func{Name: "reply", Type: asm.Double, Body: asm.Cat(write(Reply, param(1)...), param(1), call(answer))},
		asm.Func{Name: "sudo", Type: asm.Double, Body: sudo},
		asm.Func{Name: "query", Type: asm.Double, Body: asm.Cat(param(1), call(answer))},
	)
}
