// Package channel is an enclave's second door: TLS 1.3 with evidence in its certificate, for clients that want to know to whom they
// talk (docs/spec/attested-channel.md). What comes through it is from strangers: it asks who the enclave is, queries, alone or in
// sessions, or a result, and nothing else. It must never let them near the identity key, nor let them hold up what the host brings.
package channel

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// Runtime is the enclave behind both doors. It is called by one goroutine at a time, but for Ask.
type Runtime interface {
	// Handle answers one In; what concerns the In itself comes first, Done last.
	Handle(ctx context.Context, in *wire.In) []*wire.Out
	// Ask answers a request in a session, and any number of them at a time.
	Ask(ctx context.Context, in *wire.In) []*wire.Out
	// Certificate vouches for a channel's key. An error means that there is no evidence yet, or that the chain stands still.
	Certificate(key ed25519.PublicKey) ([]byte, error)
	// Watch does what must be done though nobody speaks.
	Watch()
}

// maxKept is how many messages for the host are kept at most until it speaks.
const maxKept = 64

// Door lets the host and strangers take turns at a runtime. It is the handler of the host's endpoint. Safe for concurrent use.
type Door struct {
	strangers sync.Mutex // one of them waits for the runtime at a time, so the host waits for one In at most
	mu        sync.Mutex
	runtime   Runtime
	kept      []*wire.Out // for the host, said in answer to strangers
}

// NewDoor makes the one way to a runtime.
func NewDoor(r Runtime) *Door { return &Door{runtime: r} }

// Handle answers the host. What the enclave found to say while it answered strangers comes first.
func (d *Door) Handle(ctx context.Context, in *wire.In) []*wire.Out {
	if d.Apart(in) {
		return d.runtime.Ask(ctx, in)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	outs := append(d.kept, d.runtime.Handle(ctx, in)...)
	d.kept = nil
	return outs
}

// Apart says whether an In is answered at once, without a turn: requests in sessions are, since they change nothing.
func (*Door) Apart(in *wire.In) bool {
	_, is := in.Body.(*wire.In_SessionCall)
	return is
}

// ask answers a stranger with one Out.
func (d *Door) ask(ctx context.Context, in *wire.In) *wire.Out {
	if !allowed(in) {
		return failure(in.Id, "refused", "a channel takes Hello, queries, sessions and ResultCall alone", "use a client of this version")
	}
	if d.Apart(in) {
		return d.runtime.Ask(ctx, in)[0]
	}
	d.strangers.Lock()
	defer d.strangers.Unlock()
	if ctx.Err() != nil {
		return failure(in.Id, "busy", "the enclave is busy", "ask again, or ask another member")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	outs := d.runtime.Handle(ctx, in)
	if len(outs) == 0 || !direct(outs[0]) {
		return failure(in.Id, "refused", "the enclave has no answer", "ask another member")
	}
	for _, o := range outs[1:] {
		if _, done := o.Body.(*wire.Out_Done); !done && len(d.kept) < maxKept {
			o.ReplyTo = 0 // it answers nothing that the host has asked
			d.kept = append(d.kept, o)
		}
	}
	return outs[0]
}

func (d *Door) certificate(key ed25519.PublicKey) ([]byte, error) {
	d.strangers.Lock()
	defer d.strangers.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runtime.Certificate(key)
}

// Watch has the runtime look at its counter every so often until ctx ends: a host that says nothing puts nothing off (P16).
func (d *Door) Watch(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			d.mu.Lock()
			d.runtime.Watch()
			d.mu.Unlock()
		}
	}
}

func allowed(in *wire.In) bool {
	switch in.Body.(type) {
	case *wire.In_Hello, *wire.In_Query, *wire.In_Result, *wire.In_SessionOpen, *wire.In_SessionCall:
		return true
	}
	return false
}

// direct is whether o is an answer for who asked, and not a word to the host.
func direct(o *wire.Out) bool {
	switch o.Body.(type) {
	case *wire.Out_Identity, *wire.Out_Reply, *wire.Out_Failure, *wire.Out_SessionOpened:
		return true
	}
	return false
}

func failure(id uint64, code, message, next string) *wire.Out {
	return &wire.Out{ReplyTo: id, Body: &wire.Out_Failure{Failure: &wire.Failure{Code: code, Message: message, Next: next}}}
}
