// Package channel carries the bytes of attested channels between clients and the enclave's socket. They are TLS between those two, so
// that there is nothing to read here; it must never end TLS itself.
package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Config of a Pipe. Zero means the default where one is named.
type Config struct {
	Socket string // of the enclave's channels
	Log    *slog.Logger

	Conns   int           // at a time; default 32, as many as an enclave takes
	PerHost int           // of them from one address; default 8
	Idle    time.Duration // without a byte in either direction; default 2 min
}

// Pipe is the way to one enclave's channels.
type Pipe struct {
	cfg Config

	mu    sync.Mutex
	open  int
	hosts map[string]int
}

// New makes a pipe.
func New(cfg Config) *Pipe {
	if cfg.Conns == 0 {
		cfg.Conns = 32
	}
	if cfg.PerHost == 0 {
		cfg.PerHost = 8
	}
	if cfg.Idle == 0 {
		cfg.Idle = 2 * time.Minute
	}
	return &Pipe{cfg: cfg, hosts: map[string]int{}}
}

// Serve takes clients until ctx ends, and closes l. An enclave that is away costs its clients their connections and nothing else.
func (p *Pipe) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("taking a channel's client: %w", err)
		}
		host := hostOf(c)
		if !p.enter(host) {
			c.Close()
			p.cfg.Log.Debug("channel refused: too many are open", "from", host)
			continue
		}
		wg.Go(func() {
			defer p.leave(host)
			if err := p.carry(ctx, c); err != nil && ctx.Err() == nil {
				p.cfg.Log.Debug("channel ended", "from", host, "reason", err)
			}
		})
	}
}

func hostOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}

func (p *Pipe) enter(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open >= p.cfg.Conns || p.hosts[host] >= p.cfg.PerHost {
		return false
	}
	p.open++
	p.hosts[host]++
	return true
}

func (p *Pipe) leave(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if p.hosts[host]--; p.hosts[host] == 0 {
		delete(p.hosts, host)
	}
}

// carry copies in both directions until one of both ends.
func (p *Pipe) carry(ctx context.Context, client net.Conn) error {
	defer client.Close()
	var d net.Dialer
	enclave, err := d.DialContext(ctx, "unix", p.cfg.Socket)
	if err != nil {
		return fmt.Errorf("connecting to the enclave's channels: %w", err)
	}
	defer enclave.Close()
	both := func() { client.Close(); enclave.Close() }
	defer context.AfterFunc(ctx, both)()
	idle := time.AfterFunc(p.cfg.Idle, both)
	defer idle.Stop()
	ended := make(chan error, 2)
	for _, way := range [][2]net.Conn{{client, enclave}, {enclave, client}} {
		go func() {
			_, err := io.Copy(way[1], &watched{way[0], func() { idle.Reset(p.cfg.Idle) }})
			both()
			ended <- err
		}()
	}
	first, second := <-ended, <-ended
	if errors.Is(first, net.ErrClosed) {
		first = second
	}
	return first
}

// watched tells of every read.
type watched struct {
	r    io.Reader
	read func()
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.read()
	return n, err
}
