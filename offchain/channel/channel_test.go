package channel

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// echoes is an enclave's socket that says back what it hears.
func echoes(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return path
}

func serve(t *testing.T, cfg Config) (dial func() net.Conn) {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(cfg).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Serve does not end with its context")
		}
	})
	return func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		return c
	}
}

// says is whether c answers.
func says(c net.Conn) bool {
	if _, err := c.Write([]byte("hello")); err != nil {
		return false
	}
	var b [5]byte
	_, err := io.ReadFull(c, b[:])
	return err == nil && string(b[:]) == "hello"
}

func TestCarriesBytes(t *testing.T) {
	dial := serve(t, Config{Socket: echoes(t)})
	c := dial()
	for range 3 {
		if !says(c) {
			t.Fatal("no echo")
		}
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("it goes on after its end")
	}
}

func TestBounds(t *testing.T) {
	for name, cfg := range map[string]Config{"in all": {Conns: 2}, "from one address": {PerHost: 2}} {
		cfg.Socket = echoes(t)
		dial := serve(t, cfg)
		first, second := dial(), dial()
		if !says(first) || !says(second) {
			t.Fatal("two do not come in")
		}
		if says(dial()) {
			t.Errorf("%s: a third came in", name)
		}
		first.Close()
		ok := false
		for range 100 {
			if ok = says(dial()); ok {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !ok {
			t.Errorf("%s: a place that was left is not given again", name)
		}
	}
}

func TestIdleAndAway(t *testing.T) {
	dial := serve(t, Config{Socket: echoes(t), Idle: 200 * time.Millisecond})
	c := dial()
	for range 5 {
		if !says(c) {
			t.Fatal("who speaks is cut off")
		}
		time.Sleep(80 * time.Millisecond)
	}
	began := time.Now()
	if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("an idle one: %v after %s", err, time.Since(began))
	}
	gone := serve(t, Config{Socket: filepath.Join(t.TempDir(), "none")})
	if says(gone()) {
		t.Error("an echo from nobody")
	}
}
