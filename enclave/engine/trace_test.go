package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

// named appends a name section with these functions.
func named(code []byte, names map[uint32]string) []byte {
	var entries [][]byte
	for i, name := range names {
		entries = append(entries, cat(leb(i), str(name)))
	}
	part := vec(entries...)
	return cat(code, section(0, cat(str("name"), []byte{1}, leb(uint32(len(part))), part)))
}

func trapOf(t *testing.T, e *Engine, code []byte) *TrapError {
	t.Helper()
	c, err := e.Compile(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(t, e, c, Execute, memory{})
	var trap *TrapError
	if !errors.As(err, &trap) {
		t.Fatalf("got %v", err)
	}
	return trap
}

// TestTrace: a trap names the functions that were running, from the code's own
// names, and none of what the contract says.
func TestTrace(t *testing.T) {
	e := newEngine(t, Config{})
	// With one import: 0 the import, 1 allocate, 2 deallocate, 3 the version, 4 instantiate, 5 execute, 6 query.
	call := func(f byte) []byte { return []byte{0x20, 0, 0x20, 1, 0x20, 2, 0x10, f, 0x1a} }
	const secret = "the secret\nwasm stack trace:\n\tlies(i32)"
	for _, tc := range []struct {
		name   string
		inner  func(a *asm) []byte // body of instantiate, which execute calls
		names  map[uint32]string
		kind   string
		frames string
	}{
		{"no names", func(*asm) []byte { return []byte{0} }, nil, "unreachable", "function 4, function 5"},
		{"names", func(*asm) []byte { return []byte{0} }, map[uint32]string{4: "core::panicking::panic::h0123456789abcdef", 5: "execute"}, "unreachable", "core::panicking::panic, execute"},
		{"one name, of control characters", func(*asm) []byte { return []byte{0} }, map[uint32]string{4: "a\x1b[31m\xff", 77: "nobody"}, "unreachable", "a?[31m?, function 5"},
		{"a panic", func(a *asm) []byte { return cat(a.text(secret), a.call("abort")) }, nil, "panic", "env.abort, function 4, function 5"},
		{"wrong use", func(a *asm) []byte { return cat(i32const(0), a.call("debug")) }, nil, "wrong use of the host", "env.debug, function 4, function 5"},
		{"division", func(*asm) []byte { return cat(i32const(1), i32const(0), []byte{0x6d, 0x1a}) }, nil, "integer divide by zero", "function 4, function 5"},
		{"no end", func(*asm) []byte { return loop }, map[uint32]string{4: "main.busy"}, "out of gas", "main.busy, function 5"},
	} {
		a := &asm{}
		a.call("debug")
		inner := tc.inner(a)
		n := byte(len(a.imports))
		a.entries = map[Entry][]byte{Instantiate: cat(inner, a.say(emptyResponse)), Execute: cat(call(n+3), a.say(emptyResponse))}
		code := a.bytes()
		if tc.names != nil {
			code = named(code, tc.names)
		}
		trap := trapOf(t, e, code)
		want := tc.frames
		if n == 2 { // abort is one import more
			want = strings.NewReplacer("function 5", "function 6", "function 4", "function 5").Replace(want)
		}
		if got := strings.Join(trap.Trace(), ", "); got != want || trap.Kind() != tc.kind {
			t.Errorf("%s: %s in %s, want %s in %s", tc.name, trap.Kind(), got, tc.kind, want)
		}
	}
}

// TestBadNames: a name section that lies names nothing and harms nothing.
func TestBadNames(t *testing.T) {
	e := newEngine(t, Config{})
	for name, content := range map[string][]byte{
		"empty":                nil,
		"cut short":            {1, 50},
		"too many":             {1, 1, 0x7f},
		"a name without end":   {1, 3, 1, 4, 50},
		"a huge count":         {1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"a number without end": {1, 12, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80},
		"another part":         {2, 1, 0},
	} {
		a := &asm{entries: map[Entry][]byte{Execute: {0}}}
		trap := trapOf(t, e, cat(a.bytes(), section(0, cat(str("name"), content))))
		if got := trap.Trace(); !slices.Equal(got, []string{"function 4"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestTraceOfGo: a contract in Go that was built with names says where it
// broke off.
func TestTraceOfGo(t *testing.T) {
	e := newEngine(t, Config{})
	c, err := e.Compile(t.Context(), gocontract.BuildNamed(t, "testdata/probe"))
	if err != nil {
		t.Fatal(err)
	}
	for try, want := range map[string]string{"loop": "main.try", "recursion": "main.recurse", "panic": "main.try"} {
		_, err = e.Run(context.Background(), c, Call{Entry: Execute, Info: &Info{}, Msg: []byte(`{"try":"` + try + `"}`), Store: memory{}})
		var trap *TrapError
		if !errors.As(err, &trap) {
			t.Fatalf("%s: got %v", try, err)
		}
		trace := trap.Trace()
		if !slices.ContainsFunc(trace, func(f string) bool { return f == want }) || len(trace) > maxTrace {
			t.Errorf("%s: %s in %q, want %s", try, trap.Kind(), trace, want)
		}
		if strings.Contains(strings.Join(trace, " ")+trap.Kind(), "on purpose") {
			t.Errorf("the trace tells what the contract said: %s %q", trap.Kind(), trace)
		}
	}
}
