package cosmwasm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/engine"
)

// TestFloats runs every instruction on floating-point numbers 150 times, as wasmvm's test of this name, and comes to its hash.
func TestFloats(t *testing.T) {
	w := newWorld(t)
	a := w.made(w.upload(wasmvm, "testdata/floaty_2.0.wasm"), account("creator"), `{}`, "")
	meta := w.meta(a)
	ask := func(msg string, into any) error {
		out, err := w.engine.Run(context.Background(), w.codes[string(meta.CodeId)], engine.Call{
			Entry: engine.Query, Msg: []byte(msg), Store: w.ed.Space(calls.StorageKey(meta.Address)), Env: engine.Env{Contract: address.Encode(meta.Address)},
		})
		if err != nil {
			return err
		}
		return json.Unmarshal(out.Query, into)
	}
	var instructions []string
	if err := ask(`{"instructions":{}}`, &instructions); err != nil || len(instructions) != 70 {
		t.Fatalf("%d instructions, %v", len(instructions), err)
	}
	h := sha256.New()
	for _, name := range instructions {
		for seed := range 150 {
			var args json.RawMessage
			if err := ask(fmt.Sprintf(`{"random_args_for":{"instruction":%q,"seed":%d}}`, name, seed), &args); err != nil {
				t.Fatal(err)
			}
			var v struct {
				U32 *uint32 `json:"u32"`
				U64 *uint64 `json:"u64"`
			}
			err := ask(fmt.Sprintf(`{"run":{"instruction":%q,"args":%s}}`, name, args), &v)
			var trap *engine.TrapError
			result := ""
			switch {
			case errors.As(err, &trap): // in the words of wasmvm's engine
				result = "Wasmer runtime error: RuntimeError: " + trap.Reason
			case err != nil:
				t.Fatal(err)
			case v.U32 != nil: // a number, or the bits of one
				if f := math.Float32frombits(*v.U32); computes(name, "f32") && f != f {
					*v.U32 = 0x7fc00000
				}
				result = fmt.Sprintf("U32(%d)", *v.U32)
			case v.U64 != nil:
				if f := math.Float64frombits(*v.U64); computes(name, "f64") && f != f {
					*v.U64 = 0x7ff8000000000000
				}
				result = fmt.Sprintf("U64(%d)", *v.U64)
			}
			fmt.Fprintf(h, "%s%d%s", name, seed, result)
		}
	}
	if got, want := fmt.Sprintf("%x", h.Sum(nil)), "95f70fa6451176ab04a9594417a047a1e4d8e2ff809609b8f81099496bee2393"; got != want {
		t.Errorf("the results hash to %s, want %s", got, want)
	}
}

// computes is whether an instruction gives a number of a type and may make a NaN, whose bits WebAssembly leaves open.
func computes(instruction, typ string) bool {
	of, op, _ := strings.Cut(instruction, ".")
	switch op {
	case "abs", "neg", "copysign", "eq", "ne", "lt", "gt", "le", "ge":
		return false
	}
	return of == typ && !strings.HasPrefix(op, "reinterpret")
}
