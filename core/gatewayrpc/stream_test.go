package gatewayrpc_test

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

func stream(t *testing.T, f *fake) (*gatewayrpc.Stream, *httptest.Server) {
	t.Helper()
	s := httptest.NewUnstartedServer(gatewayrpc.Handler(f, f))
	s.Config.Protocols = gatewayrpc.ServerProtocols()
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond // which no stream minds
	s.Start()
	t.Cleanup(s.Close)
	st := gatewayrpc.NewClient(&http.Client{Transport: gatewayrpc.StreamTransport()}, s.URL).AskSessions(context.Background())
	t.Cleanup(st.Close)
	return st, s
}

func code(err error) string {
	var e *gatewayrpc.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Each request gets its own answer, whatever overtakes it, and a refused one is refused alone.
func TestStream(t *testing.T) {
	st, _ := stream(t, &fake{})
	var wg sync.WaitGroup
	for _, session := range []string{"a", "b"} {
		for i := range uint64(600) {
			wg.Go(func() {
				r, err := st.Ask(context.Background(), &wire.SessionCall{Session: []byte(session), Counter: i + 1})
				switch {
				case i+1 == 13:
					if code(err) != "replayed" {
						t.Errorf("%v, %v", r, err)
					}
				case err != nil || binary.BigEndian.Uint64(r.Ciphertext) != i+1:
					t.Errorf("request %d: %v, %v", i+1, r, err)
				}
			})
		}
	}
	wg.Wait()
	time.Sleep(200 * time.Millisecond) // beyond the server's timeouts
	if _, err := st.Ask(context.Background(), &wire.SessionCall{Counter: 1}); err != nil {
		t.Errorf("after a while: %v", err)
	}
}

// One stream has so many requests worked on at a time; the rest waits in the network.
func TestStreamHoldsBack(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	st, _ := stream(t, f)
	var wg sync.WaitGroup
	for i := range uint64(500) {
		wg.Go(func() {
			if _, err := st.Ask(context.Background(), &wire.SessionCall{Counter: 1000 + i}); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	if n := f.most.Load(); n != 64 {
		t.Errorf("%d requests at a time, want 64", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := st.Ask(ctx, &wire.SessionCall{Counter: 9}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a request that is given up: %v", err)
	}
	close(f.hold)
	wg.Wait()
}

// What ends a stream ends every request on it, with a reason.
func TestStreamEnds(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	st, s := stream(t, f)
	got := make(chan error, 1)
	go func() {
		_, err := st.Ask(context.Background(), &wire.SessionCall{Counter: 1})
		got <- err
	}()
	for f.busy.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.CloseClientConnections()
	if err := <-got; err == nil {
		t.Error("an answer from a broken connection")
	}
	if _, err := st.Ask(context.Background(), &wire.SessionCall{Counter: 2}); err == nil {
		t.Error("an answer on a stream that has ended")
	}
	for f.busy.Load() > 0 { // the gateway gives up what nobody waits for
		time.Sleep(time.Millisecond)
	}
	st.Close()
	// A server of HTTP/1.1 has no streams.
	old := httptest.NewServer(gatewayrpc.Handler(f, f))
	defer old.Close()
	st = gatewayrpc.NewClient(http.DefaultClient, old.URL).AskSessions(context.Background())
	if _, err := st.Ask(context.Background(), &wire.SessionCall{Counter: 1}); err == nil {
		t.Error("a stream over HTTP/1.1")
	}
}

// A message with too many requests ends the stream, and says so.
func TestStreamOfALiar(t *testing.T) {
	f := &fake{}
	s := httptest.NewUnstartedServer(gatewayrpc.Handler(f, f))
	s.Config.Protocols = gatewayrpc.ServerProtocols()
	s.Start()
	defer s.Close()
	if err := gatewayrpc.Flood(context.Background(), &http.Client{Transport: gatewayrpc.StreamTransport()}, s.URL, 257); code(err) != gatewayrpc.CodeMalformed {
		t.Errorf("257 requests at once: %v", err)
	}
}
