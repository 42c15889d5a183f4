package main

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/phala-go/phala/enclave/engine"
)

// subject is something whose gas and time are measured.
type subject struct {
	name string
	// gas and time are of one run, which must begin as every other does.
	run func() (gas uint64, err error)
	// judged says that it must be in step with the others.
	judged bool
}

// figure is what came out for a subject.
type figure struct {
	name   string
	gas    float64 // of one run
	micros float64 // of one run
	rate   float64 // gas for a microsecond
	ratio  float64 // of this rate to the reference's
	judged bool
}

// clock is the CPU time of this thread in nanoseconds. The kernel's account of
// resources (getrusage) counts in ticks here and there; this one does not.
func clock() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return t.Nano()
}

func once(s subject) (gas, nanos float64, err error) {
	begin := clock()
	used, err := s.run()
	nanos = float64(clock() - begin)
	if err != nil {
		return 0, 0, fmt.Errorf("running %s: %w", s.name, err)
	}
	if nanos <= 0 {
		return 0, 0, fmt.Errorf("running %s: the clock of the thread stands still", s.name)
	}
	return float64(used), nanos, nil
}

// measure runs each subject in turns with the reference, which other people's
// load on the machine slows as much, and takes medians of the ratios.
func measure(subjects []subject, reference subject, rounds int) ([]figure, error) {
	var rates []float64 // of the reference
	ratios := make([][]float64, len(subjects))
	times := make([][]float64, len(subjects))
	used := make([]float64, len(subjects))
	for i, s := range subjects {
		for round := range rounds + 3 {
			refGas, refTime, err := once(reference)
			if err != nil {
				return nil, err
			}
			gas, nanos, err := once(s)
			if err != nil {
				return nil, err
			}
			if round < 3 { // instances learn which pages they write
				continue
			}
			used[i] = gas
			rates = append(rates, refGas/refTime*1000)
			ratios[i] = append(ratios[i], (gas/nanos)/(refGas/refTime))
			times[i] = append(times[i], nanos/1000)
		}
	}
	out := make([]figure, len(subjects))
	unit := median(rates)
	for i, s := range subjects {
		ratio := median(ratios[i])
		out[i] = figure{name: s.name, gas: used[i], micros: median(times[i]), rate: ratio * unit, ratio: ratio, judged: s.judged}
	}
	return out, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// call makes one call of a contract and gives its gas.
func call(e *engine.Engine, c *engine.Contract, in engine.Call) (uint64, error) {
	in.GasLimit = 1 << 50
	out, err := e.Run(context.Background(), c, in)
	return out.GasUsed, err
}
