// Package app is the chain: which modules it has, how they are wired, and the names and units it uses.
//
// Everything is wired by hand, one file a concern. To add a module of our own, edit phala.go and nothing else.
package app

import (
	"sync"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/version"
)

const (
	// Name is the chain's name, as wallets and the keyring show it.
	Name = "phala"
	// Binary is the name of the node's executable.
	Binary = "phalad"

	// BaseDenom is the unit every amount on the chain is counted in.
	BaseDenom = "ppha"
	// DisplayDenom is the unit people read.
	DisplayDenom = "PHA"
	// Exponent: 1 PHA is 10^Exponent ppha.
	Exponent = 12

	// AddressPrefix is the human-readable part of an account's address.
	AddressPrefix = "pha"
	// CoinType is the SLIP-44 number of the key derivation path.
	CoinType = 118
)

// PHA returns n PHA in ppha.
func PHA(n int64) math.Int { return math.NewInt(n).Mul(onePHA()) }

func onePHA() math.Int { return math.NewIntWithDecimal(1, Exponent) }

// Configure sets what the SDK keeps in package variables: address prefixes, the bond denomination and how many ppha
// make one unit of voting power. main and every test call it before anything else; New calls it too, and repeating it
// is harmless. After it the SDK's configuration is sealed.
var Configure = sync.OnceFunc(func() {
	version.Name, version.AppName = Name, Binary

	sdk.DefaultBondDenom = BaseDenom
	sdk.DefaultPowerReduction = onePHA()

	// So that the command line takes 1.5PHA for 1500000000000ppha.
	for denom, unit := range map[string]math.LegacyDec{DisplayDenom: math.LegacyOneDec(), BaseDenom: math.LegacyNewDecWithPrec(1, Exponent)} {
		if err := sdk.RegisterDenom(denom, unit); err != nil {
			panic(err) // only for a denomination registered twice
		}
	}

	c := sdk.GetConfig()
	c.SetCoinType(CoinType)
	c.SetBech32PrefixForAccount(AddressPrefix, AddressPrefix+"pub")
	c.SetBech32PrefixForValidator(AddressPrefix+"valoper", AddressPrefix+"valoperpub")
	c.SetBech32PrefixForConsensusNode(AddressPrefix+"valcons", AddressPrefix+"valconspub")
	c.Seal()
})
