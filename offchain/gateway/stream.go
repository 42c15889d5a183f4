package gateway

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// Bounds of one stream of requests in sessions.
const (
	// streamIdle is how long a stream may bring nothing.
	streamIdle = 2 * time.Minute
	// streamWrite is how long a client may take to read an answer.
	streamWrite = 30 * time.Second
	// streamPlaces is how many of its requests are worked on at a time; what comes beyond is not read before one is done.
	streamPlaces = 64
)

// answers collects what is done while the last message is on its way: under load one message carries many.
type answers struct {
	mu    sync.Mutex
	done  []*wire.SessionAnswer
	ready chan struct{} // holds one
}

func (a *answers) put(answer *wire.SessionAnswer) {
	a.mu.Lock()
	a.done = append(a.done, answer)
	a.mu.Unlock()
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

func (a *answers) take() []*wire.SessionAnswer {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.done
	a.done = nil
	return d
}

// AskSessions serves a stream: requests are answered as they are done, several in a message if several are.
func (g *Gateway) AskSessions(ctx context.Context, s gatewayrpc.SessionStream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &answers{ready: make(chan struct{}, 1)}
	var working sync.WaitGroup
	sent, stop := make(chan error, 1), make(chan struct{})
	go func() { sent <- send(s, a, stop) }()
	err := g.receive(ctx, s, a, &working)
	working.Wait()
	close(stop)
	return errors.Join(err, <-sent)
}

func (g *Gateway) receive(ctx context.Context, s gatewayrpc.SessionStream, a *answers, working *sync.WaitGroup) error {
	places := make(chan struct{}, streamPlaces)
	_ = s.SetWriteDeadline(time.Now().Add(streamIdle + streamWrite))
	for {
		_ = s.SetReadDeadline(time.Now().Add(streamIdle))
		m, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(m.Calls) > gatewayrpc.StreamBatch {
			return &gatewayrpc.Error{Code: gatewayrpc.CodeMalformed, Message: "too many requests in one message", Next: "Send at most 256."}
		}
		for _, c := range m.Calls {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			working.Go(func() {
				defer func() { <-places }()
				a.put(g.answer(ctx, c))
			})
		}
	}
}

func (g *Gateway) answer(ctx context.Context, c *wire.SessionCall) *wire.SessionAnswer {
	answer := &wire.SessionAnswer{Session: c.Session, Counter: c.Counter}
	if r, err := g.AskSession(ctx, c); err != nil {
		answer.Failure = gatewayrpc.FailureOf(err)
	} else {
		answer.Ciphertext = r.Ciphertext
	}
	return answer
}

func send(s gatewayrpc.SessionStream, a *answers, stop <-chan struct{}) error {
	for stopped := false; !stopped; {
		select {
		case <-a.ready:
		case <-stop:
			stopped = true
		}
		done := a.take()
		if len(done) == 0 {
			continue
		}
		_ = s.SetWriteDeadline(time.Now().Add(streamWrite))
		if err := s.Send(&wire.SessionAnswers{Answers: done}); err != nil {
			return err
		}
	}
	return nil
}
