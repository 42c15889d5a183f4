package endpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// echo answers with a Verified of the In's id, and notes if it is ever called twice at a time.
type echo struct {
	busy    atomic.Int32
	overlap atomic.Bool
	stop    chan struct{} // requests of sessions wait for it
	waiting atomic.Int32
}

func (e *echo) apart(in *wire.In) []*wire.Out {
	e.waiting.Add(1)
	<-e.stop
	return []*wire.Out{{ReplyTo: in.Id, Body: &wire.Out_SessionReply{SessionReply: &wire.SessionReply{}}}, {ReplyTo: in.Id, Body: &wire.Out_Done{Done: &wire.Done{}}}}
}

func (e *echo) Handle(_ context.Context, in *wire.In) []*wire.Out {
	if e.Apart(in) {
		return e.apart(in)
	}
	if e.busy.Add(1) > 1 {
		e.overlap.Store(true)
	}
	defer e.busy.Add(-1)
	time.Sleep(100 * time.Microsecond)
	return []*wire.Out{
		{ReplyTo: in.Id, Body: &wire.Out_Verified{Verified: &wire.Verified{Height: in.Id}}},
		{ReplyTo: in.Id, Body: &wire.Out_Done{Done: &wire.Done{}}},
	}
}

// Apart is for requests of sessions.
func (e *echo) Apart(in *wire.In) bool { return in.GetSessionCall() != nil }

func writeFrame(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func serve(t *testing.T) (dial func() net.Conn, h *echo) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	h = &echo{stop: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(h, slog.New(slog.DiscardHandler)).Serve(ctx, l) }()
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
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(5 * time.Second))
		return c
	}, h
}

func ask(t *testing.T, c net.Conn, id uint64) {
	t.Helper()
	if err := writeFrame(c, wire.Marshal(&wire.In{Id: id, Body: &wire.In_Hello{Hello: &wire.Hello{}}})); err != nil {
		t.Fatal(err)
	}
	if o := next(t, c); o.GetVerified().GetHeight() != id {
		t.Fatalf("got %v", o)
	}
	if o := next(t, c); o.GetDone() == nil || o.ReplyTo != id {
		t.Fatalf("got %v", o)
	}
}

func next(t *testing.T, c net.Conn) *wire.Out {
	t.Helper()
	b, err := readFrame(c)
	if err != nil {
		t.Fatal(err)
	}
	var o wire.Out
	if err := wire.Unmarshal(b, &o); err != nil {
		t.Fatal(err)
	}
	return &o
}

func TestGarbageIsAnsweredAndTheConnectionGoesOn(t *testing.T) {
	dial, _ := serve(t)
	c := dial()
	for _, b := range [][]byte{nil, {0xff}, []byte("GET / HTTP/1.1"), {8, 0x80, 0}, wire.Marshal(&wire.In{Id: 7}), append(wire.Marshal(&wire.In{Id: 7, Body: &wire.In_Hello{Hello: &wire.Hello{}}}), 0xf8, 7, 1)} {
		if err := writeFrame(c, b); err != nil {
			t.Fatal(err)
		}
		if f := next(t, c).GetFailure(); f == nil || f.Code != "malformed" {
			t.Errorf("%x: %v", b, f)
		}
		if next(t, c).GetDone() == nil {
			t.Errorf("%x: no Done", b)
		}
	}
	ask(t, c, 9)
}

func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, c); err != nil && n > 0 {
		t.Errorf("%d bytes and %v, want the end", n, err)
	}
}

func TestOversizedAndHalfFrames(t *testing.T) {
	dial, _ := serve(t)
	c := dial()
	c.Write(binary.BigEndian.AppendUint32(nil, MaxFrame+1))
	closed(t, c)
	c = dial() // announces much, brings little, and goes
	c.Write(append(binary.BigEndian.AppendUint32(nil, MaxFrame), 1, 2, 3))
	c.(*net.UnixConn).CloseWrite()
	closed(t, c)
	c = dial()
	c.Write([]byte{0, 0})
	c.(*net.UnixConn).CloseWrite()
	closed(t, c)
	ask(t, dial(), 3)
}

func TestALargestFrameIsTaken(t *testing.T) {
	b := bytes.Repeat([]byte{1}, MaxFrame)
	var buf bytes.Buffer
	if err := writeFrame(&buf, b); err != nil {
		t.Fatal(err)
	}
	if got, err := readFrame(&buf); err != nil || len(got) != MaxFrame {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestANewConnectionReplacesTheOld(t *testing.T) {
	dial, _ := serve(t)
	a := dial()
	ask(t, a, 1)
	a.Write([]byte{0, 0, 0, 9, 1}) // half a frame: it would wait for ever
	b := dial()
	ask(t, b, 2)
	closed(t, a)
	ask(t, b, 3)
}

func TestOneInAtATime(t *testing.T) {
	dial, h := serve(t)
	var wg sync.WaitGroup
	for i := range 20 {
		c := dial()
		wg.Go(func() {
			for range 20 {
				if writeFrame(c, wire.Marshal(&wire.In{Id: uint64(i), Body: &wire.In_Hello{Hello: &wire.Hello{}}})) != nil {
					return // replaced
				}
			}
			io.CopyN(io.Discard, c, 100)
		})
	}
	wg.Wait()
	if h.overlap.Load() {
		t.Error("two Ins at a time")
	}
	ask(t, dial(), 5)
}

// Requests in sessions hold up neither each other nor the host's turns: what waits is bounded, and more is refused.
func TestSessionsTakeNoTurn(t *testing.T) {
	dial, h := serve(t)
	c := dial()
	const late = 7
	for i := range uint64(maxApart + maxLater + late) {
		if err := writeFrame(c, wire.Marshal(&wire.In{Id: 1000 + i, Body: &wire.In_SessionCall{SessionCall: &wire.SessionCall{}}})); err != nil {
			t.Fatal(err)
		}
		for i < maxApart && h.waiting.Load() <= int32(i) {
			time.Sleep(time.Millisecond)
		}
	}
	for range late {
		if o := next(t, c); o.GetFailure().GetCode() != "busy" || o.ReplyTo < 1000+maxApart+maxLater || o.GetFailure().Next == "" {
			t.Fatalf("got %v", o)
		}
		next(t, c)
	}
	ask(t, c, 1)
	if n := h.waiting.Load(); n != maxApart {
		t.Errorf("%d at a time, want %d", n, maxApart)
	}
	close(h.stop)
	seen := map[uint64]bool{}
	for range maxApart + maxLater {
		o := next(t, c)
		if o.GetSessionReply() == nil || seen[o.ReplyTo] {
			t.Fatalf("got %v", o)
		}
		seen[o.ReplyTo] = true
		if d := next(t, c); d.GetDone() == nil || d.ReplyTo != o.ReplyTo {
			t.Fatalf("the Done of %d is %v", o.ReplyTo, d)
		}
	}
	ask(t, c, 2)
}

// What waits is bounded in bytes too, and forgotten with its connection.
func TestWhatWaitsForAWorker(t *testing.T) {
	w, stop := newWorkers(), make(chan struct{})
	var begun, done atomic.Int32
	job := func() { begun.Add(1); <-stop; done.Add(1) }
	for i := range int32(maxApart) {
		if !w.do(maxLaterSize, job) {
			t.Fatalf("job %d is refused", i)
		}
		for begun.Load() <= i {
			time.Sleep(time.Millisecond)
		}
	}
	if !w.do(maxLaterSize-1, job) || w.do(2, job) || !w.do(1, job) {
		t.Error("what waits is not bounded by its bytes")
	}
	w.close()
	close(stop)
	for done.Load() < maxApart {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	if n := begun.Load(); n != maxApart {
		t.Errorf("%d jobs, want %d: who asked is gone", n, maxApart)
	}
}

// A host that reads nothing makes the enclave wait, and costs it no memory.
func TestWhatIsNotReadIsBounded(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	o := newOutbox(near)
	big := []*wire.Out{{Body: &wire.Out_Reply{Reply: &wire.SealedReply{Ciphertext: make([]byte, 1<<19)}}}}
	var put atomic.Int32
	go func() {
		for range 20 {
			if o.put(big) != nil {
				return
			}
			put.Add(1)
		}
	}()
	time.Sleep(50 * time.Millisecond)
	if n := put.Load(); n > 5 {
		t.Errorf("%d answers of half a MiB are held", n)
	}
	far.Close()
	o.close()
	if o.put(big) == nil {
		t.Error("an answer to nobody")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 7})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFrame(bytes.NewReader(b))
		if err == nil && !bytes.Equal(binary.BigEndian.AppendUint32(nil, uint32(len(got))), b[:4]) {
			t.Errorf("%x reads as %x", b, got)
		}
	})
}
