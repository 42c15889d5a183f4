package engine

import (
	"context"
	"errors"
	"fmt"
)

// Run makes one call. A refusal by the contract is a ContractError, a call
// that broke off a TrapError; any other error is the node's or the caller's
// and says nothing about the contract.
func (e *Engine) Run(ctx context.Context, c *Contract, call Call) (Outcome, error) {
	if err := call.check(); err != nil {
		return Outcome{}, fmt.Errorf("calling a contract: %w", err)
	}
	arguments, err := call.arguments(c)
	if err != nil {
		return Outcome{}, fmt.Errorf("calling a contract: %w", err)
	}
	if c.compiled.ExportedFunctions()[string(call.Entry)] == nil {
		return Outcome{}, &TrapError{Entry: call.Entry, Reason: "the contract has no such entry point"}
	}
	inner, cancel := context.WithTimeout(ctx, e.cfg.CallTimeout)
	defer cancel()
	answer, err := e.enter(inner, c, call, arguments)
	if err != nil {
		return Outcome{}, e.explain(inner, ctx, call.Entry, err)
	}
	return decode(call.Entry, answer)
}

// enter runs the entry point on an instance and copies its answer out.
func (e *Engine) enter(ctx context.Context, c *Contract, call Call, arguments [][]byte) ([]byte, error) {
	inst, err := e.instances.take(ctx, c)
	if err != nil {
		return nil, err
	}
	defer e.instances.release(ctx, inst)
	f := newFrame(ctx, c, inst)
	f.store, f.querier = call.Store, call.Querier
	f.readOnly = call.Entry == Query
	f.clock = call.Env.TimeNanos
	params := make([]uint64, len(arguments))
	for i, b := range arguments {
		p, err := f.put(b)
		if err != nil {
			return nil, err
		}
		params[i] = uint64(p)
	}
	p, err := f.invoke(string(call.Entry), params...)
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
	}
	return nil
}
