package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module; their codes are part of the chain's interface.
var (
	ErrUnauthorized = errorsmod.Register(ModuleName, 2, "only governance may do this")
	ErrPolicy       = errorsmod.Register(ModuleName, 3, "policy refused")
	ErrGenesis      = errorsmod.Register(ModuleName, 4, "genesis refused")
	ErrCollateral   = errorsmod.Register(ModuleName, 5, "collateral refused")
)
