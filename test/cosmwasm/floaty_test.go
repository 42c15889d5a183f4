package cosmwasm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/engine"
)

type number struct {
	U32 *uint32 `json:"u32,omitempty"`
	U64 *uint64 `json:"u64,omitempty"`
	F32 *uint32 `json:"f32,omitempty"`
	F64 *uint64 `json:"f64,omitempty"`
}

// TestFloats runs every instruction on floating-point numbers 150 times, as wasmvm's test of this name, and comes to its hash. It
// is 21,000 calls.
func TestFloats(t *testing.T) {
	if testing.Short() {
		t.Skip("21,000 calls")
	}
	w := newWorld(t)
	meta := w.meta(w.made(w.upload(wasmvm, "testdata/floaty_2.0.wasm"), account("creator"), `{}`, ""))
	ask := func(msg string, into any) error {
		out, err := w.engine.Run(context.Background(), w.codes[string(meta.CodeId)], engine.Call{
			Entry: engine.Query, Msg: []byte(msg), Store: w.ed.Space(calls.StorageKey(meta.Address)),
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
	said := make([]string, len(instructions))
	var all sync.WaitGroup
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, name := range instructions {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			var b strings.Builder
			for seed := range 150 {
				result, err := float(ask, name, seed)
				if err != nil {
					t.Errorf("%s, %d: %v", name, seed, err)
				}
				fmt.Fprintf(&b, "%s%d%s", name, seed, result)
			}
			said[i] = b.String()
		})
	}
	all.Wait()
	got := sha256.Sum256([]byte(strings.Join(said, "")))
	if want := "95f70fa6451176ab04a9594417a047a1e4d8e2ff809609b8f81099496bee2393"; fmt.Sprintf("%x", got) != want {
		t.Errorf("the results hash to %x, want %s", got, want)
	}
}

// float runs an instruction on arguments that the contract draws, and says the result as wasmvm does.
func float(ask func(string, any) error, name string, seed int) (string, error) {
	var in []number
	var v number
	if err := ask(fmt.Sprintf(`{"random_args_for":{"instruction":%q,"seed":%d}}`, name, seed), &in); err != nil {
		return "", err
	}
	args, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	err = ask(fmt.Sprintf(`{"run":{"instruction":%q,"args":%s}}`, name, args), &v)
	var trap *engine.TrapError
	switch {
	case errors.As(err, &trap):
		return "Wasmer runtime error: RuntimeError: " + trap.Reason, nil
	case err != nil:
		return "", err
	case v.U32 != nil:
		return fmt.Sprintf("U32(%d)", nan32(name, in[0], *v.U32)), nil
	case v.U64 != nil:
		return fmt.Sprintf("U64(%d)", nan64(name, in[0], *v.U64)), nil
	}
	return "", fmt.Errorf("the result is %+v", v)
}

// WebAssembly leaves open which bits a NaN has that an instruction makes. wasmvm makes it the canonical one in arithmetic, and
// keeps the payload between f32 and f64, where we have the canonical one again.

func nan32(name string, in number, bits uint32) uint32 {
	f := math.Float32frombits(bits)
	switch {
	case f == f || !computes(name, "f32"):
		return bits
	case name == "f32.demote_f64":
		return uint32(*in.F64>>63)<<31 | 0x7fc00000 | uint32(*in.F64>>29)&0x3fffff
	}
	return 0x7fc00000
}

func nan64(name string, in number, bits uint64) uint64 {
	f := math.Float64frombits(bits)
	switch {
	case f == f || !computes(name, "f64"):
		return bits
	case name == "f64.promote_f32":
		return uint64(*in.F32>>31)<<63 | 0x7ff8000000000000 | uint64(*in.F32&0x3fffff)<<29
	}
	return 0x7ff8000000000000
}

// computes is whether an instruction gives a number of a type and may make a NaN; the others pass on what they are given.
func computes(instruction, typ string) bool {
	of, op, _ := strings.Cut(instruction, ".")
	switch op {
	case "abs", "neg", "copysign":
		return false
	}
	return of == typ && !strings.HasPrefix(op, "reinterpret")
}
