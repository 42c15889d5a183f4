package enclave_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/enclave"
)

// peer is the other end of a connection, frame by frame.
type peer struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func (p *peer) read() *wire.In {
	p.t.Helper()
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		p.t.Errorf("the enclave reads: %v", err)
		return &wire.In{}
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(p.r, b); err != nil {
		p.t.Error(err)
	}
	in := new(wire.In)
	if err := wire.Unmarshal(b, in); err != nil {
		p.t.Error(err)
	}
	return in
}

func (p *peer) say(to uint64, outs ...*wire.Out) {
	for _, o := range outs {
		o.ReplyTo = to
		b := wire.Marshal(o)
		_, _ = p.c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	}
}

func done() *wire.Out { return &wire.Out{Body: &wire.Out_Done{Done: &wire.Done{}}} }
func needValues(h uint64) *wire.Out {
	return &wire.Out{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: h}}}
}
func reply(b byte) *wire.Out {
	return &wire.Out{Body: &wire.Out_Reply{Reply: &wire.SealedReply{Ciphertext: []byte{b}}}}
}
func failure(code string) *wire.Out {
	return &wire.Out{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: code, Message: "why"}}}
}
func query() *wire.In { return &wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: 1}}} }

type heard struct {
	mu   sync.Mutex
	outs []*wire.Out
	more chan struct{}
}

func (h *heard) handle(o *wire.Out) {
	h.mu.Lock()
	h.outs = append(h.outs, o)
	h.mu.Unlock()
	h.more <- struct{}{}
}

// pair is a connection over a unix socket with Run going.
func pair(t *testing.T) (*enclave.Conn, *peer, *heard, <-chan error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := enclave.Dial(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &heard{more: make(chan struct{}, 100)}
	ended := make(chan error, 1)
	go func() { ended <- conn.Run(ctx, h.handle) }()
	t.Cleanup(func() { cancel(); nc.Close() })
	return conn, &peer{t, nc, bufio.NewReader(nc)}, h, ended
}

func TestAnswersFindTheirCalls(t *testing.T) {
	conn, p, h, _ := pair(t)
	type result struct {
		out *wire.Out
		err error
	}
	first, second := make(chan result, 1), make(chan result, 1)
	call := func(to chan result) {
		out, err := conn.Call(context.Background(), query())
		to <- result{out, err}
	}
	go call(first)
	a := p.read()
	go call(second)
	b := p.read()
	if a.Id == 0 || a.Id == b.Id {
		t.Fatalf("ids %d and %d", a.Id, b.Id)
	}
	// The second is answered first; what the enclave says besides goes to the handler, whatever number it carries.
	p.say(b.Id, needValues(7), reply(2))
	p.say(a.Id, needValues(8), failure("no"))
	p.say(0, needValues(9), failure("by itself"))
	p.say(b.Id, done())
	p.say(a.Id, done())
	if r := <-second; r.err != nil || r.out.GetReply().GetCiphertext()[0] != 2 {
		t.Errorf("second: %v, %v", r.out, r.err)
	}
	var f *enclave.Failure
	if r := <-first; !errors.As(r.err, &f) || f.Code != "no" || r.out != nil {
		t.Errorf("first: %v, %v", r.out, r.err)
	}
	for range 4 {
		<-h.more
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.outs) != 4 || h.outs[0].GetNeedValues().GetHeight() != 7 || h.outs[3].GetFailure().GetCode() != "by itself" {
		t.Errorf("the handler heard %v", h.outs)
	}
}

func TestFailureOfAPostIsHeard(t *testing.T) {
	conn, p, h, _ := pair(t)
	if err := conn.Post(query()); err != nil {
		t.Fatal(err)
	}
	in := p.read()
	p.say(in.Id, failure("x"), done())
	<-h.more
	if h.outs[0].GetFailure().GetCode() != "x" || h.outs[0].ReplyTo != in.Id {
		t.Errorf("heard %v", h.outs)
	}
}

func TestABrokenConnectionEndsCalls(t *testing.T) {
	conn, p, _, ended := pair(t)
	got := make(chan error, 1)
	go func() {
		_, err := conn.Call(context.Background(), query())
		got <- err
	}()
	p.read()
	p.c.Close()
	if err := <-got; !errors.Is(err, enclave.ErrDown) {
		t.Errorf("call: %v", err)
	}
	if err := <-ended; !errors.Is(err, enclave.ErrDown) {
		t.Errorf("run: %v", err)
	}
	if _, err := conn.Call(context.Background(), query()); !errors.Is(err, enclave.ErrDown) {
		t.Errorf("after: %v", err)
	}
	if err := conn.Post(query()); !errors.Is(err, enclave.ErrDown) {
		t.Errorf("after: %v", err)
	}
}

func TestACallMayBeGivenUp(t *testing.T) {
	conn, p, h, _ := pair(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := conn.Call(ctx, query()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	p.say(p.read().Id, reply(1), done()) // too late: nobody's
	p.say(0, needValues(1))
	<-h.more
	<-h.more
}

func TestFramesAreBounded(t *testing.T) {
	conn, p, _, ended := pair(t)
	big := &wire.In{Body: &wire.In_Code{Code: &wire.CodeBytes{Packed: make([]byte, enclave.MaxFrame)}}}
	if err := conn.Post(big); err == nil {
		t.Error("an oversized message was sent")
	}
	_, _ = p.c.Write([]byte{0xff, 0xff, 0xff, 0xff})
	if err := <-ended; !errors.Is(err, enclave.ErrDown) {
		t.Errorf("run: %v", err)
	}
}

func TestNonsenseEndsTheConnection(t *testing.T) {
	_, p, _, ended := pair(t)
	_, _ = p.c.Write([]byte{0, 0, 0, 2, 0xff, 0xff})
	if err := <-ended; !errors.Is(err, enclave.ErrDown) {
		t.Errorf("run: %v", err)
	}
}

func TestLinkWithoutAConnection(t *testing.T) {
	var l enclave.Link
	if _, err := l.Call(context.Background(), query()); !errors.Is(err, enclave.ErrDown) {
		t.Errorf("call: %v", err)
	}
	if err := l.Post(query()); !errors.Is(err, enclave.ErrDown) {
		t.Errorf("post: %v", err)
	}
}
