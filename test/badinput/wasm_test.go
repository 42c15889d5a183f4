package badinput

import (
	"bytes"

	"github.com/phala-go/phala/enclave/enclavetest/asm"
)

// What a villain does on a message of that length, be it called or asked; on any other it says yes.
const (
	lenTrap = 21 + iota
	lenLoop
	lenHog
)

func villainMsg(n int) []byte {
	return []byte(`{"` + string(bytes.Repeat([]byte{'x'}, n-7)) + `":{}}`)
}

// villain is a contract that traps, loops for ever or takes all memory there is.
func villain() []byte {
	data, at := asm.Strings(emptyOK, `{"ok":"e30="}`)
	entry := func(msg byte, answer string) []byte {
		on := func(n uint32, do []byte) []byte {
			return asm.Cat([]byte{0x20, msg, 0x28, 2, 8}, asm.I32(n), []byte{0x46, 0x04, 0x40}, do, []byte{0x0b})
		}
		grow := asm.Cat([]byte{0x03, 0x40}, asm.I32(1), []byte{0x40, 0}, asm.I32(0xffffffff), []byte{0x47, 0x0d, 0, 0x0b, 0})
		return asm.Cat(on(lenTrap, []byte{0}), on(lenLoop, []byte{0x03, 0x40, 0x0c, 0, 0x0b}), on(lenHog, grow), asm.I32(at[answer]))
	}
	return asm.Build(nil, data, 0,
		asm.Func{Name: "instantiate", Type: asm.Triple, Body: entry(2, emptyOK)},
		asm.Func{Name: "execute", Type: asm.Triple, Body: entry(2, emptyOK)},
		asm.Func{Name: "query", Type: asm.Double, Body: entry(1, `{"ok":"e30="}`)},
	)
}
