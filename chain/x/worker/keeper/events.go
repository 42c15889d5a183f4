package keeper

import (
	"encoding/hex"
	"strconv"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
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
		sdk.NewAttribute(types.AttributeLevel, strconv.FormatUint(uint64(w.Level), 10)),
		sdk.NewAttribute(types.AttributeStatus, w.TcbStatus),
		sdk.NewAttribute(types.AttributeChip, hex.EncodeToString(w.ChipId)),
	))
}

// emitRefusal says whose evidence was refused and all the reasons.
func emitRefusal(ctx sdk.Context, id *wire.WorkerIdentity, v attest.Verdict) {
	for _, r := range v.Reasons {
		ctx.EventManager().EmitEvent(sdk.NewEvent(types.EventRefused,
			sdk.NewAttribute(types.AttributeOperator, id.Worker.Operator),
			sdk.NewAttribute(types.AttributeSlot, strconv.FormatUint(uint64(id.Worker.Slot), 10)),
			sdk.NewAttribute(types.AttributeRole, id.Role.String()),
			sdk.NewAttribute(types.AttributeKind, v.Kind.String()),
			sdk.NewAttribute(types.AttributeIdentity, hex.EncodeToString(id.IdentityKey)),
			sdk.NewAttribute(types.AttributeCode, r.Code),
			sdk.NewAttribute(types.AttributeField, told(r.Field)),
			sdk.NewAttribute(types.AttributeGot, told(r.Got)),
			sdk.NewAttribute(types.AttributeWant, told(r.Want)),
			sdk.NewAttribute(types.AttributeAdvice, told(r.Advice)),
		))
	}
}

// told shortens what a stranger wrote, on a character.
func told(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= maxTold {
		return s
	}
	return strings.ToValidUTF8(s[:maxTold], "") + "…"
}
