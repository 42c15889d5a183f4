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

// maxApart bounds how many Ins that take no turn are answered at a time; what comes beyond waits, and all that comes after it.
const maxApart = 64

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
	apart := &workers{jobs: make(chan func())}
	defer close(apart.jobs)
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
	apart.do(func() {
		_ = out.put(s.handler.Handle(ctx, &in)) // the next turn, or the reader, hears of the error too
	})
	return nil
}

// workers are goroutines that stay: what a contract needs of their stacks is made once. One goroutine gives them work.
type workers struct {
	jobs chan func()
	n    int
}

// do has job done; it waits while maxApart are under way.
func (w *workers) do(job func()) {
	select {
	case w.jobs <- job:
		return
	default:
	}
	if w.n == maxApart {
		w.jobs <- job
		return
	}
	w.n++
	go func() {
		for ; job != nil; job = <-w.jobs {
			job()
		}
	}()
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
