package engine

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// What initialisation may use: about half a second. It is the code's alone, so
// that all workers agree on it.
const initialGas = 1_000_000_000

// warmBytes is how much a program has allocated and freed once before its
// image is taken, so that its heap need not grow in every call.
const warmBytes = 48 << 10

// program is a contract ready to run: machine code, and the memory and the
// globals from which every call starts.
type program struct {
	contract *Contract
	compiled wazero.CompiledModule
	image    image
	globals  []meter.Global
	values   []uint64
	size     int64 // bytes of RAM, about

	// Guarded by the pool.
	idle  []*instance
	users int
	gone  bool
}

// load compiles a rewritten module, initialises it and takes its image.
func (e *Engine) load(ctx context.Context, c *Contract, m *meter.Module) (*program, error) {
	compiled, err := e.runtime.CompileModule(ctx, m.Wasm)
	switch {
	case ctx.Err() != nil: // the caller gave up: nothing is known about the code
		return nil, errors.Join(context.Cause(ctx), discard(compiled))
	case err != nil:
		return nil, refuse("%v", err)
	}
	if reasons := mismatches(e.host, compiled); len(reasons) > 0 {
		return nil, errors.Join(&CodeError{Reasons: reasons}, discard(compiled))
	}
	c.shape.Do(func() { c.migrateInfo = informed(compiled) })
	p := &program{contract: c, compiled: compiled, globals: m.Globals}
	if err := e.prepare(ctx, p, m); err != nil {
		return nil, errors.Join(err, discard(compiled))
	}
	// Machine code takes about six times the module it comes from.
	p.size = 6*int64(len(m.Wasm)) + int64(p.image.size())
	return p, nil
}

// discard frees compiled code whether or not the caller still waits.
func discard(m wazero.CompiledModule) error {
	if m == nil {
		return nil
	}
	return m.Close(context.Background())
}

// prepare takes the image of a first instance.
func (e *Engine) prepare(ctx context.Context, p *program, m *meter.Module) error {
	inst, err := e.begin(ctx, p, m)
	if err != nil {
		return err
	}
	content, ok := inst.Memory().Read(0, inst.Memory().Size())
	if !ok {
		return errors.Join(errors.New("reading a memory"), inst.close(ctx))
	}
	p.image = e.newImage(content, m.MaxPages)
	for _, g := range inst.globals {
		p.values = append(p.values, g.Get())
	}
	return inst.close(ctx)
}

// begin makes an instance from nothing and initialises it. It sees the code
// and nothing of any call, not even its time.
func (e *Engine) begin(ctx context.Context, p *program, m *meter.Module) (*instance, error) {
	first, err := firstImage(m)
	if err != nil {
		return nil, refuse("%v", err)
	}
	mem, err := first.memory()
	if err != nil {
		return nil, err
	}
	inst, err := e.instantiate(ctx, p, mem)
	if err != nil {
		return nil, refuse("%v", err)
	}
	f := e.newFrame(ctx, p.contract, inst, initialGas)
	f.store, f.readOnly = noStore{}, true
	if err := f.ended(p.contract.initialise(f)); err != nil {
		err = e.explain(ctx, p.contract, initialise, err)
		if ctx.Err() == nil {
			err = refuse("it does not start: %v", err)
		}
		return nil, errors.Join(err, inst.close(ctx))
	}
	return inst, nil
}

func (c *Contract) initialise(f *frame) error {
	if c.reactor {
		if _, err := f.invoke(initialise); err != nil {
			return err
		}
	}
	ptr, err := f.invoke("allocate", warmBytes)
	if err != nil {
		return err
	}
	_, err = f.invoke("deallocate", uint64(ptr))
	return err
}

// close frees the program. No instance of it is in use.
func (p *program) close(ctx context.Context) error {
	var errs []error
	for _, i := range p.idle {
		errs = append(errs, i.close(ctx))
	}
	p.idle = nil
	return errors.Join(append(errs, p.image.close(), discard(p.compiled))...)
}

// noStore is the state that initialisation sees.
type noStore struct{}

func (noStore) Get([]byte) ([]byte, bool)                           { return nil, false }
func (noStore) Set(_, _ []byte)                                     {}
func (noStore) Delete([]byte)                                       {}
func (noStore) Ascend(_, _ []byte, _ func(key, value []byte) bool)  {}
func (noStore) Descend(_, _ []byte, _ func(key, value []byte) bool) {}
