package meter

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// wazeroDir gives the source of wazero, which carries the specification's
// tests in binary form.
func wazeroDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("the source of wazero is not there: ", err)
	}
	return dir
}

func features() api.CoreFeatures {
	return api.CoreFeaturesV2 &^ api.CoreFeatureSIMD &^ api.CoreFeatureReferenceTypes
}

type specCommand struct {
	Type, Filename string
	Line           int
	Action         struct {
		Type, Field, Module string
		Args                []struct{ Value json.RawMessage }
	}
}

// twins are instances of a module as it is and rewritten.
type twins struct {
	original, rewritten api.Module
}

func (w twins) set(gas int64) {
	set(w.rewritten, uint64(gas))
}

func set(m api.Module, gas uint64) {
	m.ExportedGlobal(GasGlobal).(api.MutableGlobal).Set(gas)
	m.ExportedGlobal(DepthGlobal).(api.MutableGlobal).Set(StackSlots)
}

func left(m api.Module) (gas, depth uint64) {
	return m.ExportedGlobal(GasGlobal).Get(), m.ExportedGlobal(DepthGlobal).Get()
}

// counts of what the lock-step saw.
type counts struct{ modules, refused, calls, traps int }

// TestSpecification runs the specification's tests as they are and rewritten,
// side by side. It compares the two, not the expected values: those are
// wazero's own concern.
func TestSpecification(t *testing.T) {
	root := filepath.Join(wazeroDir(t), "internal/integration_test/spectest")
	var n counts
	for _, version := range []string{"v1", "v2"} {
		files, _ := filepath.Glob(filepath.Join(root, version, "testdata", "*.json"))
		if len(files) == 0 {
			t.Skip("this download of wazero has no specification tests")
		}
		for _, f := range files {
			specFile(t, f, &n)
		}
	}
	t.Logf("%d modules, %d more refused, %d calls of which %d trapped", n.modules, n.refused, n.calls, n.traps)
	if n.modules < 1500 || n.calls < 36_900 || n.traps < 800 {
		t.Error("fewer than there should be: the test does not test")
	}
}

func specFile(t *testing.T, file string, n *counts) {
	var script struct{ Commands []specCommand }
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &script); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features()))
	defer rt.Close(ctx)
	var w twins
	for _, c := range script.Commands {
		where := filepath.Base(file) + ":" + strconv.Itoa(c.Line)
		switch c.Type {
		case "module":
			w = specModule(t, rt, filepath.Join(filepath.Dir(file), c.Filename), where, n)
		case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
			b, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
			if err != nil || !strings.HasSuffix(c.Filename, ".wasm") {
				continue
			}
			// The compiler must find no fault that Rewrite has not found. Some
			// of version 1 are valid since version 2, or cannot be linked.
			m, err := Rewrite(b, Config{})
			if err != nil {
				continue
			}
			_, before := rt.CompileModule(ctx, b)
			_, after := rt.CompileModule(ctx, m.Wasm)
			if before != nil || after != nil {
				t.Errorf("%s: %s: rewritten, though %v; then %v", where, c.Type, before, after)
			}
		case "assert_return", "assert_trap", "assert_exhaustion", "action":
			if w.original != nil && c.Action.Type == "invoke" && c.Action.Module == "" {
				specCall(t, w, c, where, n)
			}
		}
	}
}

func specModule(t *testing.T, rt wazero.Runtime, file, where string, n *counts) (w twins) {
	ctx := context.Background()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, err := rt.CompileModule(ctx, b)
	if err != nil {
		return twins{}
	}
	m, err := Rewrite(b, Config{MaxPages: 65535, Limits: Limits{Name: 300, Arity: 100, Graph: 30_000}})
	if err != nil {
		var refused *Error
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", where, err)
		}
		if strings.Contains(refused.Reason, "operand") || strings.Contains(refused.Reason, "number") || strings.Contains(refused.Reason, "at most") {
			t.Errorf("%s: valid, but refused %v", where, err)
		}
		n.refused++
		return twins{}
	}
	after, err := rt.CompileModule(ctx, m.Wasm)
	if err != nil {
		t.Errorf("%s: rewritten, it is invalid: %v", where, err)
		return twins{}
	}
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	if w.original, err = rt.InstantiateModule(ctx, before, cfg); err != nil {
		return twins{}
	}
	if w.rewritten, err = rt.InstantiateModule(ctx, after, cfg); err != nil {
		t.Errorf("%s: rewritten, it does not start: %v", where, err)
		return twins{}
	}
	if mem := w.rewritten.Memory(); m.MaxPages > 0 {
		whole, _ := mem.Read(0, mem.Size())
		if err := m.Load(whole); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	n.modules++
	return w
}

func specCall(t *testing.T, w twins, c specCommand, where string, n *counts) {
	var args []uint64
	for _, a := range c.Action.Args {
		var s string
		if json.Unmarshal(a.Value, &s) != nil {
			return // a vector
		}
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return // a kind of NaN, or null
		}
		args = append(args, v)
	}
	ctx := context.Background()
	f, g := w.original.ExportedFunction(c.Action.Field), w.rewritten.ExportedFunction(c.Action.Field)
	if f == nil {
		return
	}
	w.set(1 << 60)
	want, trap := f.Call(ctx, args...)
	got, trap2 := g.Call(ctx, args...)
	n.calls++
	gas, depth := left(w.rewritten)
	if trap != nil {
		n.traps++
		if strings.Contains(trap.Error(), "stack overflow") {
			if Judge(gas, depth) != TooDeep {
				t.Errorf("%s: the stack overflowed, but %v", where, trap2)
			}
			return
		}
		if trap2 == nil || firstLine(trap) != firstLine(trap2) || Judge(gas, depth) != Own {
			t.Errorf("%s: %v became %v", where, firstLine(trap), trap2)
		}
		return
	}
	if trap2 != nil || depth != StackSlots || int64(gas) > 1<<60 {
		t.Errorf("%s: %v, depth %d, gas %d", where, trap2, depth, gas)
		return
	}
	for i, typ := range f.Definition().ResultTypes() {
		if !sameValue(typ, want[i], got[i]) {
			t.Errorf("%s: %s(%v) = %x, rewritten %x", where, c.Action.Field, args, want, got)
		}
	}
}

func firstLine(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	return s
}

// sameValue compares; where one is a NaN the other need be one, too.
func sameValue(typ api.ValueType, a, b uint64) bool {
	switch typ {
	case api.ValueTypeI32:
		return uint32(a) == uint32(b)
	case api.ValueTypeF32:
		x, y := api.DecodeF32(a), api.DecodeF32(b)
		return uint32(a) == uint32(b) || x != x && y != y
	case api.ValueTypeF64:
		x, y := api.DecodeF64(a), api.DecodeF64(b)
		return a == b || math.IsNaN(x) && math.IsNaN(y)
	}
	return a == b
}
