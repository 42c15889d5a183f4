package gatewayrpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/phala-go/phala/core/wire"
)

// Bounds of one stream of requests in sessions.
const (
	// StreamIdle is how long a stream may bring nothing.
	StreamIdle = 2 * time.Minute
	// streamWrite is how long a client may take to read an answer.
	streamWrite = 30 * time.Second
	// streamPlaces is how many of its requests are worked on at a time; what comes beyond is not read before one is done.
	streamPlaces = 64
	// streamBatch is how many requests one message may bring.
	streamBatch = 256
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

// askSessions serves a stream: requests are answered as they are done, each by ask.
func askSessions(ctx context.Context, ask func(context.Context, *wire.SessionCall) (*wire.SessionReply, error), s *connect.BidiStream[wire.SessionCalls, wire.SessionAnswers]) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	deadlines, _ := ctx.Value(deadlinesKey{}).(*http.ResponseController)
	a := &answers{ready: make(chan struct{}, 1)}
	var working sync.WaitGroup
	sent := make(chan error, 1)
	stop := make(chan struct{})
	go func() { sent <- send(s, a, deadlines, stop) }()
	err := receive(ctx, ask, s, a, deadlines, &working)
	working.Wait()
	close(stop)
	return errors.Join(err, <-sent)
}

func receive(ctx context.Context, ask func(context.Context, *wire.SessionCall) (*wire.SessionReply, error), s *connect.BidiStream[wire.SessionCalls, wire.SessionAnswers], a *answers, deadlines *http.ResponseController, working *sync.WaitGroup) error {
	places := make(chan struct{}, streamPlaces)
	for {
		if deadlines != nil {
			_ = deadlines.SetReadDeadline(time.Now().Add(StreamIdle))
		}
		m, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(m.Calls) > streamBatch {
			return toConnect(&Error{Code: CodeMalformed, Message: "too many requests in one message", Next: "Send at most 256."})
		}
		for _, c := range m.Calls {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			working.Go(func() {
				defer func() { <-places }()
				answer := &wire.SessionAnswer{Session: c.Session, Counter: c.Counter}
				if r, err := ask(ctx, c); err != nil {
					answer.Failure = failureOf(err)
				} else {
					answer.Ciphertext = r.Ciphertext
				}
				a.put(answer)
			})
		}
	}
}

func send(s *connect.BidiStream[wire.SessionCalls, wire.SessionAnswers], a *answers, deadlines *http.ResponseController, stop <-chan struct{}) error {
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
		if deadlines != nil {
			_ = deadlines.SetWriteDeadline(time.Now().Add(streamWrite))
		}
		if err := s.Send(&wire.SessionAnswers{Answers: done}); err != nil {
			return err
		}
	}
	return nil
}

func failureOf(err error) *wire.Failure {
	e := known(err)
	if e == nil {
		e = &Error{Code: CodeInternal, Message: "the request was given up", Next: "Try again."}
	}
	return &wire.Failure{Code: e.Code, Message: e.Message, Next: e.Next}
}

type deadlinesKey struct{}

// ownDeadlines lets a stream live as long as it is used, whatever the server allows a request.
func ownDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Now().Add(StreamIdle))
		_ = c.SetWriteDeadline(time.Now().Add(StreamIdle + streamWrite))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), deadlinesKey{}, c)))
	})
}

// Stream carries requests in sessions to a gateway, any number at a time.
type Stream struct {
	s      *connect.BidiStreamForClient[wire.SessionCalls, wire.SessionAnswers]
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

// AskSessions opens a stream, which needs HTTP/2 all the way (NewStreamClient's transport for one without TLS). It lives until ctx or
// Close ends it.
func (c *Client) AskSessions(ctx context.Context) *Stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{s: c.sessions.CallBidiStream(ctx), cancel: cancel, ready: make(chan struct{}, 1), waiting: map[requestID]chan *wire.SessionAnswer{}}
	go s.send(ctx)
	go s.receive()
	return s
}

// Ended says whether the stream is of no more use.
func (s *Stream) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// Answered says whether any answer has ever come: if not, streams may not get through to this gateway at all.
func (s *Stream) Answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// Close ends the stream; requests that wait are given up.
func (s *Stream) Close() { s.cancel() }

// Ask sends one request and waits for its answer. A failure that ends the stream ends all requests on it.
func (s *Stream) Ask(ctx context.Context, c *wire.SessionCall) (*wire.SessionReply, error) {
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
			return nil, Of(a.Failure)
		}
		return &wire.SessionReply{Ciphertext: a.Ciphertext}, nil
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
		return nil, ctx.Err()
	}
}

func (s *Stream) send(ctx context.Context) {
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
			n := min(len(calls), streamBatch)
			if err := s.s.Send(&wire.SessionCalls{Calls: calls[:n]}); err != nil {
				return // the receiver hears why
			}
			calls = calls[n:]
		}
	}
}

func (s *Stream) receive() {
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

func (s *Stream) end(err error) {
	if errors.Is(err, io.EOF) {
		err = &Error{Code: CodeUnreachable, Message: "the gateway has ended the stream", Next: "Open another."}
	} else {
		err = fromConnect(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	for id, done := range s.waiting {
		close(done)
		delete(s.waiting, id)
	}
}

// StreamTransport speaks HTTP/2 with and without TLS, as streams need.
func StreamTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// ServerProtocols are what a gateway speaks: browsers come with HTTP/1.1, streams with HTTP/2.
func ServerProtocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
