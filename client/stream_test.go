package client

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// reverser serves streams and answers what it has, last first. What is not a stream it does not know.
type reverser struct {
	gatewayrpc.Gateway
	gatewayrpc.Peer
	hold chan struct{} // answers wait for it; nil: they do not
	got  chan struct{}
}

func (r *reverser) AskSessions(ctx context.Context, s gatewayrpc.SessionStream) error {
	for {
		m, err := s.Receive()
		if err != nil {
			return err
		}
		r.got <- struct{}{}
		if r.hold != nil {
			<-r.hold
		}
		out := &wire.SessionAnswers{}
		for i := len(m.Calls) - 1; i >= 0; i-- {
			a := &wire.SessionAnswer{Session: m.Calls[i].Session, Counter: m.Calls[i].Counter}
			if a.Counter == 13 {
				a.Failure = &wire.Failure{Code: "replayed", Message: "m", Next: "n"}
			} else {
				a.Ciphertext = binary.BigEndian.AppendUint64([]byte(string(a.Session)), a.Counter)
			}
			out.Answers = append(out.Answers, a)
		}
		if err := s.Send(out); err != nil {
			return err
		}
	}
}

func serveStreams(t *testing.T, hold chan struct{}) (*reverser, *httptest.Server, *stream) {
	t.Helper()
	r := &reverser{hold: hold, got: make(chan struct{}, 10000)}
	s := httptest.NewUnstartedServer(gatewayrpc.Handler(r, r))
	s.Config.Protocols = gatewayrpc.ServerProtocols()
	s.Start()
	t.Cleanup(s.Close)
	st := newStream(context.Background(), gatewayrpc.NewClient(&http.Client{Transport: gatewayrpc.StreamTransport()}, s.URL))
	t.Cleanup(st.close)
	return r, s, st
}

// Each request gets its own answer, whatever overtakes it, and a refused one is refused alone.
func TestStreamGivesEachItsAnswer(t *testing.T) {
	_, _, st := serveStreams(t, nil)
	var wg sync.WaitGroup
	for _, session := range []string{"a", "b"} {
		for i := range uint64(600) {
			wg.Go(func() {
				r, err := st.ask(context.Background(), &wire.SessionCall{Session: []byte(session), Counter: i + 1})
				switch {
				case i+1 == 13:
					var e *gatewayrpc.Error
					if !errors.As(err, &e) || e.Code != "replayed" {
						t.Errorf("%v, %v", r, err)
					}
				case err != nil || string(r.Ciphertext[:1]) != session || binary.BigEndian.Uint64(r.Ciphertext[1:]) != i+1:
					t.Errorf("request %d: %v, %v", i+1, r, err)
				}
			})
		}
	}
	wg.Wait()
}

// A request that is given up leaves the others alone, and its late answer is nobody's.
func TestStreamAfterARequestIsGivenUp(t *testing.T) {
	hold := make(chan struct{})
	r, _, st := serveStreams(t, hold)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := st.ask(ctx, &wire.SessionCall{Counter: 9}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request that is given up: %v", err)
	}
	<-r.got
	close(hold)
	if _, err := st.ask(context.Background(), &wire.SessionCall{Counter: 10}); err != nil || st.hasEnded() || !st.answered() {
		t.Errorf("the next: %v", err)
	}
}

// What ends a stream ends every request on it, with a reason.
func TestStreamEnds(t *testing.T) {
	hold := make(chan struct{})
	r, s, st := serveStreams(t, hold)
	got := make(chan error, 1)
	go func() {
		_, err := st.ask(context.Background(), &wire.SessionCall{Counter: 1})
		got <- err
	}()
	<-r.got
	s.CloseClientConnections()
	if err := <-got; err == nil {
		t.Error("an answer from a broken connection")
	}
	close(hold)
	if _, err := st.ask(context.Background(), &wire.SessionCall{Counter: 2}); err == nil || !st.hasEnded() || st.answered() {
		t.Errorf("on a stream that has ended: %v", err)
	}
	// A server of HTTP/1.1 has no streams.
	old := httptest.NewServer(gatewayrpc.Handler(r, r))
	defer old.Close()
	st = newStream(context.Background(), gatewayrpc.NewClient(http.DefaultClient, old.URL))
	if _, err := st.ask(context.Background(), &wire.SessionCall{Counter: 1}); err == nil {
		t.Error("a stream over HTTP/1.1")
	}
}
