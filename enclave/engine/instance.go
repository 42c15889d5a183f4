package engine

import (
	"context"
	"math/rand/v2"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// provider hands out instances that stand where initialisation has left them.
// A contract must not be able to tell one provider from another.
type provider interface {
	take(ctx context.Context, c *Contract) (api.Module, error)
	// release takes an instance back, in whatever state the call has left it.
	release(ctx context.Context, inst api.Module)
}

// fresh makes an instance for each call and throws it away.
type fresh struct{ runtime wazero.Runtime }

func (p fresh) take(ctx context.Context, c *Contract) (api.Module, error) {
	inst, err := p.runtime.InstantiateModule(ctx, c.compiled, wazero.NewModuleConfig().
		WithName(""). // so that many may live side by side
		WithStartFunctions().
		WithRandSource(rand.NewChaCha8(c.seed))) // or wazero asks the host
	if err != nil || !c.reactor {
		return inst, err
	}
	// Initialisation sees the code and nothing of the call, not even its time.
	if _, err := newFrame(ctx, c, inst).invoke(initialise); err != nil {
		p.release(ctx, inst)
		return nil, err
	}
	return inst, nil
}

func (fresh) release(ctx context.Context, inst api.Module) { _ = inst.Close(ctx) }
