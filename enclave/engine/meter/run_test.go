package meter

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// both runs a test on wazero's compiler and on its interpreter.
func both(t *testing.T, f func(t *testing.T, rt wazero.Runtime)) {
	for name, cfg := range map[string]wazero.RuntimeConfig{
		"compiler": wazero.NewRuntimeConfigCompiler(), "interpreter": wazero.NewRuntimeConfigInterpreter(),
	} {
		t.Run(name, func(t *testing.T) {
			rt := wazero.NewRuntimeWithConfig(context.Background(), cfg.WithCoreFeatures(features()))
			defer rt.Close(context.Background())
			f(t, rt)
		})
	}
}

// start rewrites a module and makes an instance that stands on its data.
func start(t testing.TB, rt wazero.Runtime, code []byte) (*Module, api.Module) {
	t.Helper()
	m, err := Rewrite(code, Config{})
	if err != nil {
		t.Fatal(err)
	}
	inst, err := rt.InstantiateWithConfig(context.Background(), m.Wasm, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	if m.MaxPages > 0 {
		mem := inst.Memory()
		whole, _ := mem.Read(0, mem.Size())
		if err := m.Load(whole); err != nil {
			t.Fatal(err)
		}
	}
	return m, inst
}

// TestCosts states what single bodies cost beside a call of the host, which
// keeps them from being tiny.
func TestCosts(t *testing.T) {
	drop := []byte{opDrop}
	void := []byte{0x40}
	v := V1().Cost
	number, branch := v[Integer], v[Branch]
	for _, c := range []struct {
		name string
		body []byte
		want int64
	}{
		{"nothing", nil, 0},
		{"constant", cat(i32c(1), drop), number},
		{"nop and block", []byte{opNop, opBlock, 0x40, opNop, opEnd}, 0},
		{"sum", cat(i32c(1), i32c(2), []byte{opI32Add}, drop), 3 * number},
		{"quotient", cat(i32c(1), i32c(2), []byte{0x6d}, drop), 2*number + v[Divide]},
		{"load", cat(i32c(0), []byte{0x28, 2, 0}, drop), number + v[Memory]},
		{"global", []byte{opGlobalGet, 0, opGlobalSet, 0}, 2 * v[Memory]},
		{"memory.size", cat([]byte{opMemorySize, 0}, drop), v[Memory]},
		{"if taken", cat(i32c(1), []byte{opIf}, void, i32c(1), drop, []byte{opElse}, i32c(1), i32c(1), drop, drop, []byte{opEnd}), 2*number + branch},
		{"if not taken", cat(i32c(0), []byte{opIf}, void, i32c(1), drop, []byte{opElse}, i32c(1), i32c(1), drop, drop, []byte{opEnd}), 3*number + branch},
		{"after if", cat(i32c(0), []byte{opIf}, void, i32c(1), drop, []byte{opEnd}, i32c(1), drop), 2*number + branch},
		{"br_if taken", cat([]byte{opBlock}, void, i32c(1), []byte{opBrIf, 0}, i32c(1), drop, []byte{opEnd}, i32c(1), drop), 2*number + branch},
		{"br_if not taken", cat([]byte{opBlock}, void, i32c(0), []byte{opBrIf, 0}, i32c(1), drop, []byte{opEnd}, i32c(1), drop), 3*number + branch},
		{"br", cat([]byte{opBlock}, void, []byte{opBr, 0}, i32c(1), drop, []byte{opEnd}, i32c(1), drop), number + branch},
		{"return", cat([]byte{opReturn}, i32c(1), drop), branch},
		{"dead code after", cat([]byte{opBlock}, void, []byte{opReturn, opEnd}, i32c(1), drop), branch},
		{"br_table", cat([]byte{opBlock}, void, i32c(0), []byte{opBrTable, 1, 0, 1, opEnd}, i32c(1), drop), 2*number + v[Switch]},
		{"empty loop", cat([]byte{opLoop}, void, []byte{opEnd}), 1},
		{"ten rounds", cat(i32c(10), []byte{opLocalSet, 0, opLoop}, void, []byte{opLocalGet, 0}, i32c(1), []byte{opI32Sub, opLocalTee, 0, opBrIf, 0, opEnd}), 2*number + 10*(4*number+branch)},
		{"tight loop that is passed by", cat([]byte{opBlock}, void, i32c(1), []byte{opBrIf, 0}, i32c(2), []byte{opLocalSet, 0, opLoop}, void,
			[]byte{opLocalGet, 0}, i32c(1), []byte{opI32Sub, opLocalTee, 0, opBrIf, 0, opEnd, opEnd}, i32c(1), drop), 2*number + branch},
		{"tight loop that calls", cat(i32c(2), []byte{opLocalSet, 0, opLoop}, void, call(3),
			[]byte{opLocalGet, 0}, i32c(1), []byte{opI32Sub, opLocalTee, 0, opBrIf, 0, opEnd}), 2*number + 2*(v[Call]+v[Call]/2+1+4*number+branch)},
		{"tight loop that grows", cat([]byte{opLoop}, void, i32c(1), []byte{opMemoryGrow, 0}, i32c(0), []byte{0x46, opBrIf, 0, opEnd}),
			3*number + v[Memory] + v[Host] + branch + v[GrowPage]},
		{"call of a tiny function", call(2), v[Call]},
		{"call of another", call(3), v[Call] + v[Call]/2 + 1},
		{"host", call(0), v[Host]},
		{"indirect", cat(i32c(0), []byte{opCallIndirect, 0, 0}), number + v[Indirect]},
		{"indirect, padded", cat(i32c(0), []byte{opCallIndirect, 0, 0x80, 0x80, 0x80, 0x80, 0}), number + v[Indirect]},
		{"grow", cat(i32c(1), []byte{opMemoryGrow, 0}, drop), number + v[Memory] + v[Host] + v[GrowPage]},
		{"grow too far", cat(i32c(2), []byte{opMemoryGrow, 0}, drop), number + v[Memory] + v[Host]},
		{"grow by minus one", cat(i32c(-1), []byte{opMemoryGrow, 0}, drop), number + v[Memory] + v[Host]},
		{"fill 16", cat(i32c(0), i32c(0), i32c(16), []byte{0xfc, 11, 0}), 3*number + v[Memory] + v[Bulk] + v[BulkUnit]},
		{"fill 17", cat(i32c(0), i32c(0), i32c(17), []byte{0xfc, 11, 0}), 3*number + v[Memory] + v[Bulk] + 2*v[BulkUnit]},
		{"copy 1600", cat(i32c(0), i32c(0), i32c(1600), []byte{0xfc, 10, 0, 0}), 3*number + v[Memory] + v[Bulk] + 100*v[BulkUnit]},
		{"square root", cat([]byte{opF64Const}, make([]byte, 8), []byte{0x9f}, drop), number + v[FloatHi]},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, rt wazero.Runtime) {
				host(t, rt, func(context.Context, api.Module) {})
				w := wat{imports: []string{"host"}, locals: []byte{1, 1, i32}, body: cat(call(0), c.body),
					more:    [][]byte{{0, opEnd}, cat([]byte{0}, costing(v[Call]/2+1), []byte{opEnd})},
					globals: manyGlobals(1), elems: [][]byte{{0, opI32Const, 0, opEnd, 1, 2}}}
				_, inst := start(t, rt, w.bytes())
				set(inst, 1_000_000)
				if _, err := inst.ExportedFunction("f").Call(context.Background()); err != nil {
					t.Fatal(err)
				}
				gas, depth := left(inst)
				if got := 1_000_000 - int64(gas) - v[Host]; got != c.want || depth != StackSlots {
					t.Errorf("cost %d, want %d; depth %d", got, c.want, depth)
				}
			})
		})
	}
}

// costing is code that costs so much: a number that is 1 at least.
func costing(gas int64) []byte {
	n := V1().Cost
	return cat(repeat(cat(i32c(1), []byte{opDrop}), int(gas/n[Integer])))
}

// TestShort calls functions that are too short to count, or to look.
func TestShort(t *testing.T) {
	cost := V1().Cost
	for _, c := range []struct {
		gas  int64 // of the body
		want int64 // that is counted
		ends bool  // with none left before
	}{
		{0, 0, true}, {cost[Call] / 2, 0, true}, {cost[Call]/2 + 1, cost[Call]/2 + 1, true},
		{smallCalls * cost[Call], smallCalls * cost[Call], true}, {smallCalls*cost[Call] + 1, smallCalls*cost[Call] + 1, false},
	} {
		both(t, func(t *testing.T, rt wazero.Runtime) {
			_, inst := start(t, rt, wat{body: costing(c.gas)}.bytes())
			set(inst, 0)
			_, err := inst.ExportedFunction("f").Call(context.Background())
			if gas, _ := left(inst); -int64(gas) != c.want || (err == nil) != c.ends {
				t.Errorf("%d gas: %d counted, %v", c.gas, -int64(gas), err)
			}
		})
	}
}

func host(t testing.TB, rt wazero.Runtime, f func(context.Context, api.Module)) {
	t.Helper()
	if _, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(f).Export("host").Instantiate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestOutOfGas looks at calls that use more than they have: whatever they do,
// the overrun is bounded and Judge knows.
func TestOutOfGas(t *testing.T) {
	forever := []byte{opLoop, 0x40, opBr, 0, opEnd}
	later := cat(i32c(0), []byte{opIf, 0x40, opEnd}) // what follows is another block
	for _, c := range []struct {
		name string
		body []byte
		trap string
	}{
		{"loop", forever, "unreachable"},
		{"a loop that costs nothing itself", []byte{opLoop, 0x40, opLoop, 0x40, opBr, 1, opEnd, opEnd}, "unreachable"},
		{"straight on", cat(later, repeat(cat(i32c(1), []byte{opDrop}), 2000)), ""},
		{"own trap", cat(later, repeat(cat(i32c(1), []byte{opDrop}), 2000), i32c(0), i32c(0), []byte{0x6d, opDrop}), "integer divide by zero"},
		{"grow", cat(i32c(1), []byte{opMemoryGrow, 0, opDrop}), "unreachable"},
		{"fill", cat(i32c(0), i32c(0), i32c(65536), []byte{0xfc, 11, 0}), "unreachable"},
		{"copy more than there is", cat(i32c(0), i32c(0), i32c(-1), []byte{0xfc, 10, 0, 0}), "unreachable"},
		{"recursion", call(0), "unreachable"},
	} {
		both(t, func(t *testing.T, rt wazero.Runtime) {
			m, inst := start(t, rt, wat{body: c.body}.bytes())
			set(inst, 1000)
			_, err := inst.ExportedFunction("f").Call(context.Background())
			if (err == nil) != (c.trap == "") || err != nil && !strings.Contains(err.Error(), c.trap) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.trap)
			}
			gas, depth := left(inst)
			if Judge(gas, depth) != OutOfGas {
				t.Errorf("%s: gas %d, depth %d", c.name, int64(gas), int64(depth))
			}
			cost := V1().Cost
			dynamic := map[string]int64{"grow": cost[GrowPage], "fill": 4096 * cost[BulkUnit], "copy more than there is": cost[BulkUnit] << 28}
			if over := -int64(gas); over > m.Report.MaxOverrun+dynamic[c.name] {
				t.Errorf("%s: %d too much, promised %d", c.name, over, m.Report.MaxOverrun)
			}
		})
	}
}

// TestHostCharges lets a host function take gas: the guest must see it at once.
func TestHostCharges(t *testing.T) {
	both(t, func(t *testing.T, rt wazero.Runtime) {
		calls := 0
		host(t, rt, func(_ context.Context, m api.Module) {
			calls++
			g := m.ExportedGlobal(GasGlobal).(api.MutableGlobal)
			g.Set(g.Get() - 400)
		})
		loop := cat([]byte{opLoop, 0x40}, call(0), []byte{opBr, 0, opEnd})
		_, inst := start(t, rt, wat{imports: []string{"host"}, body: loop}.bytes())
		cost := V1().Cost
		set(inst, uint64(3*(cost[Host]+cost[Branch])+1000)) // enough for three turns but for what the host takes
		_, err := inst.ExportedFunction("f").Call(context.Background())
		if gas, depth := left(inst); err == nil || Judge(gas, depth) != OutOfGas || calls != 3 {
			t.Errorf("%v after %d calls, gas %d", err, calls, int64(gas))
		}
	})
}

// TestNaN makes NaNs in every way there is and wants one bit pattern.
func TestNaN(t *testing.T) {
	both(t, func(t *testing.T, rt wazero.Runtime) {
		seen := 0
		for op, o := range opcodes {
			if !o.nan || op > 0xff {
				continue
			}
			for _, neg := range []byte{0, 0x80} {
				var body []byte
				for i := range o.nin { // a signalling NaN, of either sign
					if o.in[i] == f32 {
						body = cat(body, []byte{opF32Const, 1, 0, 0xa0, 0x7f | neg})
					} else {
						body = cat(body, []byte{opF64Const, 1, 0, 0, 0, 0, 0, 0xf4, 0x7f | neg})
					}
				}
				store := []byte{byte(op), 0x38, 2, 0}
				if o.out == f64 {
					store[1], store[2] = 0x39, 3
				}
				_, inst := start(t, rt, wat{body: cat(i32c(8), body, store)}.bytes())
				set(inst, 1000)
				if _, err := inst.ExportedFunction("f").Call(context.Background()); err != nil {
					t.Fatalf("0x%x: %v", op, err)
				}
				b, _ := inst.Memory().Read(8, 8)
				got, want := binary.LittleEndian.Uint64(b), uint64(0x7ff8000000000000)
				if o.out == f32 {
					want = 0x7fc00000
				}
				if got != want {
					t.Errorf("0x%x gives %x, want %x", op, got, want)
				}
				seen++
				inst.Close(context.Background())
			}
		}
		if seen != 2*24 {
			t.Errorf("%d instructions, want 24", seen/2)
		}
	})
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		gas, depth int64
		want       End
	}{
		{0, 0, Own}, {5, 5, Own}, {5, -1, TooDeep}, {-1, -1, OutOfGas}, {-1, 5, OutOfGas}, {math.MinInt64, 0, OutOfGas},
	} {
		if got := Judge(uint64(c.gas), uint64(c.depth)); got != c.want {
			t.Errorf("gas %d, depth %x: %v, want %v", c.gas, c.depth, got, c.want)
		}
	}
}
