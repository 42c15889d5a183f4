package engine

import (
	"context"
	"math/rand/v2"

	"github.com/tetratelabs/wazero/api"
)

// frame is one use of an instance: what its host functions work on. It lives
// as long as the call and is reached through the call's context.
type frame struct {
	ctx       context.Context // carries the frame itself into the guest, and dies with it
	instance  api.Module
	store     Store
	querier   Querier
	readOnly  bool
	iters     []*iterator
	iterBytes int
	clock     uint64        // nanoseconds
	random    *rand.ChaCha8 // what random_get gives: a function of the code alone
}

type frameKey struct{}

// newFrame binds a frame to a context. Each starts the stream of random_get
// anew, so that a call cannot tell a new instance from a restored one.
func newFrame(ctx context.Context, c *Contract, inst api.Module) *frame {
	f := &frame{instance: inst, clock: 1, random: rand.NewChaCha8(c.seed)}
	f.ctx = context.WithValue(ctx, frameKey{}, f)
	return f
}

func frameOf(ctx context.Context) *frame { return ctx.Value(frameKey{}).(*frame) }

// invoke calls an export that gives one i32 or nothing.
func (f *frame) invoke(name string, params ...uint64) (uint32, error) {
	out, err := f.instance.ExportedFunction(name).Call(f.ctx, params...)
	if err != nil {
		return 0, err
	}
	if len(out) == 0 {
		return 0, nil
	}
	return uint32(out[0]), nil
}
