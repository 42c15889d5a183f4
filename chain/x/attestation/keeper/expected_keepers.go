package keeper

import (
	"context"

	"github.com/phala-go/phala/core/wire"
)

// Workers learns of a policy that governance has replaced.
type Workers interface {
	// PolicyChanged ends the workers of the policy's role whose measurement it does not approve (any more), now or at the height it
	// states, and says how many.
	PolicyChanged(ctx context.Context, p *wire.Policy) (ended int, err error)
}
