// Package lightclient keeps what an enclave has verified of the chain: the newest state of core/light, recent headers and some old ones,
// whether the chain is still alive, and whether it has forked. It must never take a height, hash or value that was not verified, nor
// go back, nor serve on after a fork.
package lightclient

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
)

// Config of a Client. Zero durations mean the defaults.
type Config struct {
	Genesis    *light.Genesis
	Checkpoint *light.Checkpoint // where trust starts instead; default: the binary's for this genesis, if it has one
	Now        func() time.Time  // the host's clock: a hint that can only make the client refuse
	// Elapsed counts time; where the hardware has such a counter the host cannot stop it. Default: what Now says.
	Elapsed        func() time.Duration
	TrustingPeriod time.Duration // default 14 days, two thirds of the unbonding time of 21
	MaxClockDrift  time.Duration // default 10 s
	Starved        time.Duration // W: without a new header for so long it is not fresh; default 60 s
}

// Header is a verified header.
type Header struct {
	Height  uint64
	Hash    []byte
	AppHash []byte
	Time    time.Time
}

// Client is not safe for concurrent use. It lives as long as the boot's identity, and its height only grows.
type Client struct {
	cfg     Config
	state   light.State
	history history
	clock   clock
	fork    *wire.ForkEvidence // nil: none was seen
}

// New starts from a genesis, or from the checkpoint that this binary has for it.
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
	if cfg.Elapsed == nil {
		cfg.Elapsed = func() time.Duration { return cfg.Now().Sub(cfg.Genesis.Time) }
	}
	if cfg.Checkpoint == nil {
		cfg.Checkpoint = checkpointOf(cfg.Genesis)
	}
	c := &Client{cfg: cfg, state: light.FromGenesis(cfg.Genesis), history: newHistory(cfg.Genesis.InitialHeight)}
	if cfg.Checkpoint != nil {
		if s, err := light.FromCheckpoint(cfg.Genesis, *cfg.Checkpoint); err == nil {
			c.state = s
		}
	}
	return c
}

// Height is the newest verified height; 0 before the first, and with a checkpoint the height before it.
func (c *Client) Height() uint64 { return c.state.Height }

// Development says whether the chain's genesis lowers the network's rules. The chain's state may say so too; it does not count.
func (c *Client) Development() bool { return c.cfg.Genesis.Development }

// Newest is the newest verified header.
func (c *Client) Newest() Header {
	h, _ := c.Header(c.state.Height)
	return h
}

// Header gives a verified header that is kept: of the last Keep, or one of the old ones.
func (c *Client) Header(height uint64) (Header, bool) {
	s, ok := c.history.states[height]
	return headerOf(s), ok
}

// Behind is the newest kept header from at least so many blocks before the newest; where the chain is not as old, the one that shows the
// state of its genesis. False: no such header is kept.
func (c *Client) Behind(blocks uint64) (Header, bool) {
	shown := c.cfg.Genesis.InitialHeight + 1 // the first header that commits to a state
	target := shown
	if c.state.Height > blocks+shown {
		target = c.state.Height - blocks
	}
	s, ok := c.history.before(target)
	if !ok || s.Height < shown {
		return Header{}, false
	}
	return headerOf(s), true
}

func headerOf(s light.State) Header {
	return Header{Height: s.Height, Hash: s.Hash, AppHash: s.AppHash, Time: s.Time}
}

// Advance verifies an encoded light block and takes it as the newest. A height that is verified already is not an error, unless it is
// another block: one that the chain's validators have signed as well proves a fork, and ends the client's service (ErrFork of core/light).
func (c *Client) Advance(block []byte) error {
	if c.fork != nil {
		return c.forked()
	}
	lb, err := light.Decode(block)
	if err != nil {
		return err
	}
	if lb.SignedHeader != nil && lb.Header != nil && lb.Height > 0 && uint64(lb.Height) <= c.state.Height {
		known, ok := c.history.states[uint64(lb.Height)]
		if !ok || bytes.Equal(known.Hash, lb.Hash()) {
			return nil
		}
		if err := known.Conflicts(lb); err != nil {
			return err
		}
		return c.remember(known, block)
	}
	now, counted := c.cfg.Now(), c.cfg.Elapsed()
	if known := c.clock.now(counted); known.After(now) {
		now = known // the host's clock is late, or lies
	}
	next, err := c.state.Verify(lb, now, light.Options{TrustingPeriod: c.cfg.TrustingPeriod, MaxClockDrift: c.cfg.MaxClockDrift})
	if err != nil {
		return err
	}
	if c.state.Unlinked(lb) {
		return c.remember(c.state, block)
	}
	c.state = next
	c.clock.saw(next.Time, counted)
	c.history.add(next)
	return nil
}

// remember keeps the proof of a fork and says so.
func (c *Client) remember(known light.State, block []byte) error {
	c.fork = &wire.ForkEvidence{Height: known.Height, Hash: known.Hash, Conflicting: bytes.Clone(block)}
	return c.forked()
}

func (c *Client) forked() error {
	return fmt.Errorf("%w: another block than %X of height %d is signed by its validators. This enclave serves nothing any more: settle which chain is the true one, then start another enclave on it",
		light.ErrFork, c.fork.Hash, c.fork.Height)
}

// Fork is the proof that the chain has forked; nil while none was seen. It stays for the life of the client.
func (c *Client) Fork() *wire.ForkEvidence { return c.fork }

// Starved says that no new header came within W, by the counter alone: what is secret must be forgotten (P16). A host that brings
// headers more slowly than they are made starves the client as well.
func (c *Client) Starved() bool { return c.lag() > c.cfg.Starved }

func (c *Client) lag() time.Duration {
	if !c.clock.began {
		return 0
	}
	return c.clock.now(c.cfg.Elapsed()).Sub(c.state.Time)
}

// Fresh is nil while the chain is alive for this enclave: its newest header came, and was made, less than W ago (P16), both by the
// counter and by the host's clock.
func (c *Client) Fresh() error {
	if c.fork != nil {
		return c.forked()
	}
	if !c.clock.began {
		return errors.New("no header of the chain verified yet")
	}
	if since := c.cfg.Elapsed() - c.clock.last; since > c.cfg.Starved {
		return fmt.Errorf("no new header since height %d, %s ago", c.state.Height, since.Round(time.Second))
	}
	if age := c.age(c.state.Time); age > c.cfg.Starved {
		return fmt.Errorf("the newest header, %d, was made %s ago", c.state.Height, age.Round(time.Second))
	}
	return nil
}

// age is how old something of the chain's time is at least.
func (c *Client) age(at time.Time) time.Duration {
	return max(c.cfg.Now().Sub(at), c.clock.now(c.cfg.Elapsed()).Sub(at))
}

// FreshAt is Fresh for what was proven at height: a host that brings headers but no values starves an enclave as well.
func (c *Client) FreshAt(height uint64) error {
	if err := c.Fresh(); err != nil {
		return err
	}
	h, ok := c.history.states[height]
	if !ok || c.age(h.Time) > c.cfg.Starved {
		return fmt.Errorf("nothing proven since height %d, the newest header is %d", height, c.state.Height)
	}
	return nil
}

// Check verifies a store value against the header of height.
func (c *Client) Check(height uint64, v *wire.StoreValue) error {
	h, ok := c.history.states[height]
	if !ok {
		return fmt.Errorf("checking a store value: height %d is not among the verified headers", height)
	}
	return light.VerifyValue(h.AppHash, v)
}
