package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

// TestGoRuntime shows what a contract in Go finds: a world without time,
// files, or randomness, the same at each call.
func TestGoRuntime(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t, Config{})
	code := gocontract.Build(t, "testdata/probe")
	c, err := e.Compile(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	other := newEngine(t, Config{})
	twin, err := other.Compile(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	try := func(e *Engine, c *Contract, what string) (string, error) {
		s := memory{}
		_, err := e.Run(ctx, c, Call{
			Entry: Execute, Env: Env{TimeNanos: 1_900_000_000_000_000_007}, Info: &Info{Sender: "me"},
			Msg: fmt.Appendf(nil, `{"try":%q}`, what), Store: s,
		})
		return string(s["saw"]), err
	}
	for what, want := range map[string]string{
		"clock":       `"1 1900000000000000007 1900000000000000007"`,
		"file":        `"open /etc/passwd: Bad file number"`,
		"environment": `"0 0"`,
		"print":       `"9 \u003cnil\u003e"`,
		"goroutines":  `"4950"`,
		"garbage":     `"200"`,
		"random":      "", // whatever it is, it is the same again
		"maps":        "",
	} {
		got, err := try(e, c, what)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if want != "" && got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		if again, err := try(other, twin, what); err != nil || again != got {
			t.Errorf("%s: got %s, then %s, %v", what, got, again, err)
		}
	}
	for what, want := range map[string]string{
		"memory":    "unreachable", // the runtime's way out, after words nobody reads
		"loop":      "out of gas",
		"sleep":     "unreachable",
		"deadlock":  "unreachable",
		"panic":     "panic: on purpose",
		"exit":      "code 3",
		"recursion": "nested too deeply",
	} {
		_, err := try(e, c, what)
		var trap *TrapError
		if !errors.As(err, &trap) || !strings.Contains(trap.Reason, want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	_, err = e.Run(ctx, c, Call{Entry: Query, Msg: []byte(`{"try":"garbage"}`), Store: memory{}})
	if err == nil || !strings.Contains(err.Error(), "state cannot be changed in a query") {
		t.Errorf("a query that writes: %v", err)
	}
}

func BenchmarkGoQuery(b *testing.B) {
	ctx := context.Background()
	e := newEngine(b, Config{})
	c, err := e.Compile(ctx, gocontract.Build(b, "../../examples/auction/contract"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.Run(ctx, c, Call{Entry: Query, Msg: []byte(`{"status":{}}`), Store: memory{}}); err != nil {
			b.Fatal(err)
		}
	}
}
