package engine

import (
	"context"
	"testing"
)

// together takes n instances of a contract and gives them all back.
func together(t *testing.T, p *pool, c *Contract, n int) {
	t.Helper()
	var all []*instance
	for range n {
		inst, err := p.take(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, inst)
	}
	for _, inst := range all {
		p.release(context.Background(), inst, true)
	}
}

// TestInstancesAreBounded: however many run at once, no more are kept than is
// allowed, and the account of RAM is what these take.
func TestInstancesAreBounded(t *testing.T) {
	e := newEngine(t, Config{Instances: 2})
	c := (&asm{}).must(t, e)
	p := e.instances.(*pool)
	together(t, p, c, 7)
	want := c.program.size
	for _, inst := range c.program.idle {
		want += inst.memory.kept() + overhead
	}
	if n := len(c.program.idle); n != 2 || p.used != want {
		t.Errorf("%d instances are kept, %d bytes are counted and not %d", n, p.used, want)
	}
}

// TestRunningCallsCountInFull: what a call may come to use pushes out others'
// programs while it runs.
func TestRunningCallsCountInFull(t *testing.T) {
	e := newEngine(t, Config{MemoryPages: 64, MaxRAM: 12 << 20}) // two calls of 4 MiB, and not three
	a, b := (&asm{}).must(t, e), (&asm{data: []byte("another")}).must(t, e)
	if a.program == nil || b.program == nil {
		t.Fatal("two small contracts do not fit")
	}
	together(t, e.instances.(*pool), b, 2)
	if a.program == nil {
		t.Error("it left though there was room")
	}
	together(t, e.instances.(*pool), b, 3)
	if a.program != nil || b.program == nil {
		t.Error("it did not leave, or the one that runs did")
	}
}

// TestIdleInstancesLeaveForRAM: the program used last stays whatever the bound,
// its idle instances do not.
func TestIdleInstancesLeaveForRAM(t *testing.T) {
	e := newEngine(t, Config{MaxRAM: 1, Instances: 4})
	c := (&asm{}).must(t, e)
	p := e.instances.(*pool)
	for range 3 {
		if _, err := run(t, e, c, Execute, memory{}); err != nil {
			t.Fatal(err)
		}
		together(t, p, c, 4)
		if c.program == nil || len(c.program.idle) != 0 || p.used != c.program.size {
			t.Fatalf("%d instances lie idle, %d bytes are counted", len(c.program.idle), p.used)
		}
	}
	if err := c.Close(context.Background()); err != nil || p.used != 0 {
		t.Errorf("%d bytes are counted when nothing is left, %v", p.used, err)
	}
}

// TestMemoryIsBounded: a contract grows its memory as far as its engine allows
// and not by a page more.
func TestMemoryIsBounded(t *testing.T) {
	const pages = 40
	e := newEngine(t, Config{MemoryPages: pages})
	a := &asm{pages: 17}
	word := a.region(make([]byte, 8), 8) + 12
	grow := func(n uint32) []byte { return cat(i32const(n), []byte{0x40, 0}) }
	put := func(to uint32, v []byte) []byte { return cat(i32const(to), v, []byte{0x36, 2, 0}) }
	a.entries = map[Entry][]byte{Execute: cat(
		put(word, grow(pages-17+1)), put(word+4, grow(pages-17)), a.store("saw", i32const(word-12)), a.say(emptyResponse),
	)}
	c := a.must(t, e)
	for range 3 { // a kept instance has as much room as a new one
		s := memory{}
		if _, err := run(t, e, c, Execute, s); err != nil {
			t.Fatal(err)
		}
		if got := string(s["saw"]); got != "\xff\xff\xff\xff\x11\x00\x00\x00" {
			t.Errorf("one page too many and the last one: %x", got)
		}
	}
}
