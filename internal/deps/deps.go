//go:build depsonly

// Package deps only pins modules while nothing imports them yet.
package deps

import (
	_ "connectrpc.com/connect"
	_ "cosmossdk.io/api/cosmos/bank/v1beta1"
	_ "cosmossdk.io/api/cosmos/auth/v1beta1"
	_ "cosmossdk.io/api/cosmos/tx/v1beta1"
	_ "cosmossdk.io/api/cosmos/crypto/secp256k1"
	_ "cosmossdk.io/client/v2/autocli"
	_ "github.com/cometbft/cometbft/light"
	_ "github.com/cometbft/cometbft/rpc/client/http"
	_ "github.com/cosmos/btcutil/bech32"
	_ "github.com/cosmos/cosmos-sdk/server"
	_ "github.com/cosmos/cosmos-sdk/x/authz/module"
	_ "github.com/cosmos/cosmos-sdk/x/distribution"
	_ "github.com/cosmos/cosmos-sdk/x/evidence"
	_ "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	_ "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	_ "github.com/cosmos/cosmos-sdk/x/gov"
	_ "github.com/cosmos/cosmos-sdk/x/mint"
	_ "github.com/cosmos/cosmos-sdk/x/slashing"
	_ "github.com/cosmos/cosmos-sdk/x/staking"
	_ "github.com/cosmos/cosmos-sdk/x/upgrade"
	_ "github.com/cosmos/go-bip39"
	_ "github.com/cosmos/ibc-go/v11/modules/apps/transfer"
	_ "github.com/cosmos/ibc-go/v11/modules/core"
	_ "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"
	_ "github.com/cosmos/ics23/go"
	_ "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "github.com/tetratelabs/wazero"
	_ "golang.org/x/crypto/ripemd160"
	_ "golang.org/x/sync/errgroup"
)
