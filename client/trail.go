package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/phala-go/phala/core/light"
)

// trail goes from a trusted state to a header and remembers over which others.
type trail struct {
	node  Node
	opts  light.Options
	now   time.Time
	state light.State
	over  []*cmttypes.LightBlock
}

// to jumps as far as trust reaches, halving the jump where it does not.
func (t *trail) to(ctx context.Context, lb *cmttypes.LightBlock) error {
	next, err := t.state.Verify(lb, t.now, t.opts)
	if err == nil {
		t.state = next
		t.over = append(t.over, lb)
		return nil
	}
	var far cmttypes.ErrNotEnoughVotingPowerSigned
	mid := t.state.Height + (uint64(lb.Height)-t.state.Height)/2
	if !errors.As(err, &far) || mid == t.state.Height || mid == uint64(lb.Height) {
		if t.state.Height == 0 && !t.state.Expired(t.now, t.opts.TrustingPeriod) {
			return fmt.Errorf("%w: %w", ErrOtherChain, err)
		}
		return err
	}
	if err := t.toHeight(ctx, mid); err != nil {
		return err
	}
	return t.to(ctx, lb)
}

// toHeight fetches a header and goes there.
func (t *trail) toHeight(ctx context.Context, height uint64) error {
	lb, err := t.node.LightBlock(ctx, height)
	if err != nil {
		return err
	}
	if lb.SignedHeader == nil || lb.Header == nil || uint64(lb.Height) != height {
		return fmt.Errorf("the node sent another block than that of height %d", height)
	}
	return t.to(ctx, lb)
}
