package app

import (
	"encoding/json"
	"errors"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
)

// Export returns the state of the loaded height as a genesis of the next one. modules empty means all of them.
func (a *App) Export(modules []string) (servertypes.ExportedApp, error) {
	height := a.LastBlockHeight()
	if height == 0 {
		return servertypes.ExportedApp{}, errors.New("nothing to export: the chain has no block yet")
	}
	ctx := a.NewContextLegacy(true, cmtproto.Header{Height: height})
	state, err := a.Modules.ExportGenesisForModules(ctx, a.Codec, modules)
	if err != nil {
		return servertypes.ExportedApp{}, fmt.Errorf("exporting the modules' state: %w", err)
	}
	bz, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return servertypes.ExportedApp{}, err
	}
	vals, err := staking.WriteValidators(ctx, a.StakingKeeper)
	if err != nil {
		return servertypes.ExportedApp{}, fmt.Errorf("exporting the validators: %w", err)
	}
	return servertypes.ExportedApp{AppState: bz, Validators: vals, Height: height + 1, ConsensusParams: a.GetConsensusParams(ctx)}, nil
}
