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
}

// Server serves one connection at a time; a new one replaces the old.
type Server struct {
	handler Handler
	log     *slog.Logger
	mu      sync.Mutex // one In at a time, whatever connection it came by
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
	r, w := bufio.NewReaderSize(c, 1<<16), bufio.NewWriterSize(c, 1<<16)
	for {
		frame, err := readFrame(r)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, o := range s.answer(ctx, frame) {
			if err := writeFrame(w, wire.Marshal(o)); err != nil {
				return fmt.Errorf("answering: %w", err)
			}
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
}

// answer gives garbage its Failure; the connection goes on, since frames keep their borders.
func (s *Server) answer(ctx context.Context, frame []byte) []*wire.Out {
	var in wire.In
	if err := wire.Unmarshal(frame, &in); err != nil || in.Body == nil {
		return []*wire.Out{
			{Body: &wire.Out_Failure{Failure: &wire.Failure{
				Code: "malformed", Message: fmt.Sprintf("a frame of %d bytes is no In of this version", len(frame)), Next: "see docs/protocol.md, pruntime's endpoint",
			}}},
			{Body: &wire.Out_Done{Done: &wire.Done{}}},
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handler.Handle(ctx, &in)
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

func writeFrame(w io.Writer, b []byte) error {
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}
