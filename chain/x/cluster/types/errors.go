package types

import errorsmod "cosmossdk.io/errors"

// Errors of the module; their codes are part of the chain's interface.
var (
	ErrMalformed = errorsmod.Register(ModuleName, 2, "malformed message")
	ErrMembers   = errorsmod.Register(ModuleName, 3, "members refused")
	ErrQuorum    = errorsmod.Register(ModuleName, 4, "quorum refused")
	ErrCluster   = errorsmod.Register(ModuleName, 5, "no such cluster")
	ErrCode      = errorsmod.Register(ModuleName, 6, "code refused")
	ErrNoCode    = errorsmod.Register(ModuleName, 7, "no such code")
	ErrEpoch     = errorsmod.Register(ModuleName, 8, "input is sealed for another epoch")
	ErrGasClass  = errorsmod.Register(ModuleName, 9, "no such gas class")
	ErrEnvelope  = errorsmod.Register(ModuleName, 10, "envelope refused")
	ErrAmount    = errorsmod.Register(ModuleName, 11, "amount refused")
	ErrOwner     = errorsmod.Register(ModuleName, 12, "only the owner may deploy here")
	ErrBatch     = errorsmod.Register(ModuleName, 13, "batch refused")
	ErrNoBatch   = errorsmod.Register(ModuleName, 14, "no such batch")
	ErrEffect    = errorsmod.Register(ModuleName, 15, "effect refused")
	ErrEscrow    = errorsmod.Register(ModuleName, 16, "escrow does not suffice")
	ErrPayee     = errorsmod.Register(ModuleName, 17, "payee refused")
	ErrContract  = errorsmod.Register(ModuleName, 18, "contract refused")
	ErrGenesis   = errorsmod.Register(ModuleName, 19, "genesis refused")
	ErrAuthority = errorsmod.Register(ModuleName, 20, "neither the owner nor governance")
	ErrKeyEscrow = errorsmod.Register(ModuleName, 21, "escrow of state keys refused")
)
