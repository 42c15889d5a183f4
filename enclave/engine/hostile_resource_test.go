package engine

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestHostileTime: what would never end runs out of gas.
func TestHostileTime(t *testing.T) {
	r := newArena(t, Config{MemoryPages: 64})
	call := func(a *asm, entry byte) []byte { // of one of the contract's own functions, counted from allocate
		return []byte{0x20, 0, 0x20, 1, 0x20, 2, 0x10, byte(len(a.imports)) + entry}
	}
	const instantiate, execute = 3, 4
	for _, x := range []attack{
		{name: "for {}", body: func(*asm) []byte { return loop }},
		{name: "for {} through a table", body: func(*asm) []byte {
			return cat([]byte{3, 0x40}, i32const(7), []byte{0x0e, 2, 0, 0, 0, 0x0b, 0})
		}},
		{name: "loops within loops", body: func(*asm) []byte {
			return cat(bytes.Repeat([]byte{3, 0x40}, 100), []byte{0x0c, 99}, bytes.Repeat([]byte{0x0b}, 100))
		}},
		{name: "calls without end", body: func(a *asm) []byte { a.call("debug"); return forever(drop(call(a, instantiate))) }},
		{name: "two that call each other", want: "nested too deeply",
			body: func(a *asm) []byte { a.call("debug"); return drop(call(a, instantiate)) },
			make: func(a *asm) {
				a.call("debug")
				a.entries = map[Entry][]byte{Instantiate: call(a, execute)}
			}},
		{name: "allocate that does not end", make: late(loop)},
		{name: "allocate that calls itself", want: "nested too deeply", make: late([]byte{0x20, 0, 0x10, 0, 0x1a})},
	} {
		r.fails(x, Call{})
	}
}

// late makes an allocate that does something only when it is called with
// arguments of a call, not while the contract starts.
func late(body []byte) func(a *asm) {
	return func(a *asm) {
		a.allocate = cat([]byte{0x20, 0}, i32const(warmBytes), []byte{0x47, 0x04, 0x40}, body, []byte{0x0b}, allocateBody)
	}
}

// TestHostileMemory: no call gets more memory than its bound, and what it
// does with it is paid for.
func TestHostileMemory(t *testing.T) {
	r := newArena(t, Config{MemoryPages: 64})
	grow := func(pages uint32) []byte { return cat(i32const(pages), []byte{0x40, 0}) }
	fill := func(at, n uint32) []byte {
		return cat(i32const(at), i32const(0xaa), i32const(n), []byte{0xfc, 0x0b, 0})
	}
	move := func(to, from, n uint32) []byte {
		return cat(i32const(to), i32const(from), i32const(n), []byte{0xfc, 0x0a, 0, 0})
	}
	trapIfGiven := func(pages uint32) []byte { // a trap by division, so that it is told from others
		return cat(grow(pages), i32const(0xffffffff), []byte{0x47, 0x04, 0x40}, i32const(1), i32const(0), []byte{0x6d, 0x1a, 0x0b})
	}
	for _, x := range []attack{
		{name: "page by page", want: "unreachable", body: func(*asm) []byte {
			return cat([]byte{3, 0x40}, grow(1), i32const(0xffffffff), []byte{0x47, 0x0d, 0, 0x0b, 0})
		}},
		{name: "growing for ever", body: func(*asm) []byte { return forever(drop(grow(1))) }},
		{name: "all there is in one", want: "unreachable", body: func(*asm) []byte {
			return cat(trapIfGiven(48), trapIfGiven(65535), trapIfGiven(0xffffffff), trapIfGiven(0x10000), []byte{0})
		}},
		{name: "fill it again and again", body: func(*asm) []byte { return cat(drop(grow(40)), forever(fill(0, 57<<16))) }},
		{name: "move it again and again", body: func(*asm) []byte { return cat(drop(grow(40)), forever(move(65536, 0, 56<<16))) }},
		{name: "fill what is not there", want: "out of bounds memory access", body: func(*asm) []byte { return fill(17<<16-1, 2) }},
		{name: "fill more than there can be", body: func(*asm) []byte { return fill(1, 0xffffffff) }},
		{name: "move what is not there", want: "out of bounds memory access", body: func(*asm) []byte { return move(0, 17<<16-1, 2) }},
		{name: "load at the end", want: "out of bounds memory access", body: func(*asm) []byte { return cat(i32const(17<<16-3), []byte{0x28, 2, 0, 0x1a}) }},
		{name: "load beyond 4 GiB", want: "out of bounds memory access", body: func(*asm) []byte {
			return cat(i32const(0xffffffff), []byte{0x28, 2}, leb(0xffffffff), []byte{0x1a})
		}},
	} {
		r.fails(x, Call{})
	}
}

// TestHostileCode: what is refused before it is compiled, and why.
func TestHostileCode(t *testing.T) {
	r := newArena(t, Config{})
	with := func(f func(a *asm)) []byte {
		a := &asm{}
		f(a)
		return a.bytes()
	}
	body := func(b []byte) []byte {
		return with(func(a *asm) { a.entries = map[Entry][]byte{Execute: cat(b, a.say(emptyResponse))} })
	}
	extra := func(names ...string) []byte { return with(func(a *asm) { a.extra = names }) }
	for name, tc := range map[string]struct {
		code []byte
		want string
	}{
		"an export twice":             {extra("x", "x"), "twice"},
		"an entry point twice":        {extra("query"), "twice"},
		"an export not UTF-8":         {extra("\xff\xfe"), "not UTF-8"},
		"an export of the rewriter's": {extra("phala:gas"), "reserved"},
		"an endless name":             {extra(strings.Repeat("x", 257)), "at most 256"},
		"a global that is injected":   {body([]byte{0x23, 1, 0x1a}), "global 1 of 1"},
		"setting one":                 {body([]byte{0x42, 0, 0x24, 2}), "global 2 of 1"},
		"a function beyond the last":  {body([]byte{0x10, 99}), "function 99 of 6"},
		"a table that is not there":   {body(cat(i32const(0), []byte{0x11, 0, 0})), "table"},
		"a second memory":             {body(cat(i32const(0), []byte{0x3f, 1, 0x1a})), "memory"},
		"a vector":                    {body([]byte{0xfd, 0x0c}), "not allowed"},
		"an atomic":                   {body([]byte{0xfe, 0x03, 0}), "not allowed"},
		"a reference":                 {body([]byte{0xd0, 0x70, 0x1a}), "not allowed"},
		"a hundred thousand blocks":   {body(bytes.Repeat(cat(i32const(1), []byte{0x04, 0x40, 0x0b}), 20_000)), "at most"},
		"a thousand and one nested":   {body(cat(bytes.Repeat([]byte{2, 0x40}, 1001), bytes.Repeat([]byte{0x0b}, 1001))), "nesting deeper than 1000"},
		"a jump out of the function":  {body([]byte{0x0c, 9}), "label"},
		"too many functions":          {extra(many(1001)...), "exports"},
		"data beyond all memory":      {with(func(a *asm) { a.pages = 1; a.data = make([]byte, 70_000) }), "in a memory of 1 pages"},
		"an allocate that gives null": {with(func(a *asm) { a.allocate = cat(i32const(0), []byte{0x0f}) }), ""},
		"an endless start":            {with(func(a *asm) { a.init = loop }), "it does not start: _initialize trapped: out of gas"},
		"a start that writes state":   {with(func(a *asm) { a.init = a.store("k", a.text("v")) }), "state cannot be changed in a query"},
		"a start that draws": {with(func(a *asm) {
			a.extra = []string{"requires_phala"}
			a.init = drop(cat(i32const(a.region(nil, 32)), a.call("random")))
		}), ""},
		"a start that asks":            {with(func(a *asm) { a.init = drop(cat(a.text(`{}`), a.call("query_chain"))) }), ""},
		"a start that takes too much":  {with(func(a *asm) { a.init = forever(drop(cat(i32const(1), []byte{0x40, 0}))) }), "out of gas"},
		"a start deeper than deep":     {with(func(a *asm) { a.init = []byte{0x10, 6} }), "nested too deeply"},
		"memory that is not exported":  {with(func(a *asm) { a.skip = "memory" }), "does not export memory"},
		"allocate that is not there":   {with(func(a *asm) { a.skip = "allocate" }), "does not export allocate"},
		"a host function that is none": {with(func(a *asm) { a.imports = []asmImport{{"env", "system", i32s(1), i32s(1)}} }), "env.system"},
	} {
		began := time.Now()
		c, err := r.engine.Compile(t.Context(), tc.code)
		limit := 20 * time.Second
		if testing.Short() { // under the race detector, which makes the compiler slow
			limit *= 6
		}
		if took := time.Since(began); took > limit {
			t.Errorf("%s: it took %s", name, took)
		}
		switch {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		case c != nil:
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if gas := r.good(); gas != r.gas {
			t.Errorf("%s: after it the victim takes %d gas, before %d", name, gas, r.gas)
		}
	}
}

func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "f" + strings.Repeat("x", i%200) + string(rune('a'+i/200))
	}
	return out
}
