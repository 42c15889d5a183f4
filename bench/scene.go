package main

import (
	"context"
	"fmt"

	"github.com/phala-go/phala/enclave/engine"
)

// source gives code.
type source interface {
	load(ctx context.Context) ([]byte, error)
}

// scene is a call that is repeated, and what comes before it.
type scene struct {
	ours, theirs source
	init         string
	entry        engine.Entry
	msg          string
}

func transfer(ours source) scene {
	return token(ours, engine.Execute, fmt.Sprintf(`{"transfer":{"recipient":%q,"amount":"1"}}`, account("bob")))
}

func balance(ours source) scene {
	return token(ours, engine.Query, fmt.Sprintf(`{"balance":{"address":%q}}`, account("alice")))
}

func token(ours source, entry engine.Entry, msg string) scene {
	return scene{ours, cw20, fmt.Sprintf(
		`{"name":"Cash Token","symbol":"CASH","decimals":9,"initial_balances":[{"address":%q,"amount":"1000000000000000"}]}`, account("alice"),
	), entry, msg}
}

func argon2() scene {
	return scene{cyberpunk, cyberpunk, `{}`, engine.Execute, `{"argon2":{"mem_cost":256,"time_cost":5}}`}
}

func hackInit() string {
	return fmt.Sprintf(`{"verifier":%q,"beneficiary":%q}`, account("alice"), account("bob"))
}

// pair is a scene set up in both engines.
type pair struct {
	ours, theirs func() error
	close        func()
}

func (s scene) set(ctx context.Context) (*pair, error) {
	mine, err := s.ours.load(ctx)
	if err != nil {
		return nil, err
	}
	other, err := s.theirs.load(ctx)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(ctx)
	if err != nil {
		return nil, err
	}
	vm, stop, err := newVM()
	if err != nil {
		return nil, err
	}
	p := &pair{close: func() { stop(); _ = e.Close(context.Background()) }}
	l, err := newLocal(ctx, e, mine)
	if err == nil {
		p.ours, err = s.start(l)
	}
	if err != nil {
		return nil, fmt.Errorf("in our engine: %w", err)
	}
	t, err := newPeer(vm, other)
	if err == nil {
		p.theirs, err = s.start(t)
	}
	if err != nil {
		return nil, fmt.Errorf("in wasmvm: %w", err)
	}
	return p, nil
}

// start instantiates the contract and gives the call.
func (s scene) start(c contract) (func() error, error) {
	state := store{}
	if _, err := c.call(engine.Instantiate, s.init, state); err != nil {
		return nil, err
	}
	return func() error { _, err := c.call(s.entry, s.msg, state); return err }, nil
}

// faster is how many times the CPU time of ours theirs takes.
func (s scene) faster(ctx context.Context, rounds int) (figure, error) {
	p, err := s.set(ctx)
	if err != nil {
		return figure{}, err
	}
	defer p.close()
	return compare(ctx, rounds, p.ours, p.theirs)
}

// slower is how many times the CPU time of theirs ours takes.
func (s scene) slower(ctx context.Context, rounds int) (figure, error) {
	f, err := s.faster(ctx, rounds)
	return f.inverse(), err
}
