package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// Bank moves fees and escrows.
type Bank interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	BlockedAddr(addr sdk.AccAddress) bool
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amt sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amt sdk.Coins) error
}

// Accounts knows the address of the module's account.
type Accounts interface {
	GetModuleAddress(name string) sdk.AccAddress
}

// Attestation knows the network and its newest blocks.
type Attestation interface {
	Network(ctx context.Context) (*wire.NetworkParams, error)
	HashAt(ctx context.Context, height uint64) ([]byte, error) // nil: not among the newest
}

// Workers is the register of TEE workers.
type Workers interface {
	Worker(ctx context.Context, ref *wire.WorkerRef) (*wire.Worker, error) // nil: not registered
}

// Gatekeepers knows the epoch of the network's keys and the input keys that clusters have announced.
type Gatekeepers interface {
	Epoch(ctx context.Context) (uint64, error)
	// InForce says whether the cluster's input key of its epoch and roster counts.
	InForce(ctx context.Context, c *wire.Cluster) (bool, error)
	// TakeDue puts the announced keys in force whose height has come, and lists them by cluster.
	TakeDue(ctx context.Context) ([]gatekeepertypes.Due, error)
	// EndKeys ends a cluster's keys, those not in force yet among them.
	EndKeys(ctx context.Context, cluster uint64) error
}
