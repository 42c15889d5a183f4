package engine

import (
	"context"
	"sync"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// fresh makes and initialises an instance for each call and throws it away:
// what a pool must not be told from.
type fresh struct {
	*pool
	modules *sync.Map // *Contract to *meter.Module
}

// unpool makes an engine keep no instances.
func unpool(e *Engine) {
	if p, ok := e.instances.(*pool); ok {
		e.instances = fresh{p, &sync.Map{}}
	}
}

func (f fresh) take(ctx context.Context, c *Contract) (*instance, error) {
	m, ok := f.modules.Load(c)
	if !ok {
		rewritten, err := meter.Rewrite(c.code, f.engine.metering())
		if err != nil {
			return nil, err
		}
		m, _ = f.modules.LoadOrStore(c, rewritten)
	}
	return f.engine.begin(ctx, c.program, m.(*meter.Module))
}

func (fresh) release(ctx context.Context, inst *instance, _ bool) { _ = inst.close(ctx) }
