package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/phala-go/phala/enclave/engine"
)

// idle is the RAM, in MB, that a contract keeps when it was called often
// enough for its instance to have learnt which pages it writes: machine code,
// image, instance, and the share of an engine of its own, which lets two
// copies of one code share nothing.
func idle(ctx context.Context, s scene) (float64, error) {
	const contracts, calls = 6, 16
	code, err := s.ours.load(ctx)
	if err != nil {
		return 0, err
	}
	var engines []*engine.Engine
	defer func() {
		for _, e := range engines {
			_ = e.Close(context.Background())
		}
	}()
	one := func() error {
		e, err := newEngine(ctx)
		if err != nil {
			return err
		}
		engines = append(engines, e)
		l, err := newLocal(ctx, e, code)
		if err != nil {
			return err
		}
		call, err := s.start(l)
		for n := 0; n < calls && err == nil; n++ {
			err = call()
		}
		return err
	}
	if err := one(); err != nil { // what the first one takes for all
		return 0, err
	}
	before, err := resident()
	if err != nil {
		return 0, err
	}
	for range contracts {
		if err := one(); err != nil {
			return 0, err
		}
	}
	after, err := resident()
	if err == nil && after <= before {
		err = errors.New("contracts take no memory: something else has given some up meanwhile")
	}
	return (after - before) / contracts, err
}

// resident is the RAM of this process, in MB.
func resident() (float64, error) {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0, fmt.Errorf("reading what memory is used: %w", err)
	}
	return pages * float64(os.Getpagesize()) / 1e6, nil
}
