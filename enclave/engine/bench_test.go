package engine

import (
	"context"
	"fmt"
	"os"
	rt "runtime/debug"
	"testing"

	"github.com/phala-go/phala/enclave/enclavetest/gocontract"
)

// bidding is the auction of the examples, open, and two calls of it.
type bidding struct {
	engine *Engine
	code   *Contract
	bidder string
}

func newBidding(b *testing.B) *bidding {
	e := newEngine(b, Config{})
	c, err := e.Compile(context.Background(), gocontract.Build(b, "../../examples/auction/contract"))
	if err != nil {
		b.Fatal(err)
	}
	return &bidding{e, c, account(b, "alice")}
}

func (x *bidding) open(b *testing.B) memory {
	s := memory{}
	x.must(b, s, Instantiate, `{"item":"a painting"}`)
	return s
}

func (x *bidding) must(b *testing.B, s memory, entry Entry, msg string) {
	_, err := x.engine.Run(context.Background(), x.code, Call{
		Entry: entry, Env: Env{Contract: "c", Caller: x.bidder}, Info: &Info{Sender: x.bidder}, Msg: []byte(msg), Store: s,
	})
	if err != nil {
		b.Error(err)
	}
}

func (x *bidding) status(b *testing.B, s memory, _ int) { x.must(b, s, Query, `{"status":{}}`) }

func (x *bidding) bid(b *testing.B, s memory, n int) {
	x.must(b, s, Execute, fmt.Sprintf(`{"bid":{"amount":"%d"}}`, n+1))
}

// BenchmarkGoContract calls a contract in Go: on instances of a pool, and on
// one made and initialised for each call.
func BenchmarkGoContract(b *testing.B) {
	x := newBidding(b)
	for _, kind := range []string{"pool", "fresh"} {
		if kind == "fresh" {
			unpool(x.engine)
		}
		for _, call := range []struct {
			name string
			do   func(*testing.B, memory, int)
		}{{"status", x.status}, {"bid", x.bid}} {
			b.Run(kind+"/"+call.name, func(b *testing.B) {
				s := x.open(b)
				b.ResetTimer()
				for n := range b.N {
					call.do(b, s, n)
				}
			})
			b.Run(kind+"/"+call.name+"_parallel", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					s := x.open(b)
					for n := 0; pb.Next(); n++ {
						call.do(b, s, n)
					}
				})
			})
		}
	}
}

// BenchmarkStart reports what it takes to make an instance from an image.
func BenchmarkStart(b *testing.B) {
	x := newBidding(b)
	p := x.engine.instances.(*pool)
	for b.Loop() {
		inst, err := p.take(context.Background(), x.code)
		if err != nil {
			b.Fatal(err)
		}
		p.release(context.Background(), inst, false)
	}
}

// BenchmarkIdleContract compiles a contract in Go, calls it until its instance
// has learnt which pages it writes, and reports the RAM that it then holds.
func BenchmarkIdleContract(b *testing.B) {
	newBidding(b) // what the first one takes for all
	before := resident(b)
	n := 0
	for b.Loop() {
		x := newBidding(b)
		s := x.open(b)
		for n := range 8 {
			x.bid(b, s, n)
			x.status(b, s, n)
		}
		n++
	}
	b.ReportMetric((resident(b)-before)/float64(n), "MB")
}

// resident is the RAM of this process in MB.
func resident(b *testing.B) float64 {
	b.Helper()
	rt.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	var size, rss float64
	if _, err := fmt.Sscan(string(text), &size, &rss); err != nil {
		b.Fatal(err)
	}
	return rss * float64(os.Getpagesize()) / 1e6
}
