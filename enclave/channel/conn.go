package channel

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/wire"
)

// converse answers one stranger until either is tired of it. Every wait has an end that no byte of theirs moves.
func (s *Server) converse(ctx context.Context, raw net.Conn, config *tls.Config) error {
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	end := time.Now().Add(s.cfg.Life)
	if err := raw.SetDeadline(time.Now().Add(s.cfg.Handshake)); err != nil {
		return err
	}
	c := tls.Server(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("shaking hands: %w", err)
	}
	if st := c.ConnectionState(); st.Version != tls.VersionTLS13 || st.CurveID != tls.X25519MLKEM768 || st.NegotiatedProtocol != channel.Protocol {
		return fmt.Errorf("shaking hands: %s with %s and protocol %q is no channel", tls.VersionName(st.Version), st.CurveID, st.NegotiatedProtocol)
	}
	for {
		out, last, err := s.next(ctx, c, end)
		if err != nil {
			return err
		}
		if err := s.send(c, out, end); err != nil || last {
			return err
		}
	}
}

// next reads one request and gives its answer; after the last one the connection ends.
func (s *Server) next(ctx context.Context, c net.Conn, end time.Time) (out *wire.Out, last bool, err error) {
	if err := c.SetReadDeadline(sooner(s.cfg.Idle, end)); err != nil {
		return nil, false, err
	}
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, false, fmt.Errorf("waiting for a request: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > channel.MaxRequest {
		return failure(0, "too-large", fmt.Sprintf("a request of %d bytes: at most %d", n, channel.MaxRequest), "send less in one request"), true, nil
	}
	if err := c.SetReadDeadline(sooner(s.cfg.Frame, end)); err != nil {
		return nil, false, err
	}
	// What is announced need not come: grow with what is there.
	b, err := io.ReadAll(io.LimitReader(c, int64(n)))
	if err == nil && len(b) != int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading a request of %d bytes: %w", n, err)
	}
	var in wire.In
	if err := wire.Unmarshal(b, &in); err != nil || in.Body == nil {
		return failure(0, "malformed", fmt.Sprintf("a frame of %d bytes is no In of this version", n), "use a client of this version"), true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Frame)
	defer cancel()
	return s.cfg.Door.ask(ctx, &in), false, nil
}

func (s *Server) send(c net.Conn, out *wire.Out, end time.Time) error {
	b := wire.Marshal(out)
	if len(b) > channel.MaxAnswer {
		b = wire.Marshal(failure(out.ReplyTo, "too-large", fmt.Sprintf("the answer has %d bytes: at most %d go through a channel", len(b), channel.MaxAnswer), "ask a gateway"))
	}
	if err := c.SetWriteDeadline(sooner(s.cfg.Frame, end)); err != nil {
		return err
	}
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}

// sooner is d from now, or the end if that comes first.
func sooner(d time.Duration, end time.Time) time.Time {
	if t := time.Now().Add(d); t.Before(end) {
		return t
	}
	return end
}
