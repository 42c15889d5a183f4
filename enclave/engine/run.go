package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Run makes one call. A refusal by the contract is a ContractError, a call
// that broke off a TrapError; any other error is the node's or the caller's
// and says nothing about the contract. With either of the first two,
// Outcome.GasUsed is what the call has taken.
func (e *Engine) Run(ctx context.Context, c *Contract, call Call) (Outcome, error) {
	if err := call.check(); err != nil {
		return Outcome{}, fmt.Errorf("calling a contract: %w", err)
	}
	arguments, err := call.arguments(c)
	if err != nil {
		return Outcome{}, fmt.Errorf("calling a contract: %w", err)
	}
	if !c.exports[string(call.Entry)] {
		return Outcome{}, &TrapError{Entry: call.Entry, Reason: "the contract has no such entry point", kind: "no such entry point"}
	}
	if call.GasLimit == 0 {
		call.GasLimit = e.cfg.GasLimit
	}
	inst, err := e.instances.take(ctx, c)
	if err != nil {
		if ctx.Err() != nil {
			return Outcome{}, context.Cause(ctx)
		}
		return Outcome{}, fmt.Errorf("starting a contract: %w", err)
	}
	f := e.newFrame(ctx, c, inst, int64(call.GasLimit))
	answer, err := f.enter(call, arguments)
	err = f.ended(err)
	used := f.used()
	e.instances.release(ctx, inst, err == nil)
	if err != nil {
		return Outcome{GasUsed: used}, e.explain(ctx, c, call.Entry, err)
	}
	out, err := decode(call.Entry, answer)
	if err == nil {
		out.Private = f.private
	}
	out.GasUsed = used
	return out, err
}

// enter runs the entry point and copies its answer out.
func (f *frame) enter(call Call, arguments [][]byte) ([]byte, error) {
	f.store, f.querier = call.Store, call.Querier
	f.readOnly = call.Entry == Query
	f.clock, f.extensions = call.Env.TimeNanos, call.Extensions
	var params [3]uint64
	for i, b := range arguments {
		p, err := f.put(b)
		if err != nil {
			return nil, err
		}
		params[i] = uint64(p)
	}
	p, err := f.invoke(string(call.Entry), params[:len(arguments)]...)
	if err != nil {
		return nil, err
	}
	return f.read(p, maxResult)
}

func (c *Call) check() error {
	switch {
	case !c.Entry.known():
		return fmt.Errorf("no entry point %q", c.Entry)
	case c.Store == nil:
		return errors.New("no store")
	case c.Entry.params() == 3 && c.Info == nil:
		return fmt.Errorf("%s without the sender", c.Entry)
	case c.GasLimit > math.MaxInt64:
		return fmt.Errorf("a gas limit of %d", c.GasLimit)
	}
	return nil
}
