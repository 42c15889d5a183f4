package meter

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// recursions call themselves for ever with frames of different kinds. Function
// 0 is the recursion, function 1 gives a number.
func recursions() map[string]wat {
	get := func(i int) []byte { return appendU32([]byte{opLocalGet}, uint32(i)) }
	setl := func(i int) []byte { return appendU32([]byte{opLocalSet}, uint32(i)) }
	locals := func(n int) []byte { return cat([]byte{1}, appendU32(nil, uint32(n)), []byte{i32}) }
	each := func(n int, f func(i int) []byte) (b []byte) {
		for i := range n {
			b = append(b, f(i)...)
		}
		return b
	}
	number := cat(call(1))
	again := cat(call(0), []byte{opDrop})
	sum := func(n int) []byte { return each(n, func(int) []byte { return []byte{opI32Add} }) }
	store := func(i int) []byte { return cat(i32c(int32(4*i)), get(i), []byte{0x36, 2, 0}) }
	shapes := map[string]wat{
		"plain":    {body: call(0)},
		"operands": {body: cat(each(500, func(int) []byte { return number }), call(0), sum(500))},
		"locals": {locals: locals(200), body: cat(each(200, func(i int) []byte { return cat(number, setl(i)) }),
			again, each(200, store), i32c(0))},
		// One local, but each of its values waits for a call at another time.
		"values": {locals: locals(1), body: cat(each(300, func(int) []byte {
			return cat(number, setl(0), number, get(0), []byte{opI32Add}, setl(0), number, []byte{opDrop}, store(0))
		}), call(0))},
		// Many paths, each with other values of the locals.
		"merged": {locals: locals(20), body: cat(each(200, func(i int) []byte {
			return cat(get(i%20), []byte{opIf, 0x40}, number, setl((i*7)%20), number, setl((i*3)%20), []byte{opEnd}, number, []byte{opDrop})
		}), each(20, store), call(0))},
		"loops": {locals: locals(12), body: cat(each(60, func(i int) []byte {
			return cat([]byte{opLoop, 0x40}, number, setl(i%12), number, get(i%12), []byte{opI32Add}, setl((i+1)%12),
				i32c(0), []byte{opBrIf, 0, opEnd})
		}), each(12, store), call(0))},
		"globals": {globals: manyGlobals(60), body: cat(each(60, func(i int) []byte {
			return cat(number, []byte{opDrop}, appendU32([]byte{opGlobalGet}, uint32(i)))
		}), call(0), sum(60))},
		"memory": {locals: locals(40), body: cat(each(40, func(i int) []byte {
			return cat(get(i), []byte{0x28, 2}, appendU32(nil, uint32(8*i)), setl((i+1)%40))
		}), call(0), each(40, store))},
		"indirect": {elems: [][]byte{{0, opI32Const, 0, opEnd, 1, 0}}, body: cat(each(100, func(int) []byte { return number }),
			i32c(0), []byte{opCallIndirect, 0, 0}, sum(100))},
		"floats": {locals: []byte{1, 50, f64}, body: cat(each(50, func(i int) []byte {
			return cat(number, []byte{0xb7}, get((i+1)%50), []byte{0xa0}, setl(i)) // convert, add
		}), call(0), each(50, func(i int) []byte { return cat(i32c(int32(8*i)), get(i), []byte{0x39, 3, 0}) }))},
		"table": {locals: locals(10), body: cat(repeat([]byte{opBlock, 0x40}, 40), number, []byte{opBrTable, 39},
			each(40, func(i int) []byte { return []byte{byte(i)} }), each(40, func(i int) []byte {
				return cat([]byte{opEnd}, number, setl(i%10), number, []byte{opDrop})
			}), each(10, store), call(0))},
	}
	for name, w := range shapes {
		w.types = []funcType{{results: []byte{i32}}}
		w.more = [][]byte{cat([]byte{0}, i32c(3), []byte{opEnd})}
		shapes[name] = w
	}
	return shapes
}

// TestDepth wants every recursion to end by the injected bound, with that of
// wazero's compiler far away.
func TestDepth(t *testing.T) {
	for name, w := range recursions() {
		rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features()))
		m, inst := start(t, rt, w.bytes())
		set(inst, 1<<50)
		_, err := inst.ExportedFunction("f").Call(context.Background())
		if gas, depth := left(inst); err == nil || Judge(gas, depth) != TooDeep || !strings.Contains(err.Error(), "unreachable") {
			t.Errorf("%s: %v", name, err)
		}
		// Without the bound wazero's stack overflows. Until then the function
		// must have asked for more slots than the stack really had.
		_, inst = start(t, rt, w.bytes())
		set(inst, 1<<50)
		inst.ExportedGlobal(DepthGlobal).(api.MutableGlobal).Set(math.MaxInt64)
		_, err = inst.ExportedFunction("f").Call(context.Background())
		_, depth := left(inst)
		if err == nil || !strings.Contains(err.Error(), "stack overflow") {
			t.Errorf("%s: no overflow to compare with: %v", name, firstLine(err))
		}
		used := int64(math.MaxInt64) - int64(depth)
		if used < 50_000_000/8 {
			t.Errorf("%s: its frames are larger than its slots: %d were asked for until 50 MB were full", name, used)
		}
		t.Logf("%-9s %6d slots a call, %.2f times what it needs at most", name, m.Report.MaxSlots, float64(used)*8/50e6)
		rt.Close(context.Background())
	}
}

// TestDepthReturned leaves a function in every way there is.
func TestDepthReturned(t *testing.T) {
	both(t, func(t *testing.T, rt wazero.Runtime) {
		for name, w := range map[string]wat{
			"end":        {body: cat(call(1))},
			"return":     {body: cat(call(1), []byte{opReturn})},
			"br":         {body: cat(call(1), []byte{opBr, 0})},
			"br_if":      {body: cat(call(1), i32c(1), []byte{opBrIf, 0})},
			"br_table":   {body: cat(call(1), i32c(0), []byte{opBrTable, 0, 0})},
			"nested":     {body: cat([]byte{opLoop, 0x40, opBlock, 0x40}, call(1), []byte{opReturn, opEnd, opEnd, opUnreachable})},
			"two values": {types: []funcType{{results: []byte{i64, i32}}}, body: cat(call(1), []byte{opReturn}), more: [][]byte{cat([]byte{0}, i64c(1), i32c(2), []byte{opEnd})}},
		} {
			if w.more == nil {
				w.more = [][]byte{{0, opEnd}}
			}
			_, inst := start(t, rt, w.bytes())
			set(inst, 1000)
			out, err := inst.ExportedFunction("f").Call(context.Background())
			if _, depth := left(inst); err != nil || depth != StackSlots || len(out) == 2 && out[0] != 1 {
				t.Errorf("%s: %v, %v, depth %d", name, out, err, depth)
			}
		}
	})
}

// TestSlots tries the bound of a frame on random recursions.
func TestSlots(t *testing.T) {
	if testing.Short() {
		t.Skip("fills the native stack many times")
	}
	worst := math.Inf(1)
	for _, code := range randomBodies(25) {
		rt := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features()))
		_, inst := start(t, rt, code)
		set(inst, 1<<50)
		inst.ExportedGlobal(DepthGlobal).(api.MutableGlobal).Set(math.MaxInt64)
		_, err := inst.ExportedFunction("f").Call(context.Background())
		if err == nil || !strings.Contains(err.Error(), "stack overflow") {
			t.Fatalf("no overflow: %v", err)
		}
		_, depth := left(inst)
		worst = min(worst, float64(math.MaxInt64-int64(depth))*8/50e6)
		rt.Close(context.Background())
	}
	if worst < 1 {
		t.Errorf("a frame is %.2f times as large as its slots", 1/worst)
	}
	t.Logf("the tightest bound is %.2f times the frame", worst)
}

// randomBodies makes modules whose f does something with its locals and the
// memory, within blocks and loops, and then calls itself.
func randomBodies(n int) (out [][]byte) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range n {
		const locals = 16
		var body []byte
		open := 0
		for range 100 + rnd.IntN(400) {
			a, b := byte(rnd.IntN(locals)), byte(rnd.IntN(locals))
			switch rnd.IntN(9) {
			case 0, 1:
				body = append(body, opCall, 1, opLocalSet, a)
			case 2:
				body = append(body, opLocalGet, a, opLocalGet, b, opI32Add, opLocalTee, a, opLocalSet, b)
			case 3:
				body = append(body, opLocalGet, a, opLocalGet, a, 0x36, 2, 0)
			case 4:
				body = append(body, opLocalGet, a, 0x28, 2, 0, opLocalSet, b)
			case 5:
				body, open = append(body, opLocalGet, a, opIf, 0x40), open+1
			case 6:
				body, open = append(body, opLoop, 0x40), open+1
			case 7:
				if open > 0 {
					body, open = append(body, opEnd), open-1
				}
			case 8:
				body = append(body, opLocalGet, a, opLocalGet, b, opCall, 1, opSelect, opLocalSet, a)
			}
		}
		body = cat(body, repeat([]byte{opEnd}, open), call(0), []byte{opDrop})
		for i := range locals { // so that none is idle
			body = append(body, opI32Const, 0, opLocalGet, byte(i), 0x36, 2, 0)
		}
		w := wat{types: []funcType{{results: []byte{i32}}}, locals: []byte{1, locals, i32}, body: append(body, opI32Const, 0),
			more: [][]byte{cat([]byte{0}, i32c(0), []byte{opEnd})}}
		out = append(out, w.bytes())
	}
	return out
}
