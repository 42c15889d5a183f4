// Command determinism plays recorded calls of contracts in one configuration of the engine and prints what became of them: for each
// record the gas, the root of the state and a digest of every answer, root and count of gas on the way. The test beside it holds
// configurations and processors against each other. It must never print what depends on the machine, or on a clock.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

func main() {
	var c config
	flag.StringVar(&c.contracts, "contracts", "", "folder with the contracts")
	flag.StringVar(&c.mode, "mode", "compiler", "compiler or interpreter")
	flag.StringVar(&c.pool, "pool", "warm", "cold: every call on an instance made for it; or warm")
	flag.IntVar(&c.goroutines, "goroutines", 1, "that play all records at the same time, on one engine")
	flag.BoolVar(&c.calls, "calls", false, "print every call")
	flag.Parse()
	if err := run(context.Background(), c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "determinism:", err)
		os.Exit(1)
	}
}

type config struct {
	contracts, mode, pool string
	goroutines            int
	calls                 bool
}

// run has each goroutine play all records, each beginning with another one, and prints what they agree on.
func run(ctx context.Context, c config, w io.Writer) error {
	if c.goroutines < 1 || c.mode != "compiler" && c.mode != "interpreter" || c.pool != "cold" && c.pool != "warm" {
		return fmt.Errorf("no such configuration: %+v", c)
	}
	all, err := records()
	if err != nil {
		return err
	}
	p, err := newPlayer(ctx, c, all)
	if err != nil {
		return err
	}
	said := make([][]string, c.goroutines)
	errs := make([]error, c.goroutines)
	var group sync.WaitGroup
	for g := range c.goroutines {
		group.Go(func() {
			lines := make([]string, len(all))
			for i := range all {
				i = (i + g*len(all)/c.goroutines) % len(all)
				t, err := p.play(ctx, all[i])
				if err != nil {
					errs[g] = fmt.Errorf("playing %s: %w", all[i].name, err)
					return
				}
				lines[i] = t.String()
				if c.calls {
					lines[i] += t.calls.String()
				}
			}
			said[g] = lines
		})
	}
	group.Wait()
	if err := errors.Join(append(errs, p.close(ctx))...); err != nil {
		return err
	}
	for g, lines := range said {
		if !slices.Equal(lines, said[0]) {
			return fmt.Errorf("two goroutines part: %q and, number %d, %q", said[0], g, lines)
		}
	}
	for _, l := range said[0] {
		fmt.Fprintln(w, l)
	}
	return nil
}
