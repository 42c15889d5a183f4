package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
)

// images are the implementations of image: each passes all tests here.
func images(t *testing.T, content []byte, most uint64) map[string]image {
	t.Helper()
	all := map[string]image{"heap": &heapImage{bytes.Clone(content), most}}
	m := newMapper()
	t.Cleanup(func() { _ = m.close() })
	for name, blind := range map[string]bool{"mapped": false, "mapped blindly": true} {
		if i, err := blinded(m, blind).image(content, most); err == nil {
			all[name] = i
		} else {
			t.Log(name, err)
		}
	}
	return all
}

// TestRestore writes to memories at random and looks at every byte of them
// after each restoration.
func TestRestore(t *testing.T) {
	const pages, most = 5, 9
	r := rand.NewChaCha8([32]byte{1})
	rnd := rand.New(r)
	content := make([]byte, pages*wasmPage)
	for range 30 { // islands, and holes between
		at := rnd.IntN(len(content) - 4096)
		_, _ = r.Read(content[at : at+rnd.IntN(4096)])
	}
	want := append(bytes.Clone(content), make([]byte, (most-pages)*wasmPage)...)
	for name, img := range images(t, content, most*wasmPage) {
		if img.size() != uint64(len(content)) {
			t.Fatalf("%s: size %d", name, img.size())
		}
		m, err := img.memory()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		other, err := img.memory()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.Reallocate((most+1)*wasmPage) != nil {
			t.Errorf("%s: grew beyond its bound", name)
		}
		for round := range 60 {
			b := m.Reallocate(1)
			if round%3 == 0 {
				b = m.Reallocate(uint64(pages+1+rnd.IntN(most-pages)) * wasmPage)
			}
			used := uint64(len(b))
			for range rnd.IntN(200) {
				b[rnd.IntN(len(b))] = byte(rnd.Uint32())
			}
			for i := range 12 { // what gets hot
				b[i*8192+round] = 0xff
			}
			switch round % 20 {
			case 7: // everything
				_, _ = r.Read(b)
			case 8:
				b = b[:wasmPage]
				clear(b)
			}
			if err := m.restore(used); err != nil {
				t.Fatalf("%s, round %d: %v", name, round, err)
			}
			m.shrink(true)
			if n := len(m.Reallocate(most * wasmPage)); n != len(content) {
				t.Fatalf("%s: shrank to %d", name, n)
			}
			m.shrink(false)
			if got := m.Reallocate(most * wasmPage); !bytes.Equal(got, want) {
				t.Fatalf("%s, round %d: memory is not what it was", name, round)
			}
			if err := m.restore(most * wasmPage); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(other.Reallocate(1), content) {
			t.Errorf("%s: another memory of the image has changed", name)
		}
		m.Free()
		m.Free()
		other.Free()
		if err := img.close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hostile is a contract that leaves as much behind as it can, grows its
// memory, and answers with what it finds of an earlier call's.
func hostile() *asm {
	a := &asm{}
	seen := a.region(make([]byte, 16), 16) + 12
	load := func(at uint32) []byte { return cat(i32const(at), []byte{0x28, 2, 0}) }
	put := func(to uint32, v []byte) []byte { return cat(i32const(to), v, []byte{0x36, 2, 0}) }
	fill := func(at, n uint32) []byte { return cat(i32const(at), i32const(0xee), i32const(n), []byte{0xfc, 11, 0}) }
	const far, size = 900 << 10, 17 * wasmPage
	body := cat(
		put(seen, load(far)),               // a byte of memory
		put(seen+4, []byte{0x3f, 0}),       // its size
		put(seen+8, []byte{0x23, 0}),       // a global
		i32const(3), []byte{0x40, 0, 0x1a}, // grow
		put(seen+12, load(size+2*wasmPage)),     // what grew
		a.store("saw", i32const(seen-12)),       //
		fill(300<<10, 600<<10), fill(far, 4096), // dirt everywhere
		fill(size, 3*wasmPage), i32const(99), []byte{0x1a}, //
		[]byte{0x23, 0}, i32const(512<<10), []byte{0x6a, 0x24, 0}, // and in the global
	)
	a.entries = map[Entry][]byte{Execute: cat(body, a.say(emptyResponse))}
	return a
}

// TestNothingPasses compares memory, what was grown, and the globals of a
// pooled instance byte for byte, between the calls of a hostile contract.
func TestNothingPasses(t *testing.T) {
	ctx := context.Background()
	e := newEngine(t, Config{Instances: 1})
	c := hostile().must(t, e)
	p := e.instances.(*pool)
	inst, err := p.take(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	look := func(i *instance) []byte {
		b := bytes.Clone(i.memory.Reallocate(uint64(e.memoryBytes())))
		for _, g := range i.globals {
			b = fmt.Appendf(b, "%x %d\n", g.Type(), g.Get())
		}
		return fmt.Appendf(b, "%d", i.Memory().Size())
	}
	want := look(inst)
	p.release(ctx, inst, true)
	var first memory
	var gas uint64
	for n := range 12 {
		s := memory{}
		out, err := run(t, e, c, Execute, s)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first, gas = s, out.GasUsed
		}
		if !maps.EqualFunc(first, s, bytes.Equal) || out.GasUsed != gas {
			t.Fatalf("call %d saw %x with %d gas, the first %x with %d", n, s["saw"], out.GasUsed, first["saw"], gas)
		}
		again, err := p.take(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if again != inst {
			t.Fatal("another instance than before")
		}
		if !bytes.Equal(look(again), want) {
			t.Fatalf("after call %d the instance is not as it was", n)
		}
		p.release(ctx, again, true)
	}
	if c.program.idle[0] != inst {
		t.Error("the instance was not kept")
	}
}

// TestFreshAndPooled: results, state and gas do not depend on where the
// instance comes from.
func TestFreshAndPooled(t *testing.T) {
	pooled, fresh := newEngine(t, Config{}), newEngine(t, Config{})
	for name, a := range map[string]*asm{"hostile": hostile(), "empty": {}, "initialised": {init: cat(i32const(64), i32const(7), []byte{0x36, 2, 0})}} {
		p, f := a.must(t, pooled), a.must(t, fresh)
		unpool(fresh)
		for _, entry := range []Entry{Instantiate, Execute, Execute, Execute, Execute, Execute} {
			s1, s2 := memory{}, memory{}
			o1, err1 := run(t, pooled, p, entry, s1)
			o2, err2 := run(t, fresh, f, entry, s2)
			if err1 != nil || err2 != nil || o1.GasUsed != o2.GasUsed || o1.GasUsed == 0 || !maps.EqualFunc(s1, s2, bytes.Equal) {
				t.Errorf("%s %s: %d gas, %v, %v pooled; %d gas, %v, %v fresh", name, entry, o1.GasUsed, s1, err1, o2.GasUsed, s2, err2)
			}
		}
	}
}

// TestDeepStacksAreNotKept: what a call needed of native stack is given back.
// It also notices when wazero keeps its stacks elsewhere.
func TestDeepStacksAreNotKept(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.call("debug") // function 0; allocate 1, deallocate 2, version 3, instantiate 4, execute 5
	// Down to the next multiple of 32768: up to as many calls within each other.
	a.entries = map[Entry][]byte{Execute: cat(
		[]byte{0x20, 0}, i32const(1), []byte{0x6b, 0x22, 0}, i32const(0x7fff), []byte{0x71, 0x45, 0x04, 0x7f},
		a.say(emptyResponse), []byte{0x05, 0x20, 0, 0x20, 1, 0x20, 2, 0x10, 5, 0x0b})}
	c := a.must(t, e)
	if _, err := run(t, e, c, Execute, memory{}); err != nil {
		t.Fatal(err)
	}
	inst := c.program.idle[0]
	if x := inst.exports["execute"]; x != nil {
		t.Errorf("a stack of %d bytes is kept", x.stackBytes())
	}
	if x := inst.exports["allocate"]; x == nil || x.stackBytes() == 0 {
		t.Error("there is no stack where there was one")
	}
}

// TestDiscardedAfterTraps: an instance that trapped is never used again.
func TestDiscardedAfterTraps(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{}
	a.entries = map[Entry][]byte{Execute: {0}}
	c := a.must(t, e)
	for range 3 {
		if _, err := run(t, e, c, Instantiate, memory{}); err != nil {
			t.Fatal(err)
		}
		before := c.program.idle[0]
		var trap *TrapError
		if _, err := run(t, e, c, Execute, memory{}); !errors.As(err, &trap) {
			t.Fatal(err)
		}
		if len(c.program.idle) != 0 || !before.module.IsClosed() {
			t.Error("it was kept")
		}
	}
}

// TestLeastRecentlyUsedLeaves: what was not used for longest goes, and comes
// back when it is called.
func TestLeastRecentlyUsedLeaves(t *testing.T) {
	e := newEngine(t, Config{MaxRAM: 1, Instances: 1})
	a, b := &asm{}, &asm{data: []byte("another")}
	ca, cb := a.must(t, e), b.must(t, e)
	if ca.program != nil || cb.program == nil {
		t.Error("the first one is still there")
	}
	for range 3 {
		if _, err := run(t, e, ca, Execute, memory{}); err != nil || ca.program == nil || cb.program != nil {
			t.Errorf("%v, %v, %v", err, ca.program, cb.program)
		}
		if _, err := run(t, e, cb, Execute, memory{}); err != nil || ca.program != nil || cb.program == nil {
			t.Errorf("%v, %v, %v", err, ca.program, cb.program)
		}
	}
	p := e.instances.(*pool)
	if err := errors.Join(ca.Close(context.Background()), cb.Close(context.Background())); err != nil || p.used != 0 {
		t.Errorf("%d bytes are counted when nothing is left, %v", p.used, err)
	}
	if _, err := run(t, e, ca, Execute, memory{}); err == nil {
		t.Error("a closed contract ran")
	}
}

// TestManyContractsAtOnce: calls of contracts that push one another out.
func TestManyContractsAtOnce(t *testing.T) {
	e := newEngine(t, Config{MaxRAM: 40 << 20, Instances: 2})
	var all []*Contract
	for i := range 6 {
		a := &asm{}
		a.entries = map[Entry][]byte{Execute: cat(a.store("k", a.text(fmt.Sprint(i))), a.say(emptyResponse))}
		all = append(all, a.must(t, e))
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for n := range 60 {
				i := (g + n*n) % len(all)
				s := memory{}
				if _, err := run(t, e, all[i], Execute, s); err != nil || string(s["k"]) != fmt.Sprint(i) {
					t.Errorf("contract %d: %q, %v", i, s["k"], err)
				}
			}
		})
	}
	group.Wait()
}
