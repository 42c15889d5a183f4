package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/enclave"
	"github.com/phala-go/phala/offchain/gateway"
)

// asker is an enclave that answers requests in sessions, when it may.
type asker struct {
	hold       chan struct{} // requests wait for it; nil: they do not
	busy, most atomic.Int32
}

func (a *asker) Call(ctx context.Context, in *wire.In) (*wire.Out, error) {
	n := a.busy.Add(1)
	defer a.busy.Add(-1)
	a.most.Store(max(a.most.Load(), n))
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if in.GetSessionCall().GetCounter() == 13 {
		return nil, &enclave.Failure{Failure: &wire.Failure{Code: "replayed", Message: "m", Next: "n"}}
	}
	return &wire.Out{Body: &wire.Out_SessionReply{SessionReply: &wire.SessionReply{Ciphertext: []byte{byte(in.GetSessionCall().Counter)}}}}, nil
}

func (a *asker) Post(*wire.In) error { return nil }

func stream(t *testing.T, a *asker) (*gatewayrpc.SessionStreamClient, *httptest.Server) {
	t.Helper()
	_, _, store := start(t)
	g, err := gateway.New(gateway.Config{Enclave: a, Records: store, Worker: self})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(gatewayrpc.Handler(g, g))
	s.Config.Protocols = gatewayrpc.ServerProtocols()
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond // which no stream minds
	s.Start()
	t.Cleanup(s.Close)
	c := gatewayrpc.NewClient(&http.Client{Transport: gatewayrpc.StreamTransport()}, s.URL).AskSessions(context.Background())
	t.Cleanup(func() { _ = c.CloseRequest() })
	return c, s
}

func send(t *testing.T, s *gatewayrpc.SessionStreamClient, first, n uint64) {
	t.Helper()
	m := &wire.SessionCalls{}
	for i := range n {
		m.Calls = append(m.Calls, &wire.SessionCall{Session: []byte("s"), Counter: first + i})
	}
	if err := s.Send(m); err != nil {
		t.Fatal(err)
	}
}

// receive gives the next n answers by their counters.
func receive(t *testing.T, s *gatewayrpc.SessionStreamClient, n int) map[uint64]*wire.SessionAnswer {
	t.Helper()
	got := map[uint64]*wire.SessionAnswer{}
	for len(got) < n {
		m, err := s.Receive()
		if err != nil {
			t.Fatal(gatewayrpc.ErrorOf(err))
		}
		for _, a := range m.Answers {
			if string(a.Session) != "s" || got[a.Counter] != nil {
				t.Fatalf("an answer that nobody waits for: %v", a)
			}
			got[a.Counter] = a
		}
	}
	return got
}

// Each request of a stream gets its own answer, and a refused one is refused alone, with its reason.
func TestStream(t *testing.T) {
	s, _ := stream(t, &asker{})
	for first := uint64(1); first < 200; first += 100 {
		send(t, s, first, 100)
		for n, a := range receive(t, s, 100) {
			switch {
			case n == 13:
				if a.Failure.GetCode() != "replayed" || a.Failure.Next != "n" || a.Ciphertext != nil {
					t.Errorf("%v", a)
				}
			case a.Failure != nil || a.Ciphertext[0] != byte(n):
				t.Errorf("request %d: %v", n, a)
			}
		}
		time.Sleep(200 * time.Millisecond) // beyond the server's timeouts
	}
}

// One stream has so many requests worked on at a time; the rest waits in the network.
func TestStreamHoldsBack(t *testing.T) {
	a := &asker{hold: make(chan struct{})}
	s, _ := stream(t, a)
	send(t, s, 100, 200)
	send(t, s, 300, 200)
	time.Sleep(100 * time.Millisecond)
	if n := a.most.Load(); n != 64 {
		t.Errorf("%d requests at a time, want 64", n)
	}
	close(a.hold)
	receive(t, s, 400)
}

// The gateway gives up what nobody waits for any more.
func TestStreamBreaks(t *testing.T) {
	a := &asker{hold: make(chan struct{})}
	s, server := stream(t, a)
	send(t, s, 100, 3)
	for a.busy.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	server.CloseClientConnections()
	if m, err := s.Receive(); err == nil {
		t.Errorf("an answer from a broken connection: %v", m)
	}
	for a.busy.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// A message with too many requests ends the stream, and says so.
func TestStreamOfALiar(t *testing.T) {
	a := &asker{}
	s, _ := stream(t, a)
	send(t, s, 100, 257)
	_, err := s.Receive()
	if err = gatewayrpc.ErrorOf(err); code(err) != gatewayrpc.CodeMalformed || a.most.Load() > 0 {
		t.Errorf("257 requests at once: %v", err)
	}
}
