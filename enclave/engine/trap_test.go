package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// loop is for {}.
var loop = []byte{3, 0x40, 0x0c, 0, 0x0b}

func TestTraps(t *testing.T) {
	e := newEngine(t, Config{MemoryPages: 32})
	// memory.grow(1) until it fails, then unreachable: what a Rust program does.
	hog := cat([]byte{3, 0x40}, i32const(1), []byte{0x40, 0}, i32const(0xffffffff), []byte{0x47, 0x0d, 0, 0x0b, 0})
	for _, tc := range []struct {
		name string
		body func(a *asm) []byte
		want string
	}{
		{"unreachable", func(*asm) []byte { return []byte{0} }, "unreachable"},
		{"memory hog", func(*asm) []byte { return hog }, "unreachable"},
		{"out of bounds", func(*asm) []byte { return cat(i32const(0x7fffffff), []byte{0x28, 2, 0, 0x1a}) }, "out of bounds memory access"},
		{"division by zero", func(*asm) []byte { return cat(i32const(1), i32const(0), []byte{0x6d, 0x1a}) }, "integer divide by zero"},
		{"for {}", func(*asm) []byte { return loop }, "out of gas"},
		{"abort", func(a *asm) []byte { return cat(a.text("my reason"), a.call("abort")) }, "my reason"},
		{"null region", func(a *asm) []byte { return cat(i32const(0), a.call("debug")) }, "region at 0x0 is out of bounds"},
		{"region beyond memory", func(a *asm) []byte { return cat(i32const(0xfffffff8), a.call("debug")) }, "region at 0xfffffff8 is out of bounds"},
		{"answer is no region", func(*asm) []byte { return cat(i32const(0), []byte{0x0f}) }, "region at 0x0"},
		{"key too long", func(a *asm) []byte {
			return cat(i32const(a.region(make([]byte, maxKey+1), maxKey+1)), a.call("db_read"), []byte{0x1a})
		}, "region of 65537 bytes where at most 65536"},
		{"empty key", func(a *asm) []byte { return a.store("", a.text("v")) }, "the key is empty"},
		{"no such iterator", func(a *asm) []byte { return cat(i32const(1), a.call("db_next"), []byte{0x1a}) }, "no iterator 1"},
		{"no such order", func(a *asm) []byte {
			return cat(i32const(0), i32const(0), i32const(3), a.call("db_scan"), []byte{0x1a})
		}, "no order 3"},
		{"iterators without end", func(a *asm) []byte {
			key := i32const(a.region(make([]byte, maxKey), maxKey))
			return cat([]byte{3, 0x40}, key, key, i32const(1), a.call("db_scan"), []byte{0x1a, 0x0c, 0, 0x0b})
		}, "iterators hold more than"},
	} {
		m := &asm{}
		_, err := execute(t, e, m, tc.body(m))
		var trap *TrapError
		if !errors.As(err, &trap) || trap.Entry != Execute || !strings.Contains(trap.Reason, tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		} else if trap.Timeout || trap.OutOfGas != (tc.name == "for {}") {
			t.Errorf("%s: %+v", tc.name, trap)
		}
	}
}

// TestBadRegions points host functions at headers that lie.
func TestBadRegions(t *testing.T) {
	e := newEngine(t, Config{})
	for name, header := range map[string][3]uint32{
		"points to null":       {0, 4, 4},
		"longer than":          {2048, 4, 5},
		"points out of bounds": {17<<16 - 4, 5, 0},
		"out of bounds":        {0xffffffff, 0xffffffff, 1},
	} {
		m := &asm{}
		p := m.region(make([]byte, 12), 12) + 12
		var body []byte
		for i, v := range header {
			body = cat(body, i32const(p+uint32(4*i)), i32const(v), []byte{0x36, 2, 0})
		}
		_, err := execute(t, e, m, cat(body, i32const(p), m.call("debug")))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

func TestStackOverflow(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	m.call("debug") // function 0; allocate 1, deallocate 2, version 3, instantiate 4, execute 5
	body := []byte{0x20, 0, 0x20, 1, 0x20, 2, 0x10, 5}
	m.entries = map[Entry][]byte{Execute: body}
	_, err := run(t, e, m.must(t, e), Execute, memory{})
	var trap *TrapError
	if !errors.As(err, &trap) || !strings.Contains(trap.Reason, "nested too deeply") {
		t.Errorf("got %v", err)
	}
}

func TestQueryThatWrites(t *testing.T) {
	e := newEngine(t, Config{})
	for name, body := range map[string]func(m *asm) []byte{
		"write":  func(m *asm) []byte { return m.store("k", m.text("v")) },
		"remove": func(m *asm) []byte { return cat(m.text("k"), m.call("db_remove")) },
	} {
		m := &asm{}
		m.entries = map[Entry][]byte{Query: cat(body(m), m.say(`{"ok":""}`))}
		s := memory{"k": []byte("before")}
		_, err := run(t, e, m.must(t, e), Query, s)
		if err == nil || !strings.Contains(err.Error(), "state cannot be changed in a query") || string(s["k"]) != "before" {
			t.Errorf("%s: got %v, state %q", name, err, s["k"])
		}
	}
}

func TestNoEntry(t *testing.T) {
	e := newEngine(t, Config{})
	_, err := run(t, e, (&asm{}).must(t, e), Sudo, memory{})
	if err == nil || err.Error() != "sudo trapped: the contract has no such entry point" {
		t.Errorf("got %v", err)
	}
}

// busy calls the host for ever.
func busy(a *asm) []byte {
	return cat([]byte{3, 0x40}, a.text("x"), a.call("debug"), []byte{0x0c, 0, 0x0b, 0})
}

// TestCallerGivesUp: a caller's own end is not a contract's trap.
func TestCallerGivesUp(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	m.entries = map[Entry][]byte{Execute: busy(m)}
	c := m.must(t, e)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := e.Run(ctx, c, Call{Entry: Execute, Info: &Info{}, Store: memory{}, GasLimit: 1 << 50})
	var trap *TrapError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &trap) {
		t.Errorf("got %v", err)
	}
}

// TestGuard: where gas does not end a call in time, the clock does.
func TestGuard(t *testing.T) {
	e := newEngine(t, Config{CallTimeout: 50 * time.Millisecond})
	m := &asm{}
	m.entries = map[Entry][]byte{Execute: busy(m)}
	_, err := e.Run(context.Background(), m.must(t, e), Call{Entry: Execute, Info: &Info{}, Store: memory{}, GasLimit: 1 << 50})
	var trap *TrapError
	if !errors.As(err, &trap) || !trap.Timeout || trap.OutOfGas {
		t.Errorf("got %v", err)
	}
}

func TestInstancesAreFresh(t *testing.T) {
	e := newEngine(t, Config{})
	m := &asm{}
	p := m.region([]byte("0"), 1)
	// Keep the byte under k, then change it in memory.
	body := cat(m.store("k", i32const(p)), i32const(p+12), i32const('1'), []byte{0x3a, 0, 0})
	m.entries = map[Entry][]byte{Execute: cat(body, m.say(emptyResponse))}
	c := m.must(t, e)
	for range 2 {
		s := memory{}
		if _, err := run(t, e, c, Execute, s); err != nil || string(s["k"]) != "0" {
			t.Fatalf("a call saw %q of another's: %v", s["k"], err)
		}
	}
}
