package app

import (
	"github.com/cosmos/cosmos-sdk/types/module"
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
type PhalaKeepers struct{}

// makePhalaKeepers makes the keepers of our own modules; those of the SDK and of IBC exist already.
func (a *App) makePhalaKeepers() {}

// phalaModules returns our modules in the order they run.
func (a *App) phalaModules() []module.AppModule { return nil }

// phalaStores names the stores of our modules. A store's name is its module's name.
func phalaStores() []string { return nil }

// phalaAccounts maps our module accounts to what they may do (authtypes.Minter, authtypes.Burner or nothing).
func phalaAccounts() map[string][]string { return nil }
