package engine

import (
	"bytes"
	"errors"
	"testing"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// limited runs an entry point with a gas limit.
func limited(t *testing.T, e *Engine, c *Contract, gas uint64) (Outcome, error) {
	t.Helper()
	return e.Run(t.Context(), c, Call{Entry: Execute, Info: &Info{}, Msg: []byte(`{}`), Store: memory{}, GasLimit: gas})
}

// TestGasLimit finds the least gas that is enough, which is what the call is
// said to have used, and looks at what happens with less.
func TestGasLimit(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.entries = map[Entry][]byte{Execute: cat(a.store("k", a.text("v")), a.say(emptyResponse))}
	c := a.must(t, e)
	out, err := limited(t, e, c, 1<<40)
	if err != nil || out.GasUsed == 0 {
		t.Fatal(out.GasUsed, err)
	}
	exact, err := limited(t, e, c, out.GasUsed)
	if err != nil || exact.GasUsed != out.GasUsed {
		t.Errorf("with what it needs: %d gas, %v", exact.GasUsed, err)
	}
	for _, gas := range []uint64{1, 100, out.GasUsed / 2, out.GasUsed - 1} {
		less, err := limited(t, e, c, gas)
		var trap *TrapError
		if !errors.As(err, &trap) || !trap.OutOfGas || trap.Timeout || less.GasUsed != gas {
			t.Errorf("%d gas: %d used, %v", gas, less.GasUsed, err)
		}
	}
}

// TestHostGas: what the host does is paid for, by what it does.
func TestHostGas(t *testing.T) {
	e := newEngine(t, Config{})
	gas := func(body func(a *asm) []byte) int64 {
		t.Helper()
		a := &asm{}
		a.entries = map[Entry][]byte{Execute: cat(body(a), a.say(emptyResponse))}
		out, err := limited(t, e, a.must(t, e), 0)
		if err != nil {
			t.Fatal(err)
		}
		return int64(out.GasUsed)
	}
	write := func(n int) int64 {
		return gas(func(a *asm) []byte { return a.store("k", i32const(a.region(make([]byte, n), n))) })
	}
	small, large := write(16), write(16+160_000)
	if want := 10_000 * (e.table.Cost[meter.KVUnit] + e.table.Cost[meter.Copy]); large-small != want {
		t.Errorf("160 kB more cost %d, want %d", large-small, want)
	}
	nothing := gas(func(*asm) []byte { return nil })
	scan := gas(func(a *asm) []byte {
		return cat(i32const(0), i32const(0), i32const(1), a.call("db_scan"), []byte{0x1a})
	})
	verify := gas(func(a *asm) []byte {
		return cat(a.text(string(make([]byte, 32))), a.text(string(make([]byte, 64))), a.text("k"), a.call("secp256k1_verify"), []byte{0x1a})
	})
	if scan-nothing < e.table.Cost[meter.KVScan] || verify-nothing < 100_000 || small-nothing < 1000 {
		t.Errorf("nothing %d, a write %d, a scan %d, a verification %d", nothing, small, scan, verify)
	}
}

// TestAllocateMustNotCallBack: allocate runs on a stack that is in use when
// it is called from within itself.
func TestAllocateMustNotCallBack(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.allocate = cat(a.text("x"), a.call("db_read"), []byte{0x1a}, allocateBody)
	c := a.must(t, e) // nothing is stored yet, so nothing is given back
	var trap *TrapError
	_, err := run(t, e, c, Execute, memory{"x": []byte("y")})
	if !errors.As(err, &trap) || trap.Reason != "allocate would have to be called from within itself" {
		t.Errorf("got %v", err)
	}
}

// TestLongMessages: what is hashed before it is verified is paid for by its
// length, each time it is hashed.
func TestLongMessages(t *testing.T) {
	e := newEngine(t, Config{})
	gas := func(length uint32, body func(a *asm, message []byte) []byte) int64 {
		t.Helper()
		a := &asm{pages: 40}
		a.entries = map[Entry][]byte{Execute: cat(body(a, forged(a, 1<<20, length, length)), a.say(emptyResponse))}
		out, err := limited(t, e, a.must(t, e), 0)
		if err != nil {
			t.Fatal(err)
		}
		return int64(out.GasUsed)
	}
	cost := e.table.Cost
	single := func(a *asm, m []byte) []byte {
		return drop(cat(m, a.text(string(make([]byte, 64))), a.text(string(make([]byte, 32))), a.call("ed25519_verify")))
	}
	if more := gas(128<<10, single) - gas(1, single); more < 4*cost[meter.Ed25519] {
		t.Errorf("128 KiB verified cost %d more", more)
	}
	curve := func(a *asm, m []byte) []byte {
		return drop(cat(i32const(0), m, a.text("tag"), i32const(a.region(nil, 48)), a.call("bls12_381_hash_to_g1")))
	}
	if more := gas(1<<20, curve) - gas(1, curve); more < 4*cost[meter.BLSHash] {
		t.Errorf("1 MiB hashed to a curve costs %d more", more)
	}
	// Eight keys, one message of 128 KiB: its section ends in its length, big endian.
	batch := func(a *asm, m []byte) []byte {
		keys := bytes.Repeat(append(make([]byte, 32), 0, 0, 0, 32), 8)
		signatures := bytes.Repeat(append(make([]byte, 64), 0, 0, 0, 64), 8)
		return drop(cat(i32const(1<<20+128<<10), i32const(0x200), []byte{0x36, 2, 0}, m, a.text(string(signatures)), a.text(string(keys)), a.call("ed25519_batch_verify")))
	}
	if all := gas(128<<10+4, batch); all < (8+8*4)*cost[meter.Ed25519] {
		t.Errorf("eight verifications of 128 KiB cost %d", all)
	}
}
