package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// frame is one use of an instance: what its host functions work on. It lives
// as long as the call and is reached through the call's context.
type frame struct {
	ctx       context.Context // carries the frame itself into the guest
	contract  *Contract
	instance  *instance
	store     Store
	querier   Querier
	readOnly  bool
	iters     []*iterator
	iterBytes int
	clock     uint64        // nanoseconds
	random    *rand.ChaCha8 // what random_get gives: a function of the code alone

	extensions Extensions
	draws      uint32 // of random values
	private    []PrivateEvent

	table  *meter.Table
	limit  int64 // of gas
	guard  time.Duration
	start  time.Time
	visits int // of the host
}

type frameKey struct{}

// newFrame binds a frame to a context and gives the instance its gas. Each
// starts the stream of random_get anew, so that a call cannot tell a new
// instance from a restored one.
func (e *Engine) newFrame(ctx context.Context, c *Contract, inst *instance, gas int64) *frame {
	f := &frame{contract: c, instance: inst, clock: 1, table: &e.table, limit: gas, guard: e.cfg.CallTimeout, start: time.Now()}
	f.ctx = context.WithValue(ctx, frameKey{}, f)
	inst.gas.Set(uint64(gas))
	inst.depth.Set(meter.StackSlots)
	return f
}

func frameOf(ctx context.Context) *frame { return ctx.Value(frameKey{}).(*frame) }

// invoke calls an export of at most three i32 that gives one or nothing.
func (f *frame) invoke(name string, params ...uint64) (uint32, error) {
	x := f.instance.export(name)
	switch {
	case x == nil:
		return 0, fault("the contract does not export %s", name)
	case x.busy:
		return 0, fault("%s would have to be called from within itself", name)
	}
	x.busy = true
	x.stack = [3]uint64{}
	copy(x.stack[:], params)
	err := x.function.CallWithStack(f.ctx, x.stack[:])
	x.busy = false
	return uint32(x.stack[0]), err // the upper half of the slot is undefined
}

// dice is the stream of random_get.
func (f *frame) dice() *rand.ChaCha8 {
	if f.random == nil {
		f.random = rand.NewChaCha8(f.contract.seed)
	}
	return f.random
}

var (
	errOutOfGas = errors.New("out of gas")
	errTooDeep  = errors.New("calls are nested too deeply")
	errGuard    = errors.New("the wall-clock guard")
)

// left is the gas that is left; negative means none.
func (f *frame) left() int64 { return int64(f.instance.gas.Get()) }

// used is the gas the call has taken.
func (f *frame) used() uint64 { return uint64(f.limit - max(f.left(), 0)) }

// spend takes gas for n pieces of work of a class.
func (f *frame) spend(class meter.Class, n int) error {
	return f.pay(f.table.Cost[class] * int64(n))
}

func (f *frame) pay(gas int64) error {
	left := f.left()
	if left < 0 || left < gas {
		f.instance.gas.Set(^uint64(0))
		return errOutOfGas
	}
	f.instance.gas.Set(uint64(left - gas))
	return nil
}

// visit is what comes before every host function.
func (f *frame) visit(charge price, a args) error {
	// The last resort, against what gas is wrong about.
	if f.visits++; f.visits%16 == 0 {
		if f.ctx.Err() != nil || f.guard > 0 && time.Since(f.start) > f.guard {
			return errGuard
		}
	}
	if charge == nil {
		return f.pay(0)
	}
	return charge(f, a)
}

// ended judges how a call ended that came back with err.
func (f *frame) ended(err error) error {
	var node *hostFault
	if errors.As(err, &node) {
		return err
	}
	switch meter.Judge(f.instance.gas.Get(), f.instance.depth.Get()) {
	case meter.OutOfGas:
		return errors.Join(errOutOfGas, err)
	case meter.TooDeep:
		return errors.Join(errTooDeep, err)
	}
	return err
}

// explain turns what a call into the guest came back with into one of ours.
func (e *Engine) explain(ctx context.Context, c *Contract, entry Entry, err error) error {
	var node *hostFault
	var ours *abiFault
	trap := &TrapError{Entry: entry, frames: frames(err), code: c.code}
	switch {
	case ctx.Err() != nil: // the caller gave up: nothing is known about the contract
		return context.Cause(ctx)
	case errors.As(err, &node):
		return node.err
	case errors.Is(err, errOutOfGas):
		trap.Reason, trap.OutOfGas = "out of gas", true
	case errors.Is(err, errTooDeep):
		trap.Reason = errTooDeep.Error()
	case errors.Is(err, errGuard):
		trap.Reason, trap.Timeout = fmt.Sprintf("ran for longer than %s", e.cfg.CallTimeout), true
	case errors.As(err, &ours):
		trap.Reason, trap.kind = ours.reason, "wrong use of the host"
		if ours.said {
			trap.kind = "panic"
		}
		return trap
	default:
		trap.Reason = firstLine(err)
	}
	trap.kind = trap.Reason
	return trap
}
