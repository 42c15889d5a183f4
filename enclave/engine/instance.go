package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// provider hands out instances that stand where initialisation has left them.
// A contract must not be able to tell one provider from another.
type provider interface {
	// admit takes a contract in: it loads its program.
	admit(ctx context.Context, c *Contract, m *meter.Module) error
	take(ctx context.Context, c *Contract) (*instance, error)
	// release takes an instance back. Sound says that its call ended without a
	// trap; whatever else it has left in the instance is the provider's to undo.
	release(ctx context.Context, inst *instance, sound bool)
	// forget frees what is kept of a contract.
	forget(ctx context.Context, c *Contract) error
	close(ctx context.Context) error
}

// instance is one incarnation of a contract. One call uses it at a time.
type instance struct {
	of         *program
	module     api.Module
	memory     linear
	gas, depth api.MutableGlobal
	globals    []api.MutableGlobal
	exports    map[string]*export
}

// Memory is the contract's.
func (i *instance) Memory() api.Memory { return i.module.Memory() }

// instantiate makes an instance on a memory, which it takes over.
func (e *Engine) instantiate(ctx context.Context, p *program, mem linear) (*instance, error) {
	allocator := experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return mem })
	module, err := e.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, allocator), p.compiled, wazero.NewModuleConfig().
		WithName(""). // so that many may live side by side
		WithStartFunctions().
		WithRandSource(rand.NewChaCha8(p.contract.seed))) // or wazero asks the host
	if err != nil {
		mem.Free()
		return nil, err
	}
	i := &instance{of: p, module: module, memory: mem, exports: map[string]*export{}}
	global := func(name string) api.MutableGlobal {
		g, ok := module.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			err = fmt.Errorf("the module has no variable %q", name)
		}
		return g
	}
	i.gas, i.depth = global(meter.GasGlobal), global(meter.DepthGlobal)
	for _, g := range p.globals {
		i.globals = append(i.globals, global(g.Name))
	}
	if err != nil {
		return nil, errors.Join(err, i.close(ctx))
	}
	return i, nil
}

// export is a function of an instance. What wazero makes of one has a stack of
// its own, so it is made once, and must not be entered while it runs.
type export struct {
	function api.Function
	busy     bool
	stack    [3]uint64
}

// maxStack is the largest stack that is kept between calls.
const maxStack = 64 << 10

// stackBytes is how large the function's stack has grown. wazero does not
// tell, so this looks inside; where it finds nothing, it says 0.
func (x *export) stackBytes() int {
	v := reflect.Indirect(reflect.ValueOf(x.function))
	if v.Kind() != reflect.Struct {
		return 0
	}
	if s := v.FieldByName("stack"); s.IsValid() && s.Kind() == reflect.Slice {
		return s.Len()
	}
	return 0
}

// export finds a function, or nil.
func (i *instance) export(name string) *export {
	x := i.exports[name]
	if x == nil {
		f := i.module.ExportedFunction(name)
		if f == nil {
			return nil
		}
		x = &export{function: f}
		i.exports[name] = x
	}
	return x
}

// adopt sets the globals to what the program begins with.
func (i *instance) adopt() {
	for n, g := range i.globals {
		g.Set(i.of.values[n])
	}
}

// reset undoes all a call may have done: memory, its growth, globals. There is
// no other state, since the profile knows nothing that changes tables or
// segments.
func (i *instance) reset() error {
	used := uint64(i.Memory().Size())
	if size := i.of.image.size(); used != size {
		// wazero cannot shrink, but it adopts what the allocator answers. The
		// module declares one page more than it can get, so this gets there.
		i.memory.shrink(true)
		_, ok := i.Memory().Grow(1)
		i.memory.shrink(false)
		if !ok || uint64(i.Memory().Size()) != size {
			return errors.New("memory did not shrink")
		}
	}
	i.adopt()
	for name, x := range i.exports {
		if x.stackBytes() > maxStack {
			delete(i.exports, name)
		}
	}
	return i.memory.restore(used)
}

// close frees the instance and its memory.
func (i *instance) close(ctx context.Context) error {
	return i.module.Close(context.WithoutCancel(ctx))
}
