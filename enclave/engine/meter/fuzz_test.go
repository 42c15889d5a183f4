package meter

import (
	"context"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
)

// FuzzRewrite wants an answer to whatever bytes there are: an *Error that
// points into them, or a module that the compiler finds valid, and then the
// same the second time. Seeds are in testdata and in the tests' own modules.
func FuzzRewrite(f *testing.F) {
	for _, w := range recursions() {
		f.Add(w.bytes())
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features()))
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := Rewrite(code, Config{})
		if err != nil {
			var refused *Error
			if m != nil || !errors.As(err, &refused) || refused.Offset < 0 || refused.Offset > len(code) {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		c, err := rt.CompileModule(ctx, m.Wasm)
		if err != nil {
			t.Fatalf("rewritten, it is invalid: %v", err)
		}
		_ = c.Close(ctx)
		if m.MinPages > 0 {
			if err := m.Load(make([]byte, int(m.MinPages)*pageSize)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
