package engine

import (
	"container/list"
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// overhead is what an idle instance takes beside its memory: stacks of its
// functions and wazero's own.
const overhead = 64 << 10

// pool keeps programs and idle instances of them, those used last before all
// others, within a bound on RAM. What a running call may come to use is
// counted in full.
type pool struct {
	engine *Engine

	mu       sync.Mutex
	programs list.List // of *Contract, the one used last in front
	used     int64     // bytes
	closed   bool
	running  sync.WaitGroup
}

var errClosed = errors.New("the engine is closed")

func (p *pool) take(ctx context.Context, c *Contract) (*instance, error) {
	prog, inst, err := p.reserve(ctx, c)
	if err != nil || inst != nil {
		return inst, err
	}
	mem, err := prog.image.memory()
	if err == nil {
		if inst, err = p.engine.instantiate(ctx, prog, mem); err == nil {
			inst.adopt()
			return inst, nil
		}
	}
	p.leave(ctx, prog, nil)
	return nil, err
}

// reserve finds the program, loading it if it had to leave, and takes an idle
// instance of it if there is one.
func (p *pool) reserve(ctx context.Context, c *Contract) (*program, *instance, error) {
	for {
		p.mu.Lock()
		switch {
		case p.closed:
			p.mu.Unlock()
			return nil, nil, errClosed
		case c.closed:
			p.mu.Unlock()
			return nil, nil, errors.New("the contract is closed")
		case c.program != nil:
			prog, inst := p.enter(c)
			p.shed(ctx)
			p.mu.Unlock()
			return prog, inst, nil
		}
		p.mu.Unlock()
		if err := p.reload(ctx, c); err != nil {
			return nil, nil, err
		}
	}
}

func (p *pool) enter(c *Contract) (*program, *instance) {
	prog := c.program
	p.programs.MoveToFront(c.place)
	prog.users++
	p.running.Add(1)
	p.used += p.engine.memoryBytes()
	n := len(prog.idle)
	if n == 0 {
		return prog, nil
	}
	inst := prog.idle[n-1]
	prog.idle = prog.idle[:n-1]
	p.used -= inst.memory.kept() + overhead
	return prog, inst
}

func (p *pool) admit(ctx context.Context, c *Contract, m *meter.Module) error {
	prog, err := p.engine.load(ctx, c, m)
	if err != nil {
		return err
	}
	return p.add(ctx, c, prog)
}

// reload compiles a contract again, once even if many wait for it.
func (p *pool) reload(ctx context.Context, c *Contract) error {
	c.loading.Lock()
	defer c.loading.Unlock()
	p.mu.Lock()
	there := c.program != nil || c.closed || p.closed
	p.mu.Unlock()
	if there {
		return nil
	}
	m, err := meter.Rewrite(c.code, p.engine.metering())
	if err != nil {
		return err
	}
	return p.admit(ctx, c, m)
}

// add makes a program known.
func (p *pool) add(ctx context.Context, c *Contract, prog *program) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.closed {
		return errors.Join(errClosed, prog.close(ctx))
	}
	c.program = prog
	c.place = p.programs.PushFront(c)
	p.used += prog.size
	p.shed(ctx)
	return nil
}

func (p *pool) release(ctx context.Context, inst *instance, sound bool) {
	if !sound || inst.reset() != nil {
		_ = inst.close(ctx)
		p.leave(ctx, inst.of, nil)
		return
	}
	p.leave(ctx, inst.of, inst)
}

// leave ends a use of a program and keeps the instance, if there is room.
func (p *pool) leave(ctx context.Context, prog *program, inst *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.running.Done()
	prog.users--
	p.used -= p.engine.memoryBytes()
	switch {
	case inst == nil:
	case prog.gone || len(prog.idle) == p.engine.cfg.Instances:
		_ = inst.close(ctx)
	default:
		prog.idle = append(prog.idle, inst)
		p.used += inst.memory.kept() + overhead
	}
	if prog.gone && prog.users == 0 {
		_ = prog.close(ctx)
	}
	p.shed(ctx)
}

// shed lets programs go that were not used for longest, until what is left
// fits. Those in use stay, and so does the last one; of these it then closes
// the instances that lie idle. What a running call has cannot be taken from it:
// the caller bounds how many run.
func (p *pool) shed(ctx context.Context) {
	for at := p.programs.Back(); at != nil && p.used > p.engine.cfg.MaxRAM; {
		c := at.Value.(*Contract)
		at = at.Prev()
		if c.program.users == 0 && p.programs.Len() > 1 {
			_ = p.evict(ctx, c)
		}
	}
	for at := p.programs.Back(); at != nil; at = at.Prev() {
		p.thin(ctx, at.Value.(*Contract).program)
	}
}

// thin closes idle instances until what is left fits.
func (p *pool) thin(ctx context.Context, prog *program) {
	for len(prog.idle) > 0 && p.used > p.engine.cfg.MaxRAM {
		inst := prog.idle[0]
		prog.idle = prog.idle[1:]
		p.used -= inst.memory.kept() + overhead
		_ = inst.close(ctx)
	}
}

// evict forgets a program; it is freed when the last call has left it.
func (p *pool) evict(ctx context.Context, c *Contract) error {
	prog := c.program
	p.programs.Remove(c.place)
	c.program, c.place = nil, nil
	p.used -= prog.size
	for _, i := range prog.idle {
		p.used -= i.memory.kept() + overhead
	}
	prog.gone = true
	if prog.users > 0 {
		return nil
	}
	return prog.close(ctx)
}

func (p *pool) forget(ctx context.Context, c *Contract) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.closed = true
	if c.program == nil {
		return nil
	}
	return p.evict(ctx, c)
}

// close waits for the calls that run: their memory cannot be taken from them.
func (p *pool) close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for p.programs.Len() > 0 {
		errs = append(errs, p.evict(ctx, p.programs.Front().Value.(*Contract)))
	}
	return errors.Join(errs...)
}

// defaultInstances lets every processor have one and nested calls another.
func defaultInstances() int { return 2 * runtime.GOMAXPROCS(0) }
