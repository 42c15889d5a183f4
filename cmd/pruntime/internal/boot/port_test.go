package boot

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeLine is a port whose host the test plays.
type fakeLine struct {
	mu     sync.Mutex
	hungUp bool
	in     []byte
	out    io.Writer
	full   bool // the host does not read
	err    error
}

func (l *fakeLine) poll(write bool) (ready, hungUp bool, err error) {
	l.mu.Lock()
	ready, hungUp, err = len(l.in) > 0, l.hungUp, l.err
	if write {
		ready = !l.full
	}
	l.mu.Unlock()
	if !ready && !hungUp {
		time.Sleep(time.Millisecond)
	}
	return ready, hungUp, err
}

func (l *fakeLine) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.in) == 0 && !l.hungUp {
		return 0, syscall.EAGAIN
	}
	n := copy(b, l.in)
	l.in = l.in[n:]
	return n, nil
}

// Write takes seven bytes at a time.
func (l *fakeLine) Write(b []byte) (int, error) { return l.out.Write(b[:min(7, len(b))]) }

func (l *fakeLine) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func accept(t *testing.T, p *Port) <-chan net.Conn {
	t.Helper()
	ch := make(chan net.Conn, 1)
	go func() {
		c, err := p.Accept()
		if err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		ch <- c
	}()
	return ch
}

func within(t *testing.T, ch <-chan net.Conn) net.Conn {
	t.Helper()
	select {
	case c := <-ch:
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no connection")
		return nil
	}
}

func never(t *testing.T, what string, ch <-chan net.Conn) {
	t.Helper()
	select {
	case <-ch:
		t.Fatal("a connection " + what)
	case <-time.After(3 * pause):
	}
}

func TestPort(t *testing.T) {
	var out safeBuffer
	l := &fakeLine{hungUp: true, out: &out}
	p := newPort(l, "/dev/port")
	ch := accept(t, p)
	never(t, "before the host has opened its end", ch)

	l.set(func() { l.hungUp, l.in = false, []byte("one") })
	c := within(t, ch)
	b := make([]byte, 10)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "one" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	if n, err := c.Write([]byte("an answer of some length")); err != nil || n != 24 || out.String() != "an answer of some length" {
		t.Fatalf("%d, %v: %q", n, err, out.String())
	}
	ch = accept(t, p)
	never(t, "beside another", ch)

	l.set(func() { l.hungUp, l.in = true, []byte("last words") })
	if n, err := c.Read(b); err != nil || string(b[:n]) != "last words" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	if _, err := c.Read(b); err != io.EOF {
		t.Fatalf("after the host has hung up: %v", err)
	}
	if _, err := c.Write(b); !errors.Is(err, errHungUp) {
		t.Fatalf("writing after the host has hung up: %v", err)
	}
	c.Close()
	c.Close()
	never(t, "before the host is there again", ch)
	l.set(func() { l.hungUp = false })
	c = within(t, ch)

	// This side ends the conversation: what the host still says is thrown away, and it has to hang up first.
	c.Close()
	if _, err := c.Read(b); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("reading what is closed: %v", err)
	}
	ch = accept(t, p)
	l.set(func() { l.in = []byte("garbage") })
	never(t, "in the middle of what the host says", ch)
	l.set(func() { l.hungUp = true })
	time.Sleep(3 * pause)
	l.set(func() { l.hungUp, l.in = false, []byte("two") })
	c = within(t, ch)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "two" {
		t.Fatalf("%q, %v", b[:n], err)
	}
}

// Close ends who waits: for a connection, for the host's word, for the host to read.
func TestPortClose(t *testing.T) {
	l := &fakeLine{out: io.Discard, full: true}
	p := newPort(l, "/dev/port")
	c := within(t, accept(t, p))
	ch := accept(t, p)
	errs := make(chan error, 2)
	go func() { _, err := c.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := c.Write(make([]byte, 1)); errs <- err }()
	time.Sleep(20 * time.Millisecond)
	p.Close()
	p.Close()
	if c := within(t, ch); c != nil {
		t.Error("a connection from a port that is closed")
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

func TestPortGone(t *testing.T) {
	l := &fakeLine{out: io.Discard, err: syscall.EIO}
	if _, err := newPort(l, "/dev/port").Accept(); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = append(s.b, b...)
	return len(b), nil
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.b)
}
