package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"golang.org/x/sync/errgroup"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
)

// Node is what following a chain needs of somebody who is not believed. An error means that nothing was said.
type Node interface {
	// LightBlock brings the header, commit and validators of a height; 0: the newest.
	LightBlock(ctx context.Context, height uint64) (*cmttypes.LightBlock, error)
	// Value brings a value, or an absence, with its proof against the header of a height.
	Value(ctx context.Context, height uint64, key *wire.StoreKey) (*wire.StoreValue, error)
}

// ErrOtherChain: the node's chain does not begin with the genesis where trust starts.
var ErrOtherChain = errors.New("the genesis is of another chain than the node")

// Chain follows a chain from a genesis and reads its store by proof. Safe for concurrent use.
type Chain struct {
	node Node
	opts light.Options
	now  func() time.Time

	mu    sync.Mutex
	state light.State
}

// NewChain begins at a genesis that the caller trusts.
func NewChain(n Node, g *light.Genesis, o light.Options) *Chain {
	return &Chain{node: n, opts: o, now: time.Now, state: light.FromGenesis(g)}
}

// Head advances to the newest header that the node has, and never back.
func (c *Chain) Head(ctx context.Context) (light.State, error) {
	lb, err := c.node.LightBlock(ctx, 0)
	if err != nil {
		return light.State{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if lb.SignedHeader == nil || lb.Header == nil {
		return light.State{}, errors.New("the node sent a block without a header")
	}
	if uint64(lb.Height) <= c.state.Height {
		return c.state, nil
	}
	if lb.ChainID != c.state.ChainID {
		return light.State{}, fmt.Errorf("%w: the node is of %s", ErrOtherChain, lb.ChainID)
	}
	if err := c.verify(ctx, lb); err != nil {
		return light.State{}, err
	}
	return c.state, nil
}

// verify goes to a header. Holds mu.
func (c *Chain) verify(ctx context.Context, lb *cmttypes.LightBlock) error {
	t := trail{node: c.node, opts: c.opts, now: c.now(), state: c.state}
	err := t.to(ctx, lb)
	c.state = t.state
	return err
}

// WaitHeight waits until a header of at least height is verified.
func (c *Chain) WaitHeight(ctx context.Context, height uint64) (light.State, error) {
	for {
		s, err := c.Head(ctx)
		if err != nil || s.Height >= height {
			return s, err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return s, fmt.Errorf("waiting for block %d; the newest is %d: %w", height, s.Height, err)
		}
	}
}

// Get reads values by proof against the newest header, and gives that header.
func (c *Chain) Get(ctx context.Context, reads ...Read) (light.State, error) {
	s, err := c.Head(ctx)
	if err != nil {
		return s, err
	}
	return s, c.getAt(ctx, s, reads)
}

func (c *Chain) getAt(ctx context.Context, s light.State, reads []Read) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, r := range reads {
		g.Go(func() error {
			k := &wire.StoreKey{Store: r.Store, Key: r.Key}
			v, err := c.node.Value(gctx, s.Height, k)
			if err != nil {
				return err
			}
			if v == nil {
				return fmt.Errorf("reading %s/%x: the node said nothing", r.Store, r.Key)
			}
			v.Key = k // what was asked is what must be proven
			if err := light.VerifyValue(s.AppHash, v); err != nil {
				return err
			}
			*r.Found = len(v.Value) > 0
			if !*r.Found {
				return nil
			}
			return wire.Unmarshal(v.Value, r.Into)
		})
	}
	return g.Wait()
}

// Read is one question of Get; Found says whether the key is in the store.
type Read struct {
	Store string
	Key   []byte
	Into  wire.Message
	Found *bool
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
