package main

import (
	"context"
	"math"
)

// upload is how many times the CPU time of theirs ours takes to accept code:
// to check it, meter it and compile it, and here also to initialise it. Both
// sides forget the code after each time, so that it is new to them again.
func upload(ctx context.Context, from source, rounds int) (figure, error) {
	code, err := from.load(ctx)
	if err != nil {
		return figure{}, err
	}
	e, err := newEngine(ctx)
	if err != nil {
		return figure{}, err
	}
	defer func() { _ = e.Close(context.Background()) }()
	vm, stop, err := newVM()
	if err != nil {
		return figure{}, err
	}
	defer stop()
	ours := func() error {
		c, err := e.Compile(ctx, code)
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}
	theirs := func() error {
		sum, _, err := vm.StoreCode(code, math.MaxUint64)
		if err != nil {
			return err
		}
		return vm.RemoveCode(sum)
	}
	f, err := compare(ctx, rounds, ours, theirs)
	return f.inverse(), err
}
