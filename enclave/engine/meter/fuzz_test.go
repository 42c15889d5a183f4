package meter

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// FuzzRewrite wants an answer to whatever bytes there are: an *Error that
// points into them, or a module that the compiler finds valid and that does
// the same as the original until its gas is used up.
func FuzzRewrite(f *testing.F) {
	for _, w := range recursions() {
		f.Add(w.bytes())
	}
	for _, b := range randomBodies(20) {
		f.Add(b)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features()).WithMemoryLimitPages(4))
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := Rewrite(code, Config{MaxPages: 4})
		if err != nil {
			var refused *Error
			if m != nil || !errors.As(err, &refused) || refused.Offset < 0 || refused.Offset > len(code) {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		after, err := rt.CompileModule(ctx, m.Wasm)
		if err != nil {
			t.Fatalf("rewritten, it is invalid: %v", err)
		}
		defer after.Close(ctx)
		before, err := rt.CompileModule(ctx, code)
		if err != nil { // a larger memory than this runtime has, and the like
			return
		}
		defer before.Close(ctx)
		if len(m.Imports) == 0 {
			sameRun(t, rt, m, before, after)
		}
	})
}

// sameRun calls what is exported, the rewritten module first: if that ends
// within its gas, the original ends as well.
func sameRun(t *testing.T, rt wazero.Runtime, m *Module, before, after wazero.CompiledModule) {
	ctx := context.Background()
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	a, err := rt.InstantiateModule(ctx, before, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(ctx)
	b, err := rt.InstantiateModule(ctx, after, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(ctx)
	memory := func(i api.Module) (whole []byte) {
		if m.MaxPages > 0 {
			whole, _ = i.Memory().Read(0, i.Memory().Size())
		}
		return whole
	}
	if err := m.Load(memory(b)); err != nil {
		t.Fatal(err)
	}
	for _, e := range m.Exports {
		if e.Kind != KindFunc {
			continue
		}
		set(b, 20_000)
		g := b.ExportedFunction(e.Name)
		args := make([]uint64, len(g.Definition().ParamTypes()))
		for i := range args {
			args[i] = uint64(i + 1)
		}
		got, trap := g.Call(ctx, args...)
		if gas, depth := left(b); Judge(gas, depth) != Own || trap != nil && strings.Contains(trap.Error(), "stack overflow") {
			return
		}
		want, trap2 := a.ExportedFunction(e.Name).Call(ctx, args...)
		if (trap == nil) != (trap2 == nil) || trap != nil && firstLine(trap) != firstLine(trap2) {
			t.Fatalf("%s: %v, rewritten %v", e.Name, trap2, trap)
		}
		for i, typ := range g.Definition().ResultTypes() {
			if trap == nil && !sameValue(typ, want[i], got[i]) {
				t.Fatalf("%s: %x, rewritten %x", e.Name, want, got)
			}
		}
		if m.Report.FloatOps == 0 && !bytes.Equal(memory(a), memory(b)) {
			t.Fatalf("%s: different memory", e.Name)
		}
	}
}
