package engine

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// hostFunc is one function offered to contracts. All its errors are traps.
type hostFunc struct {
	params []api.ValueType
	result []api.ValueType
	run    func(f *frame, a args) (uint64, error)
}

// hostModule is a set of them under one import module.
type hostModule struct {
	name  string
	funcs map[string]hostFunc
}

// args are the operands of a host call.
type args []uint64

// ptr is the i-th operand as an i32: the upper half of its slot is undefined.
func (a args) ptr(i int) uint32 { return uint32(a[i]) }

func (m hostModule) register(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(m.name)
	charges := prices()
	for name, h := range m.funcs {
		b.NewFunctionBuilder().WithGoFunction(h.bind(name, charges[name]), h.params, h.result).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("registering %s: %w", m.name, err)
	}
	return nil
}

func (h hostFunc) bind(name string, charge price) api.GoFunc {
	return func(ctx context.Context, stack []uint64) {
		f := frameOf(ctx)
		err := f.visit(charge, stack)
		var v uint64
		if err == nil {
			v, err = h.run(f, stack)
		}
		if err != nil {
			// The one way to end a guest from within; explain finds the error again.
			panic(fmt.Errorf("%s: %w", name, err))
		}
		if len(h.result) > 0 {
			stack[0] = v
		}
	}
}

func i32s(n int) []api.ValueType {
	out := make([]api.ValueType, n)
	for i := range out {
		out[i] = i32
	}
	return out
}

func equal(a, b []api.ValueType) bool { return string(a) == string(b) }

// host is all modules offered.
type host []hostModule

// offers finds a function by its import.
func (h host) offers(module, name string) (hostFunc, bool) {
	for _, m := range h {
		if m.name == module {
			f, ok := m.funcs[name]
			return f, ok
		}
	}
	return hostFunc{}, false
}
