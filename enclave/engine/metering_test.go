package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// bare is a contract whose functions are as they were before metering; all
// else about it, its pool of instances with it, is as ever. Such a thing must
// exist in tests alone.
func bare(t testing.TB, e *Engine, code []byte) *Contract {
	t.Helper()
	m, err := meter.Rewrite(code, e.metering())
	if err != nil {
		t.Fatal(err)
	}
	was, now := sectionsOf(code), sectionsOf(m.Wasm)
	bodies, added := items(was[10]), items(now[10])
	bodies = append(bodies, added[len(bodies):]...) // the functions that charge for memory
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if id == 10 {
			now[id] = vec(bodies...)
		}
		out = append(out, section(id, now[id])...)
	}
	m.Wasm = out
	metered, err := e.Compile(context.Background(), code)
	if err != nil {
		t.Fatal(err)
	}
	c := &Contract{
		engine: e, id: metered.id, seed: metered.seed, code: code, exports: metered.exports,
		reactor: metered.reactor, extended: metered.extended,
	}
	if err := e.instances.admit(context.Background(), c, m); err != nil {
		t.Fatal(err)
	}
	return c
}

// sectionsOf are a module's, without the custom ones.
func sectionsOf(code []byte) map[byte][]byte {
	out := map[byte][]byte{}
	for code = code[8:]; len(code) > 0; {
		size, n := binary.Uvarint(code[1:])
		body := code[1+n : 1+n+int(size)]
		if code[0] != 0 {
			out[code[0]] = body
		}
		code = code[1+n+int(size):]
	}
	return out
}

// items are those of a code section, each with its length in front.
func items(section []byte) (out [][]byte) {
	_, n := binary.Uvarint(section)
	for section = section[n:]; len(section) > 0; {
		size, n := binary.Uvarint(section)
		out = append(out, section[:n+int(size)])
		section = section[n+int(size):]
	}
	return out
}

// tight are loops of a few instructions, over and over: what metering weighs
// heaviest on. Local 0 counts down.
func tight() map[string][]byte {
	down := []byte{0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0} // local 0 less one; again, if it is not zero
	sum := func(b ...byte) []byte { return cat([]byte{0x20, 1}, b, []byte{0x6a, 0x21, 1}) }
	return map[string][]byte{
		"count": down,
		"add":   cat(sum(0x20, 0), down),
		"load":  cat(sum(0x20, 0, 0x41, 0xfc, 0xff, 0, 0x71, 0x28, 2, 0), down),
		"store": cat([]byte{0x20, 0, 0x41, 0xfc, 0xff, 0, 0x71, 0x20, 0, 0x36, 2, 0x80, 0x80, 8}, down),
		"call":  cat([]byte{0x10, 2}, down), // deallocate: function 1 after the import
	}
}

// spinning is a contract whose execute loops two million times.
func spinning(body []byte) []byte {
	a := &asm{pages: 18}
	a.call("debug")
	if bytes.HasPrefix(body, []byte{0x10}) {
		body = cat([]byte{0x20, 0}, body)
	}
	loop := cat(i32const(2_000_000), []byte{0x21, 0, 0x03, 0x40}, body, []byte{0x0b})
	a.entries = map[Entry][]byte{Execute: cat(loop, a.say(emptyResponse))}
	return a.bytes()
}

// BenchmarkMetering gives what metering adds to the CPU time of a call, in
// percent: the median of rounds that take turns with a contract that is not
// metered. PHALA_CW20 names the file of a token contract.
func BenchmarkMetering(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(tight())) {
		b.Run("worst/"+name, func(b *testing.B) { weigh(b, spinning(tight()[name]), `{}`, `{}`) })
	}
	b.Run("cw20", func(b *testing.B) {
		code, err := os.ReadFile(os.Getenv("PHALA_CW20"))
		if err != nil {
			b.Skip("PHALA_CW20 names no contract: ", err)
		}
		weigh(b, code,
			fmt.Sprintf(`{"name":"Cash","symbol":"CASH","decimals":9,"initial_balances":[{"address":%q,"amount":"1000000000000000"}]}`, account(b, "alice")),
			fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"1"}}`, account(b, "bob")))
	})
}

func weigh(b *testing.B, code []byte, init, msg string) {
	const rounds = 31
	e := newEngine(b, Config{})
	metered, err := e.Compile(context.Background(), code)
	if err != nil {
		b.Fatal(err)
	}
	sides := []*Contract{metered, bare(b, e, code)}
	states := []memory{{}, {}}
	call := func(side int, entry Entry, msg string) {
		_, err := e.Run(context.Background(), sides[side], Call{
			Entry: entry, Env: Env{Contract: account(b, "contract")}, Info: &Info{Sender: account(b, "alice")}, Msg: []byte(msg), Store: states[side],
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	call(0, Instantiate, init)
	call(1, Instantiate, init)
	for b.Loop() {
		var ratios []float64
		for range rounds {
			var took [2]float64
			for side := range sides {
				runtime.GC()
				n, began, used := 0, time.Now(), processTime(b)
				for ; n < 2 || time.Since(began) < 30*time.Millisecond; n++ {
					call(side, Execute, msg)
				}
				took[side] = float64(processTime(b)-used) / float64(n)
			}
			ratios = append(ratios, took[0]/took[1])
		}
		slices.Sort(ratios)
		b.ReportMetric(100*(ratios[rounds/2]-1), "%over")
	}
}

// processTime is the CPU time of this process.
func processTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestBareContract: what metering is measured against does the same.
func TestBareContract(t *testing.T) {
	e := newEngine(t, Config{})
	for name, body := range tight() {
		code := spinning(body)
		c, err := e.Compile(context.Background(), code)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out, err := run(t, e, c, Execute, memory{})
		if err != nil || out.GasUsed < 2_000_000 {
			t.Errorf("%s: %d gas, %v", name, out.GasUsed, err)
		}
		free, err := run(t, e, bare(t, e, code), Execute, memory{})
		if err != nil || free.GasUsed > 1000 || free.Response == nil {
			t.Errorf("%s unmetered: %d gas, %v", name, free.GasUsed, err)
		}
	}
}
