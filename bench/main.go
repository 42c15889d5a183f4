// Command bench measures the contract engine beside the one that CosmWasm
// chains use, wasmvm, in one process: the same binaries, over the same store,
// JSON on both sides, in rounds that take turns. One line a figure, "name
// value unit".
//
// It is a module of its own because wasmvm is linked with cgo. It must never
// be imported, and nothing of it may be part of a program.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// line is one figure: what it is called, how to measure it, and in what.
type line struct {
	name    string
	unit    string
	measure func(ctx context.Context) (figure, error)
}

func main() {
	only := flag.String("only", "", "measure only figures whose name begins so")
	rounds := flag.Int("rounds", 21, "rounds of each comparison; the median counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, rounds int) error {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return fmt.Errorf("reading the load: %w", err)
	}
	fmt.Println("load/average", strings.Fields(string(load))[0], "processes")
	for _, l := range lines(rounds) {
		if !strings.HasPrefix(l.name, only) {
			continue
		}
		v, err := l.measure(ctx)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", l.name, err)
		}
		fmt.Printf("%s %.3g %s\n", l.name, v.value, l.unit)
		if v.ours > 0 {
			fmt.Printf("%s/ours %.4g us\n%s/theirs %.4g us\n", l.name, v.ours/1000, l.name, v.theirs/1000)
		}
	}
	return nil
}
