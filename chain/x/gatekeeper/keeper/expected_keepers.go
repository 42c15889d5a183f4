package keeper

import (
	"context"

	"github.com/phala-go/phala/core/wire"
)

// Attestation knows whether the network is in development.
type Attestation interface {
	Network(ctx context.Context) (*wire.NetworkParams, error)
}

// Workers is the register of TEE workers.
type Workers interface {
	Worker(ctx context.Context, ref *wire.WorkerRef) (*wire.Worker, error) // nil: not registered
	// Slash takes parts of 10000 of a worker's bond for a reason; from a worker that is not registered nothing.
	Slash(ctx context.Context, ref *wire.WorkerRef, parts uint32, reason string) error
}

// Clusters knows who is a member of which.
type Clusters interface {
	Cluster(ctx context.Context, id uint64) (*wire.Cluster, error) // nil: none
}
