// Package lightclient keeps what an enclave has verified of the chain: the newest state of core/light, recent headers, and
// whether the chain is still alive. It must never take a height, hash or value that was not verified.
package lightclient

import (
	"fmt"
	"time"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
)

// Keep is how many headers behind the newest are kept.
const Keep = 512

// Config of a Client. Zero durations mean the defaults.
type Config struct {
	Genesis        *light.Genesis
	Now            func() time.Time // the host's clock: a hint that can only make the client refuse
	TrustingPeriod time.Duration    // default 14 days, two thirds of the unbonding time of 21
	MaxClockDrift  time.Duration    // default 10 s
	Starved        time.Duration    // W: without a new header for so long it is not fresh; default 60 s
}

// Header is a verified header.
type Header struct {
	Height  uint64
	Hash    []byte
	AppHash []byte
	Time    time.Time
}

// Client is not safe for concurrent use.
type Client struct {
	cfg     Config
	state   light.State
	headers map[uint64]Header
	advance time.Time
}

// New starts from a genesis.
func New(cfg Config) *Client {
	if cfg.TrustingPeriod == 0 {
		cfg.TrustingPeriod = 14 * 24 * time.Hour
	}
	if cfg.MaxClockDrift == 0 {
		cfg.MaxClockDrift = 10 * time.Second
	}
	if cfg.Starved == 0 {
		cfg.Starved = time.Minute
	}
	return &Client{cfg: cfg, state: light.FromGenesis(cfg.Genesis), headers: map[uint64]Header{}}
}

// Height is the newest verified height; 0 before the first.
func (c *Client) Height() uint64 { return c.state.Height }

// Newest is the newest verified header.
func (c *Client) Newest() Header { return c.headers[c.state.Height] }

// Header gives a verified header of the last Keep.
func (c *Client) Header(height uint64) (Header, bool) {
	h, ok := c.headers[height]
	return h, ok
}

// Advance verifies an encoded light block and takes it as the newest. A height that is verified already is not an error.
func (c *Client) Advance(block []byte) error {
	lb, err := light.Decode(block)
	if err != nil {
		return err
	}
	if lb.SignedHeader != nil && lb.Header != nil && lb.Height > 0 && uint64(lb.Height) <= c.state.Height {
		return nil
	}
	now := c.cfg.Now()
	next, err := c.state.Verify(lb, now, light.Options{TrustingPeriod: c.cfg.TrustingPeriod, MaxClockDrift: c.cfg.MaxClockDrift})
	if err != nil {
		return err
	}
	c.state, c.advance = next, now
	c.headers[next.Height] = Header{Height: next.Height, Hash: next.Hash, AppHash: next.AppHash, Time: next.Time}
	for h := range c.headers {
		if h+Keep < next.Height {
			delete(c.headers, h)
		}
	}
	return nil
}

// Fresh is nil while the chain is alive for this enclave: its newest header came, and was made, less than W ago (P16).
func (c *Client) Fresh() error {
	now := c.cfg.Now()
	switch {
	case c.state.Height == 0:
		return fmt.Errorf("no header of the chain verified yet")
	case now.Sub(c.advance) > c.cfg.Starved:
		return fmt.Errorf("no new header since height %d, %s ago", c.state.Height, now.Sub(c.advance).Round(time.Second))
	case now.Sub(c.state.Time) > c.cfg.Starved:
		return fmt.Errorf("the newest header, %d, was made %s ago", c.state.Height, now.Sub(c.state.Time).Round(time.Second))
	}
	return nil
}

// FreshAt is Fresh for what was proven at height: a host that brings headers but no values starves an enclave as well.
func (c *Client) FreshAt(height uint64) error {
	if err := c.Fresh(); err != nil {
		return err
	}
	h, ok := c.headers[height]
	if age := c.cfg.Now().Sub(h.Time); !ok || age > c.cfg.Starved {
		return fmt.Errorf("nothing proven since height %d, the newest header is %d", height, c.state.Height)
	}
	return nil
}

// Check verifies a store value against the header of height.
func (c *Client) Check(height uint64, v *wire.StoreValue) error {
	h, ok := c.headers[height]
	if !ok {
		return fmt.Errorf("checking a store value: height %d is not among the verified headers", height)
	}
	return light.VerifyValue(h.AppHash, v)
}
