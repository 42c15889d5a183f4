package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/core/wire"
)

// Bank moves the bonds.
type Bank interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amt sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amt sdk.Coins) error
	BurnCoins(ctx context.Context, module string, amt sdk.Coins) error
}

// Accounts knows the address of the module's account.
type Accounts interface {
	GetModuleAddress(name string) sdk.AccAddress
}

// Attestation knows what may be trusted.
type Attestation interface {
	Network(ctx context.Context) (*wire.NetworkParams, error)
	Policy(ctx context.Context, role wire.Role) (*wire.Policy, error) // nil: none
	HashAt(ctx context.Context, height uint64) ([]byte, error)        // nil: not among the newest
	Collateral(ctx context.Context, hash []byte) ([]byte, error)      // nil: nobody keeps it
	// KeepCollateral keeps what a registration rests on until height.
	KeepCollateral(ctx context.Context, hashes [][]byte, until uint64) error
}

// Gatekeepers learns of registrations and their ends, and says who it cannot do without.
type Gatekeepers interface {
	Registered(ctx context.Context, w *wire.Worker) error
	Ended(ctx context.Context, w *wire.Worker) error
	Holds(ctx context.Context, w *wire.WorkerRef) (bool, error)
}

// Clusters says whose member a worker is.
type Clusters interface {
	ClusterOf(ctx context.Context, w *wire.WorkerRef) (id uint64, member bool, err error)
}
