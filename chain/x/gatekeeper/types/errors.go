package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module; their codes are part of the chain's interface.
var (
	ErrMalformed = errorsmod.Register(ModuleName, 2, "malformed message")
	ErrCluster   = errorsmod.Register(ModuleName, 3, "no such cluster")
	ErrWorker    = errorsmod.Register(ModuleName, 4, "worker does not count")
	ErrMember    = errorsmod.Register(ModuleName, 5, "worker is not a member of the cluster")
	ErrEpoch     = errorsmod.Register(ModuleName, 6, "epoch or roster is not the cluster's")
	ErrIdentity  = errorsmod.Register(ModuleName, 7, "identity key is not the one in force")
	ErrSignature = errorsmod.Register(ModuleName, 8, "signature does not fit")
	ErrReused    = errorsmod.Register(ModuleName, 9, "one-time key has been used")
	ErrKeySet    = errorsmod.Register(ModuleName, 10, "another input key counts already")
	ErrGenesis   = errorsmod.Register(ModuleName, 11, "genesis refused")

	ErrUnauthorized = errorsmod.Register(ModuleName, 12, "only governance may do this")
	ErrRoster       = errorsmod.Register(ModuleName, 13, "roster refused")
	ErrRound        = errorsmod.Register(ModuleName, 14, "not the generation under way")
	ErrPhase        = errorsmod.Register(ModuleName, 15, "not in this phase")
	ErrExcluded     = errorsmod.Register(ModuleName, 16, "member is excluded")
	ErrRepeated     = errorsmod.Register(ModuleName, 17, "already on record")
	ErrVendor       = errorsmod.Register(ModuleName, 18, "too many gatekeepers of one vendor")
	ErrComplaint    = errorsmod.Register(ModuleName, 19, "complaint does not count")
	ErrTooSoon      = errorsmod.Register(ModuleName, 22, "too soon after the last request")
)
