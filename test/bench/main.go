// Command bench measures what the project promises to be fast: one line a figure, "name value unit". It says the machine's load
// first, since busy machines lie. It must never be run beside anything whose figures count.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// figure is what one measurement found.
type figure struct {
	name  string
	value float64
	unit  string
}

// group measures figures that come together; names are what it finds, in that order.
type group struct {
	names   []string
	measure func(ctx context.Context, report func(figure)) error
}

func main() {
	only := flag.String("only", "", "measure only figures whose name begins so")
	bin := flag.String("bin", os.Getenv("PHALA_BIN"), "folder of the programs (default $PHALA_BIN)")
	calls := flag.Int("calls", 20, "calls for call/…")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *bin, *calls); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, bin string, calls int) error {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return fmt.Errorf("reading the load: %w", err)
	}
	fmt.Println("load/average", strings.Fields(string(load))[0], "processes")
	groups := append(append(append(append(rules(), keys()...), dcap()...), sevsnp()...), newMember(bin), generation(bin), network(bin, calls), queries(bin))
	for _, g := range groups {
		if !g.wanted(only) {
			continue
		}
		err := g.measure(ctx, func(f figure) {
			if strings.HasPrefix(f.name, only) {
				fmt.Printf("%s %.4g %s\n", f.name, f.value, f.unit)
			}
		})
		if err != nil {
			return fmt.Errorf("measuring %s: %w", strings.Join(g.names, ", "), err)
		}
		if err := ctx.Err(); err != nil {
			return errors.New("interrupted")
		}
	}
	return nil
}

func (g group) wanted(prefix string) bool {
	for _, n := range g.names {
		if strings.HasPrefix(n, prefix) {
			return true
		}
	}
	return false
}
