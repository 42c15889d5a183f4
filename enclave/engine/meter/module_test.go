package meter

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

func names(entries ...[]byte) []byte {
	return cat([]byte{0}, vec(cat(vec([]byte("name")), []byte{0, 2, 1, 'm', 1}, vec(list(entries)))))
}

func entry(i uint32, name string) []byte { return cat(appendU32(nil, i), vec([]byte(name))) }

// TestModule looks at all a host is told of a module.
func TestModule(t *testing.T) {
	w := wat{
		types:   []funcType{{}, {params: []byte{i32, i64}, results: []byte{f32}}},
		imports: []string{"db_read"}, impType: 1,
		globals: [][]byte{
			cat([]byte{i32, 0}, i32c(1), []byte{opEnd}),
			cat([]byte{i64, 1}, i64c(-5), []byte{opEnd}),
			cat([]byte{f64, 1, opF64Const}, make([]byte, 8), []byte{opEnd}),
		},
		exports: [][]byte{cat(vec([]byte("counter")), []byte{3, 1})},
		data: [][]byte{
			cat([]byte{0}, i32c(10), []byte{opEnd}, vec([]byte("hello"))),
			cat([]byte{0}, i32c(12), []byte{opEnd}, vec([]byte("LL"))),
		},
		tail: names(entry(0, "db_read"), entry(1, "f\xff!"), entry(9, "nobody")),
	}
	m, err := Rewrite(w.bytes(), Config{SparePage: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Import{{"env", "db_read", []byte{i32, i64}, []byte{f32}}}; !reflect.DeepEqual(m.Imports, want) {
		t.Errorf("imports %v", m.Imports)
	}
	if want := []Export{{"f", KindFunc, 1}, {"memory", KindMemory, 0}, {"counter", KindGlobal, 1}}; !reflect.DeepEqual(m.Exports, want) {
		t.Errorf("exports %v", m.Exports)
	}
	if want := []Global{{"phala:global:0", i64}, {"phala:global:1", f64}}; !reflect.DeepEqual(m.Globals, want) {
		t.Errorf("globals %v", m.Globals)
	}
	if want := map[uint32]string{0: "db_read", 1: "f\ufffd!"}; !reflect.DeepEqual(m.Names, want) {
		t.Errorf("names %v", m.Names)
	}
	if m.MinPages != 1 || m.MaxPages != 2 || m.Report.Functions != 1 {
		t.Errorf("pages %d to %d, %d functions", m.MinPages, m.MaxPages, m.Report.Functions)
	}
	if want := int64(len(w.bytes()))*V1().Cost[DeployByte] + V1().Cost[DeployGraph] + 2*V1().Cost[DeployWork]; m.DeployGas != want {
		t.Errorf("deployment costs %d, want %d", m.DeployGas, want)
	}
	memory := make([]byte, pageSize)
	if err := m.Load(memory); err != nil || string(memory[9:16]) != "\x00heLLo\x00" {
		t.Errorf("data %q, %v", memory[9:16], err)
	}
	if err := m.Load(memory[1:]); err == nil {
		t.Error("loaded into too small a memory")
	}
	again, err := Rewrite(w.bytes(), Config{SparePage: true})
	if err != nil || !bytes.Equal(again.Wasm, m.Wasm) {
		t.Error("rewritten twice, it differs")
	}

	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features()))
	defer rt.Close(ctx)
	c, err := rt.CompileModule(ctx, m.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	if most, _ := c.ExportedMemories()["memory"].Max(); most != 3 {
		t.Errorf("memory of up to %d pages, want one to spare", most)
	}
	if _, err := Rewrite(m.Wasm, Config{}); err == nil || !strings.Contains(err.Error(), "reserved") {
		t.Errorf("rewritten twice over: %v", err)
	}
}

// TestNoMemory rewrites a module without memory and one without anything.
func TestNoMemory(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features()))
	defer rt.Close(ctx)
	for _, code := range [][]byte{wat{memory: []byte{0}, mute: true}.bytes(), []byte("\x00asm\x01\x00\x00\x00")} {
		m, err := Rewrite(code, Config{})
		if err != nil {
			t.Fatal(err)
		}
		if m.MaxPages != 0 {
			t.Errorf("%d pages of no memory", m.MaxPages)
		}
		inst, err := rt.InstantiateWithConfig(ctx, m.Wasm, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			t.Fatal(err)
		}
		set(inst, 7)
		if gas, depth := left(inst); gas != 7 || depth != StackSlots {
			t.Errorf("gas %d, depth %d", gas, depth)
		}
	}
}

// TestNames gives name sections that tell less, or nonsense: never a reason to
// refuse code.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		tail []byte
		want map[uint32]string
	}{
		{nil, nil},
		{names(), map[uint32]string{}},
		{names(entry(0, strings.Repeat("x", 1000))), map[uint32]string{0: strings.Repeat("x", 256)}},
		{cat([]byte{0}, vec(cat(vec([]byte("name")), []byte{1, 99}))), nil},
		{cat([]byte{0}, vec(cat(vec([]byte("name")), []byte{1, 3, 9, 0, 1}))), map[uint32]string{}},
		{cat([]byte{0}, vec(cat(vec([]byte("name")), []byte{1, 4, 2, 0, 99, 1}))), map[uint32]string{}},
		{cat([]byte{0}, vec(vec([]byte("producers")))), nil},
		{cat(names(entry(0, "first")), names(entry(0, "second"))), map[uint32]string{0: "first"}},
	} {
		m, err := Rewrite(wat{tail: c.tail}.bytes(), Config{})
		if err != nil || !reflect.DeepEqual(m.Names, c.want) {
			t.Errorf("%x: %v, %v", c.tail, m, err)
		}
	}
}

// TestAppendOnly has a module use its last function, global, type and local
// before and after additions of each.
func TestAppendOnly(t *testing.T) {
	both(t, func(t *testing.T, rt wazero.Runtime) {
		w := wat{
			types:   []funcType{{results: []byte{i32, i32}}},
			globals: [][]byte{cat([]byte{i32, 1}, i32c(40), []byte{opEnd})},
			locals:  []byte{1, 1, f64},
			body: cat(call(1), []byte{opDrop, opGlobalGet, 0, opI32Add, opGlobalSet, 0}, // 42
				[]byte{opLocalGet, 0, opLocalGet, 0, 0xa3, opLocalSet, 0}, // a NaN, which needs a local
				[]byte{opGlobalGet, 0}, i32c(7), []byte{opReturn}),
			more: [][]byte{cat([]byte{0}, i32c(2), i32c(3), []byte{opEnd})},
		}
		m, inst := start(t, rt, w.bytes())
		set(inst, 1000)
		out, err := inst.ExportedFunction("f").Call(context.Background())
		if err != nil || len(out) != 2 || uint32(out[0]) != 42 || uint32(out[1]) != 7 {
			t.Errorf("%v, %v", out, err)
		}
		if g := inst.ExportedGlobal(m.Globals[0].Name).(api.MutableGlobal).Get(); uint32(g) != 42 {
			t.Errorf("global %d", g)
		}
	})
}
