package app

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/types/module"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/phala-go/phala/chain/x/attestation"
	attestationkeeper "github.com/phala-go/phala/chain/x/attestation/keeper"
	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	"github.com/phala-go/phala/chain/x/cluster"
	clusterkeeper "github.com/phala-go/phala/chain/x/cluster/keeper"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/chain/x/gatekeeper"
	gatekeeperkeeper "github.com/phala-go/phala/chain/x/gatekeeper/keeper"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/chain/x/worker"
	workerkeeper "github.com/phala-go/phala/chain/x/worker/keeper"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
)

// This file is the one place where a module of our own is added. Four steps, in this order:
//
//  1. its keeper into PhalaKeepers and makePhalaKeepers (use a.store(name) and authority());
//  2. its AppModule into phalaModules: the order there is the order of genesis, begin and end of block;
//  3. its name into phalaStores if it has a store;
//  4. its account into phalaAccounts if it holds coins.
//
// Our modules run after those of the SDK and of IBC in each phase.

// PhalaKeepers are the keepers of our own modules.
type PhalaKeepers struct {
	AttestationKeeper *attestationkeeper.Keeper
	WorkerKeeper      *workerkeeper.Keeper
	GatekeeperKeeper  *gatekeeperkeeper.Keeper
	ClusterKeeper     *clusterkeeper.Keeper
}

// makePhalaKeepers makes the keepers of our own modules; those of the SDK and of IBC exist already.
func (a *App) makePhalaKeepers() (err error) {
	cdc := a.Codec
	if a.AttestationKeeper, err = attestationkeeper.New(cdc, a.store(attestationtypes.ModuleName), authority()); err != nil {
		return fmt.Errorf("making the keeper of %s: %w", attestationtypes.ModuleName, err)
	}
	if a.WorkerKeeper, err = workerkeeper.New(workerkeeper.Config{
		Codec: cdc, Store: a.store(workertypes.ModuleName), Denom: BaseDenom,
		Accounts: a.AccountKeeper, Bank: a.BankKeeper, Attestation: a.AttestationKeeper,
	}); err != nil {
		return fmt.Errorf("making the keeper of %s: %w", workertypes.ModuleName, err)
	}
	if a.GatekeeperKeeper, err = gatekeeperkeeper.New(gatekeeperkeeper.Config{
		Codec: cdc, Store: a.store(gatekeepertypes.ModuleName), Authority: authority(), Attestation: a.AttestationKeeper, Workers: a.WorkerKeeper,
	}); err != nil {
		return fmt.Errorf("making the keeper of %s: %w", gatekeepertypes.ModuleName, err)
	}
	if a.ClusterKeeper, err = clusterkeeper.New(clusterkeeper.Config{
		Codec: cdc, Store: a.store(clustertypes.ModuleName), Denom: BaseDenom, Authority: authority(), Accounts: a.AccountKeeper, Bank: a.BankKeeper,
		Attestation: a.AttestationKeeper, Workers: a.WorkerKeeper, Gatekeepers: a.GatekeeperKeeper,
	}); err != nil {
		return fmt.Errorf("making the keeper of %s: %w", clustertypes.ModuleName, err)
	}
	a.AttestationKeeper.SetNeighbours(a.WorkerKeeper)
	a.GatekeeperKeeper.SetClusters(a.ClusterKeeper)
	a.WorkerKeeper.SetNeighbours(a.GatekeeperKeeper, a.ClusterKeeper)
	return nil
}

// phalaModules returns our modules in the order they run.
func (a *App) phalaModules() []module.AppModule {
	return []module.AppModule{
		attestation.New(a.AttestationKeeper), // first: it says whether the network is in development
		worker.New(a.WorkerKeeper),
		gatekeeper.New(a.GatekeeperKeeper),
		cluster.New(a.ClusterKeeper),
	}
}

// phalaStores names the stores of our modules. A store's name is its module's name.
func phalaStores() []string {
	return []string{attestationtypes.ModuleName, workertypes.ModuleName, gatekeepertypes.ModuleName, clustertypes.ModuleName}
}

// phalaAccounts maps our module accounts to what they may do (authtypes.Minter, authtypes.Burner or nothing).
func phalaAccounts() map[string][]string {
	return map[string][]string{
		workertypes.ModuleName:  {authtypes.Burner}, // bonds, of which it burns what is slashed
		clustertypes.ModuleName: nil,                // escrows and fees
	}
}
