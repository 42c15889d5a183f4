package channel

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/phala-go/phala/core/attest/channel"
)

// Config of a Server. Zero means the default where one is named.
type Config struct {
	Door *Door
	Log  *slog.Logger

	Conns     int           // at a time; default 32. Who comes when all are taken is let go at once
	Handshake time.Duration // default 10 s
	Idle      time.Duration // from one request to the next; default 1 min
	Frame     time.Duration // for the rest of a request, and for an answer; default 30 s
	Life      time.Duration // of a connection; default an hour, that of a certificate
	Renew     time.Duration // from one certificate, with its key, to the next; default 10 min, at most half its life
}

// Server serves channels on one listener.
type Server struct {
	cfg Config

	mu     sync.Mutex
	shown  *tls.Certificate
	issued time.Time
}

// New makes a server. Its keys live in this memory and nowhere else.
func New(cfg Config) *Server {
	if cfg.Conns == 0 {
		cfg.Conns = 32
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{
		{&cfg.Handshake, 10 * time.Second}, {&cfg.Idle, time.Minute}, {&cfg.Frame, 30 * time.Second},
		{&cfg.Life, channel.MaxLife}, {&cfg.Renew, 10 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	return &Server{cfg: cfg}
}

// tls is one suite of everything: no other version, no other key exchange, nothing resumed.
func (s *Server) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519MLKEM768},
		SessionTicketsDisabled: true,
		NextProtos:             []string{channel.Protocol},
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate() },
	}
}

// certificate gives the one in use; a new one has a new key, so that a stolen key is good for an hour at most.
func (s *Server) certificate() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now() // the host's clock: stopping it makes certificates run out
	if s.shown != nil && now.Sub(s.issued) < s.cfg.Renew && !now.Before(s.issued) {
		return s.shown, nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing a channel's key: %w", err)
	}
	der, err := s.cfg.Door.certificate(public)
	if err != nil {
		return nil, err
	}
	s.shown, s.issued = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, now
	return s.shown, nil
}

// Serve takes connections until ctx ends, and closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	slots := make(chan struct{}, s.cfg.Conns)
	config := s.tls()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("taking a channel: %w", err)
		}
		select {
		case slots <- struct{}{}:
		default:
			c.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.converse(ctx, c, config); err != nil && ctx.Err() == nil {
				s.cfg.Log.Debug("channel ended", "reason", err)
			}
		})
	}
}
