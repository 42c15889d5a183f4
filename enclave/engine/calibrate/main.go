// Command calibrate measures how much time a unit of gas stands for, class by
// class: loops that do little else, run in the engine as it is, each in turns
// with a reference. It prints a table and ends with 1 if a class is more than a
// factor of 2 from another. It must never be part of what a network runs.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

func main() {
	var o options
	flag.StringVar(&o.only, "only", "", "measure only what begins so")
	flag.IntVar(&o.rounds, "rounds", 20, "runs of each, of which the median counts")
	flag.StringVar(&o.cw20, "cw20", "", "`file` of a token contract in Rust")
	flag.StringVar(&o.argon2, "argon2", "", "`file` of a contract that computes argon2")
	flag.StringVar(&o.auction, "auction", "", "`file` of the auction in Go")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

type options struct {
	only                  string
	rounds                int
	cw20, argon2, auction string
}

// bench is an engine and what contracts find there.
type bench struct {
	engine *engine.Engine
	state  state.Map
	other  *engine.Contract // to be asked
	secret *keytree.Secret
}

func newBench(ctx context.Context) (*bench, error) {
	e, err := engine.New(ctx, engine.Config{Capabilities: []string{"staking", "stargate"}})
	if err != nil {
		return nil, err
	}
	seed := sha256.Sum256([]byte("calibrate"))
	secret, err := keytree.NewSecret(seed[:])
	if err != nil {
		return nil, err
	}
	b := &bench{engine: e, state: state.New(seed[:]), secret: secret}
	for i := range uint32(keys) {
		b.state = b.state.Set([]byte{byte(i), byte(i >> 8), byte(i >> 16), 0, 0, 0, 0, 0}, make([]byte, 64))
	}
	b.state = b.state.Set([]byte(largeKey), make([]byte, 200<<10))
	b.state.Root()
	b.other, err = e.Compile(ctx, (&contract{turns: 1}).bytes())
	return b, err
}

// run measures what o asks for.
func run(o options, w io.Writer) error {
	runtime.LockOSThread() // its CPU time is what counts
	defer runtime.UnlockOSThread()
	ctx := context.Background()
	if err := conditions(w); err != nil {
		return err
	}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.engine.Close(ctx)
	reference, err := b.loop(ctx, "reference", instructions()["Integer"], false)
	if err != nil {
		return err
	}
	subjects, err := b.subjects(ctx, o)
	if err != nil {
		return err
	}
	figures, err := measure(subjects, reference, o.rounds)
	if err != nil {
		return err
	}
	return report(figures, w)
}

// subjects are all that is asked for.
func (b *bench) subjects(ctx context.Context, o options) (out []subject, err error) {
	calls, err := hosted()
	if err != nil {
		return nil, err
	}
	for _, group := range []map[string]*contract{instructions(), calls} {
		for _, name := range names(group) {
			if strings.HasPrefix(name, o.only) {
				s, err := b.loop(ctx, name, group[name], !unjudged[name])
				if err != nil {
					return nil, err
				}
				out = append(out, s)
			}
		}
	}
	mixed, err := b.workloads(ctx, o)
	return append(out, mixed...), err
}

// loop is a subject that calls execute of a contract once. Its time includes
// the new root of the state.
func (b *bench) loop(ctx context.Context, name string, c *contract, judged bool) (subject, error) {
	code, err := b.engine.Compile(ctx, c.bytes())
	if err != nil {
		return subject{}, fmt.Errorf("compiling %s: %w", name, err)
	}
	person := address.Encode(make([]byte, 20))
	return subject{name: name, judged: judged, run: func() (uint64, error) {
		editor := b.state.Edit()
		gas, err := call(b.engine, code, engine.Call{
			Entry: engine.Execute, Info: &engine.Info{}, Msg: []byte(`{}`), Store: editor.Space(nil),
			Querier:    answering{b.engine, b.other, editor.Space(nil)},
			Extensions: engine.Extensions{Secret: b.secret, Random: b.secret, Recipient: person, Events: math.MaxInt32, Bytes: math.MaxInt32},
		})
		editor.Map().Root()
		return gas, err
	}}, nil
}

// unjudged are subjects that no single figure could bring in step with the
// others: they show what hostile code gains.
var unjudged = map[string]bool{"Branch (guessed)": true, "Memory (new pages)": true}
