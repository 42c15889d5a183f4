// Command demo shows the sealed-bid auction on a whole network of its own and ends by itself: exit code 0 if every fact that it
// tells is true.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/phala-go/phala/devnet"
	"github.com/phala-go/phala/examples/auction/story"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	bin := flag.String("bin", "bin", "folder with the programs")
	bidsFile := flag.String("bids", "", "CSV file of bidder,amount (default: examples/auction/bids.csv)")
	output := flag.String("o", "text", "text or json")
	pause := flag.Bool("pause", false, "wait for Enter before each heading")
	keep := flag.Bool("keep", false, "keep the network's folder")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	began := time.Now()

	bids, err := readBids(*bidsFile)
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "phala-demo-")
	if err != nil {
		return err
	}
	if *keep {
		fmt.Fprintln(os.Stderr, "the network's folder:", home)
	} else {
		defer os.RemoveAll(home)
	}
	module := make(chan built, 1)
	go func() { m, err := story.Build(ctx, home); module <- built{m, err} }()
	p := &printer{w: os.Stdout, json: *output == "json", pause: *pause}
	p.colour = !p.json && term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
	p.line("Starting a network: a validator, a gatekeeper and three executors.  SIMULATED TEE: it protects nothing.")
	n, liar, err := story.StartNetwork(ctx, filepath.Join(home, "net"), *bin)
	if err != nil {
		return err
	}
	defer liar.Close()
	defer n.Stop()
	p.line(fmt.Sprintf("First block after %.1f s, all enclaves attested and keyed after %.1f s.", time.Duration(n.FirstBlock).Seconds(), time.Duration(n.Ready).Seconds()))
	m := <-module
	if m.err != nil {
		return m.err
	}
	err = story.Run(ctx, story.Config{Network: n, Module: m.module, Bids: bids, Liar: liar, Heading: p.heading, Tell: p.fact})
	if down := n.Err(); down != nil {
		return down
	}
	if err != nil {
		return err
	}
	return p.end(n, time.Since(began))
}

type built struct {
	module []byte
	err    error
}

func readBids(file string) ([]story.Bid, error) {
	if file == "" {
		return story.DefaultBids()
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return story.ReadBids(f)
}

// printer tells the story to a person, or gathers it for a machine.
type printer struct {
	w                   io.Writer
	json, colour, pause bool
	facts               []story.Fact
}

func (p *printer) line(s string) {
	if !p.json {
		fmt.Fprintln(p.w, s)
	}
}

func (p *printer) heading(n int, title string) {
	if p.json {
		return
	}
	if p.pause && n > 1 {
		_, _ = fmt.Scanln()
	}
	bold, plain := "", ""
	if p.colour {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	fmt.Fprintf(p.w, "\n%s%d. %s%s\n", bold, n, title, plain)
}

func (p *printer) fact(f story.Fact) {
	p.facts = append(p.facts, f)
	if p.json {
		return
	}
	mark, dim, plain := "ok", "", ""
	if p.colour {
		mark, dim, plain = "\x1b[32mok\x1b[0m", "\x1b[2m", "\x1b[0m"
	}
	fmt.Fprintf(p.w, "   %s  %s\n", mark, f.Text)
	if f.Detail != "" {
		fmt.Fprintf(p.w, "       %s%s%s\n", dim, f.Detail, plain)
	}
}

func (p *printer) end(n *devnet.Network, took time.Duration) error {
	if p.json {
		return json.NewEncoder(p.w).Encode(map[string]any{
			"facts": p.facts, "tee": "simulated", "first_block_ms": n.FirstBlock, "ready_ms": n.Ready,
			"memory_bytes": n.Memory(), "total_ms": took.Milliseconds(),
		})
	}
	p.line(fmt.Sprintf("\nAll %d facts hold, each checked while it was told. %.0f s, %d MiB for the whole network.", len(p.facts), took.Seconds(), n.Memory()>>20))
	return nil
}
