// Package endpoint is the one door of an enclave: a local socket that takes framed Ins and gives framed Outs (docs/protocol.md,
// pruntime's endpoint). It must never decide anything: what it reads goes to the runtime as it is, garbage excepted.
package endpoint

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"

	"github.com/phala-go/phala/core/wire"
)

// MaxFrame bounds a frame in bytes.
const MaxFrame = 16 << 20

// Handler answers one In.
type Handler interface {
	Handle(ctx context.Context, in *wire.In) []*wire.Out
	// Apart says whether an In takes no turn: Handle may be called for any number of these at a time, and while another In is handled.
	Apart(in *wire.In) bool
}

// Bounds of what takes no turn. Beyond them an In is refused at once: to wait for it would keep the host's turns waiting.
const (
	maxApart     = 16      // worked on at a time, so that turns get their share of the processors
	maxLater     = 2048    // that wait for that
	maxLaterSize = 8 << 20 // bytes of theirs
)

// Server serves one connection at a time; a new one replaces the old.
type Server struct {
	handler Handler
	log     *slog.Logger
	mu      sync.Mutex // one In that takes a turn at a time, whatever connection it came by
}

// New makes a server.
func New(h Handler, log *slog.Logger) *Server { return &Server{handler: h, log: log} }

// Serve takes connections until ctx ends, and closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var last net.Conn
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if last != nil {
				last.Close()
			}
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("taking a connection: %w", err)
		}
		if last != nil {
			last.Close()
		}
		last = c
		wg.Go(func() {
			defer c.Close()
			if err := s.converse(ctx, c); err != nil && ctx.Err() == nil {
				s.log.Warn("connection ended", "reason", err)
			}
		})
	}
}

func (s *Server) converse(ctx context.Context, c net.Conn) error {
	out := newOutbox(c)
	defer out.close()
	apart := newWorkers()
	defer apart.close()
	r := bufio.NewReaderSize(c, 1<<16)
	for {
		frame, err := readFrame(r)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.take(ctx, frame, out, apart); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
}

// take answers one frame, in its turn or, where it needs none, whenever it is done.
func (s *Server) take(ctx context.Context, frame []byte, out *outbox, apart *workers) error {
	var in wire.In
	if err := wire.Unmarshal(frame, &in); err != nil || in.Body == nil {
		return out.put(garbage(len(frame)))
	}
	if !s.handler.Apart(&in) {
		return out.put(s.turn(ctx, &in))
	}
	taken := apart.do(len(frame), func() {
		_ = out.put(s.handler.Handle(ctx, &in)) // the next turn, or the reader, hears of the error too
	})
	if !taken {
		return out.put(busy(in.Id))
	}
	return nil
}

// workers are goroutines that stay: what a contract needs of their stacks is made once.
type workers struct {
	mu    sync.Mutex
	more  sync.Cond
	later []job
	size  int // bytes of later
	n     int // goroutines
	idle  int // of these
	ended bool
}

type job struct {
	size int
	do   func()
}

func newWorkers() *workers {
	w := &workers{}
	w.more.L = &w.mu
	return w
}

// do has something done for a frame of so many bytes, as soon as there is a place; false: too much waits already.
func (w *workers) do(size int, do func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.later) >= maxLater || w.size+size > maxLaterSize {
		return false
	}
	w.later = append(w.later, job{size, do})
	w.size += size
	switch {
	case w.idle > 0:
		w.idle--
		w.more.Signal()
	case w.n < maxApart:
		w.n++
		go w.work()
	}
	return true
}

func (w *workers) work() {
	for j, ok := w.next(); ok; j, ok = w.next() {
		j.do()
	}
}

func (w *workers) next() (job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.later) == 0 && !w.ended {
		w.idle++
		w.more.Wait() // who wakes it takes it off idle
	}
	if w.ended {
		return job{}, false
	}
	j := w.later[0]
	w.later[0] = job{}
	w.later = w.later[1:]
	w.size -= j.size
	return j, true
}

// close ends the workers, and forgets what waits: who would hear the answers has gone.
func (w *workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended, w.later = true, nil
	w.more.Broadcast()
}

func busy(id uint64) []*wire.Out {
	return []*wire.Out{
		{ReplyTo: id, Body: &wire.Out_Failure{Failure: &wire.Failure{
			Code: "busy", Message: "this worker has more questions than it answers", Next: "try after a second, or ask another member",
		}}},
		{ReplyTo: id, Body: &wire.Out_Done{Done: &wire.Done{}}},
	}
}

// garbage is the answer to a frame that says nothing; the connection goes on, since frames keep their borders.
func garbage(size int) []*wire.Out {
	return []*wire.Out{
		{Body: &wire.Out_Failure{Failure: &wire.Failure{
			Code: "malformed", Message: fmt.Sprintf("a frame of %d bytes is no In of this version", size), Next: "see docs/protocol.md, pruntime's endpoint",
		}}},
		{Body: &wire.Out_Done{Done: &wire.Done{}}},
	}
}

func (s *Server) turn(ctx context.Context, in *wire.In) []*wire.Out {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handler.Handle(ctx, in)
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxFrame {
		return nil, fmt.Errorf("frame of %d bytes: at most %d", n, MaxFrame)
	}
	// What is announced need not come: grow with what is there.
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, fmt.Errorf("reading a frame of %d bytes: %w", n, err)
	}
	if len(b) != int(n) {
		return nil, fmt.Errorf("reading a frame of %d bytes: %d came", n, len(b))
	}
	return b, nil
}
