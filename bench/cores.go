package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// twoCores is how many times the calls a second of one goroutine two make, on
// one contract and stores of their own: the best spell of each, as every other
// is what else the machine had to do. Spells are short, so that on a machine
// others use too both processors are free for some of them. It is the one
// figure of wall-clock time.
func twoCores(ctx context.Context, s scene, rounds int) (float64, error) {
	code, err := s.ours.load(ctx)
	if err != nil {
		return 0, err
	}
	e, err := newEngine(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = e.Close(context.Background()) }()
	l, err := newLocal(ctx, e, code)
	if err != nil {
		return 0, err
	}
	var calls []func() error
	for range 2 {
		call, err := s.start(l)
		if err != nil {
			return 0, err
		}
		calls = append(calls, call)
	}
	var best [2]float64
	for range 15 * rounds {
		for n := range best {
			v, err := perSecond(calls[:n+1])
			if err != nil {
				return 0, err
			}
			best[n] = max(best[n], v)
		}
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("measuring: %w", err)
		}
	}
	return best[1] / best[0], nil
}

const spell = 8 * time.Millisecond

// perSecond is the calls a second of goroutines that make one kind each.
func perSecond(calls []func() error) (float64, error) {
	errs, rates := make([]error, len(calls)), make([]float64, len(calls))
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(func() {
			began, n := time.Now(), 0
			for ; time.Since(began) < spell && errs[i] == nil; n++ {
				errs[i] = call()
			}
			rates[i] = float64(n) / time.Since(began).Seconds()
		})
	}
	group.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum, errors.Join(errs...)
}
