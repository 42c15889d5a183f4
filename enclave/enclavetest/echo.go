package enclavetest

import "github.com/phala-go/phala/enclave/enclavetest/asm"

// Echo is a contract whose every entry point answers with the message it was given, so that the test says what the contract does:
// {"ok":{…}}, {"error":"…"}, a payment, or garbage, which is a trap; execution of four bytes never ends. Instantiation stores a 1
// and execution a 2 first; a query whose message is {} answers with what is stored.
func Echo() []byte {
	data, at := asm.Strings("k", `{"ok":"MQ=="}`, `{"ok":"Mg=="}`)
	const dbRead, dbWrite = 0, 1
	write := func(v string) []byte { return asm.Cat(asm.I32(at["k"]), asm.I32(at[v]), asm.Call(dbWrite)) }
	msg := asm.Local
	// if length of message == 2 then db_read(k) else message
	query := asm.Cat(msg(1), []byte{0x28, 2, 8}, asm.I32(2), []byte{0x46, 0x04, 0x7f}, asm.I32(at["k"]), []byte{0x10, dbRead, 0x05}, msg(1), []byte{0x0b})
	// if length of message == 4 then for {}
	loop := asm.Cat(msg(2), []byte{0x28, 2, 8}, asm.I32(4), []byte{0x46, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b})
	imports := []asm.Import{{Name: "db_read", Type: asm.Unary}, {Name: "db_write", Type: asm.Store}}
	return asm.Build(imports, data, 0,
		asm.Func{Name: "instantiate", Type: asm.Triple, Body: asm.Cat(write(`{"ok":"MQ=="}`), msg(2))},
		asm.Func{Name: "execute", Type: asm.Triple, Body: asm.Cat(loop, write(`{"ok":"Mg=="}`), msg(2))},
		asm.Func{Name: "query", Type: asm.Double, Body: query},
	)
}
