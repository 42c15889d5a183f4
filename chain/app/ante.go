package app

import (
	ibcante "github.com/cosmos/ibc-go/v11/modules/core/ante"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/auth/ante"
)

// anteHandler is what a transaction passes before its messages run: the SDK's usual chain, and IBC's refusal of
// packets that another relayer has brought already.
func (a *App) anteHandler() sdk.AnteHandler {
	return sdk.ChainAnteDecorators(
		ante.NewSetUpContextDecorator(), // first: it makes the gas meter
		ante.NewExtensionOptionsDecorator(nil),
		ante.NewValidateBasicDecorator(),
		ante.NewTxTimeoutHeightDecorator(),
		ante.NewValidateMemoDecorator(a.AccountKeeper),
		ante.NewConsumeGasForTxSizeDecorator(a.AccountKeeper),
		ante.NewDeductFeeDecorator(a.AccountKeeper, a.BankKeeper, a.FeegrantKeeper, nil),
		ante.NewSetPubKeyDecorator(a.AccountKeeper), // before everything that looks at signatures
		ante.NewValidateSigCountDecorator(a.AccountKeeper),
		ante.NewSigGasConsumeDecorator(a.AccountKeeper, ante.DefaultSigVerificationGasConsumer),
		ante.NewSigVerificationDecorator(a.AccountKeeper, a.TxConfig.SignModeHandler()),
		ante.NewIncrementSequenceDecorator(a.AccountKeeper),
		ibcante.NewRedundantRelayDecorator(a.IBCKeeper),
	)
}
