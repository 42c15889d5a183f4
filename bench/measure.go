package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// cpu is what this process has used of processors, all threads together.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0 // cannot be, for this process
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// inverse makes ours over theirs of theirs over ours.
func (f figure) inverse() figure { f.value = 1 / f.value; return f }

// turn is for how long one side works before it is the other's turn.
const turn = 40 * time.Millisecond

// figure is what a measurement gives: in a comparison with both sides' CPU time
// of one call, in nanoseconds, else without.
type figure struct{ value, ours, theirs float64 }

// compare gives the CPU time of one call of theirs over one of ours: the median
// over rounds of both, so that what else the machine does meets both alike.
// Garbage is collected in the turn of who made it.
func compare(ctx context.Context, rounds int, ours, theirs func() error) (figure, error) {
	var ratios, mine, other []float64
	for round := range rounds + 1 {
		var cost [2]float64
		for i, f := range []func() error{ours, theirs} {
			c, err := costOf(ctx, f)
			if err != nil {
				return figure{}, err
			}
			cost[i] = c
		}
		if round > 0 { // the first one warms
			ratios = append(ratios, cost[1]/cost[0])
			mine, other = append(mine, cost[0]), append(other, cost[1])
		}
	}
	return figure{median(ratios), median(mine), median(other)}, nil
}

// costOf is the CPU time of one call, in nanoseconds.
func costOf(ctx context.Context, f func() error) (float64, error) {
	runtime.GC()
	began, used, n := time.Now(), cpu(), 0
	for n < 2 || time.Since(began) < turn {
		if err := f(); err != nil {
			return 0, err
		}
		n++
	}
	runtime.GC()
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("measuring: %w", err)
	}
	return float64(cpu()-used) / float64(n), nil
}
