package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module; their codes are part of the chain's interface. Evidence that is refused is no error: see EventRefused.
var (
	ErrMalformed = errorsmod.Register(ModuleName, 2, "malformed registration")
	ErrOperator  = errorsmod.Register(ModuleName, 3, "evidence names another operator")
	ErrRole      = errorsmod.Register(ModuleName, 4, "a worker keeps its role for life")
	ErrIdentity  = errorsmod.Register(ModuleName, 5, "identity key belongs to another worker")
	ErrNonce     = errorsmod.Register(ModuleName, 6, "evidence is older than the one in force")
	ErrPolicy    = errorsmod.Register(ModuleName, 7, "role has no policy")
	ErrNotFound  = errorsmod.Register(ModuleName, 9, "no such worker")
	ErrInUse     = errorsmod.Register(ModuleName, 10, "worker is in use")
	ErrGenesis   = errorsmod.Register(ModuleName, 11, "genesis refused")
)
