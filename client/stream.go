package client

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// stream carries requests in sessions to a gateway, any number at a time.
type stream struct {
	s      *gatewayrpc.SessionStreamClient
	cancel context.CancelFunc
	ready  chan struct{} // holds one

	mu      sync.Mutex
	queue   []*wire.SessionCall
	waiting map[requestID]chan *wire.SessionAnswer
	heard   bool  // an answer has come
	err     error // why it has ended
}

type requestID struct {
	session string
	counter uint64
}

// newStream opens a stream that lives until ctx or close ends it.
func newStream(ctx context.Context, c *gatewayrpc.Client) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{s: c.AskSessions(ctx), cancel: cancel, ready: make(chan struct{}, 1), waiting: map[requestID]chan *wire.SessionAnswer{}}
	go s.send(ctx)
	go s.receive()
	return s
}

// hasEnded says whether the stream is of no more use.
func (s *stream) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// answered says whether any answer has ever come: if not, streams may not get through to this gateway at all.
func (s *stream) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// close ends the stream; requests that wait are given up.
func (s *stream) close() { s.cancel() }

// ask sends one request and waits for its answer. A failure that ends the stream ends all requests on it.
func (s *stream) ask(ctx context.Context, c *wire.SessionCall) (*wire.SessionReply, error) {
	id := requestID{string(c.Session), c.Counter}
	done := make(chan *wire.SessionAnswer, 1)
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return nil, s.err
	}
	s.waiting[id] = done
	s.queue = append(s.queue, c)
	s.mu.Unlock()
	select {
	case s.ready <- struct{}{}:
	default:
	}
	select {
	case a := <-done:
		switch {
		case a == nil:
			s.mu.Lock()
			defer s.mu.Unlock()
			return nil, s.err
		case a.Failure != nil:
			return nil, gatewayrpc.Of(a.Failure)
		}
		return &wire.SessionReply{Ciphertext: a.Ciphertext}, nil
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (s *stream) send(ctx context.Context) {
	for {
		select {
		case <-s.ready:
		case <-ctx.Done():
			_ = s.s.CloseRequest()
			return
		}
		s.mu.Lock()
		calls := s.queue
		s.queue = nil
		s.mu.Unlock()
		for len(calls) > 0 {
			n := min(len(calls), gatewayrpc.StreamBatch)
			if err := s.s.Send(&wire.SessionCalls{Calls: calls[:n]}); err != nil {
				return // the receiver hears why
			}
			calls = calls[n:]
		}
	}
}

func (s *stream) receive() {
	defer s.cancel()
	for {
		m, err := s.s.Receive()
		if err != nil {
			s.end(err)
			return
		}
		s.mu.Lock()
		s.heard = true
		for _, a := range m.Answers {
			id := requestID{string(a.Session), a.Counter}
			if done := s.waiting[id]; done != nil {
				done <- a
				delete(s.waiting, id)
			}
		}
		s.mu.Unlock()
	}
}

func (s *stream) end(err error) {
	if errors.Is(err, io.EOF) {
		err = &gatewayrpc.Error{Code: gatewayrpc.CodeUnreachable, Message: "the gateway has ended the stream", Next: "Open another."}
	} else {
		err = gatewayrpc.ErrorOf(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	for id, done := range s.waiting {
		close(done)
		delete(s.waiting, id)
	}
}
