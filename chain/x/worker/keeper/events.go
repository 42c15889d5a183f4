package keeper

import (
	"encoding/hex"
	"strconv"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

// emit says what became of w; every event of the module has the same attributes.
func emit(ctx sdk.Context, event string, w *wire.Worker) {
	ctx.EventManager().EmitEvent(sdk.NewEvent(event,
		sdk.NewAttribute(types.AttributeOperator, w.Worker.Operator),
		sdk.NewAttribute(types.AttributeSlot, strconv.FormatUint(uint64(w.Worker.Slot), 10)),
		sdk.NewAttribute(types.AttributeRole, w.Role.String()),
		sdk.NewAttribute(types.AttributeKind, w.Kind.String()),
		sdk.NewAttribute(types.AttributeIdentity, hex.EncodeToString(w.IdentityKey)),
		sdk.NewAttribute(types.AttributeMeasurement, hex.EncodeToString(w.Measurement)),
		sdk.NewAttribute(types.AttributeEndpoint, w.Endpoint),
		sdk.NewAttribute(types.AttributeExpiry, strconv.FormatUint(w.ExpiryHeight, 10)),
		sdk.NewAttribute(types.AttributeBond, w.Bond),
	))
}
