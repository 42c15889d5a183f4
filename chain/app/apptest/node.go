package apptest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/viper"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/client/local"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/devhome"
)

// Node is a chain under a real CometBFT node in this process. It serves its RPC only to RPC and, if the
// configuration names an address, over HTTP; it serves no gRPC and no REST.
type Node struct {
	App   *app.App
	Comet *node.Node
	RPC   *local.Local
	Home  string
	Funds Account // an account with 1,000,000 PHA

	chainID string
}

// StartNode writes a home for cfg into the test's folder, starts its node, waits for the first block and stops the
// node when the test ends. Addresses that cfg leaves empty are picked by the system.
func StartNode(t testing.TB, cfg devhome.Config) *Node {
	t.Helper()
	app.Configure()
	for _, p := range []*string{&cfg.RPC, &cfg.P2P, &cfg.GRPC, &cfg.API} {
		if *p == "" {
			*p = "127.0.0.1:0"
		}
	}
	if cfg.ChainID == "" {
		cfg.ChainID = "phala-test-1"
	}
	if cfg.BlockTime == 0 {
		cfg.BlockTime = 50 * time.Millisecond
	}
	cfg.Home = filepath.Join(t.TempDir(), "home")
	funds := NewAccount("funds")
	cfg.Accounts = append(cfg.Accounts, devhome.Account{Name: "funds", Address: funds.Addr, Coins: sdk.NewCoins(sdk.NewCoin(app.BaseDenom, app.PHA(1_000_000)))})
	lender, err := app.New(log.NewNopLogger(), dbm.NewMemDB(), app.Options{})
	check(t, err)
	_, err = devhome.Write(lender, cfg)
	check(t, err)
	n, err := open(cfg.Home)
	check(t, err)
	n.Funds, n.chainID = funds, cfg.ChainID
	check(t, n.Comet.Start())
	t.Cleanup(func() {
		_ = n.Comet.Stop()
		n.Comet.Wait()
		_ = n.App.Close()
	})
	n.WaitHeight(t, 1)
	return n
}

// open loads the home's configuration, application and node, as `phalad start` does.
func open(home string) (*Node, error) {
	v := viper.New()
	v.Set(flags.FlagHome, home)
	for _, name := range []string{"config", "app"} {
		v.SetConfigFile(filepath.Join(home, "config", name+".toml"))
		if err := v.MergeInConfig(); err != nil {
			return nil, err
		}
	}
	cfg := cmtcfg.DefaultConfig()
	if err := v.Unmarshal(cfg); err != nil {
		return nil, err
	}
	cfg.SetRoot(home)
	db, err := dbm.NewDB("application", server.GetAppDBBackend(v), filepath.Join(home, "data"))
	if err != nil {
		return nil, err
	}
	a, err := app.New(log.NewNopLogger(), db, v, server.DefaultBaseappOptions(v)...)
	if err != nil {
		return nil, err
	}
	key, err := p2p.LoadNodeKey(cfg.NodeKeyFile())
	if err != nil {
		return nil, err
	}
	genesis := func() (*cmttypes.GenesisDoc, error) {
		g, err := genutiltypes.AppGenesisFromFile(cfg.GenesisFile())
		if err != nil {
			return nil, err
		}
		return g.ToGenesisDoc()
	}
	n, err := node.NewNode(cfg, privval.LoadFilePV(cfg.PrivValidatorKeyFile(), cfg.PrivValidatorStateFile()), key,
		proxy.NewLocalClientCreator(server.NewCometABCIWrapper(a)), genesis, cmtcfg.DefaultDBProvider,
		node.DefaultMetricsProvider(cfg.Instrumentation), cmtlog.NewNopLogger())
	if err != nil {
		return nil, err
	}
	return &Node{App: a, Comet: n, RPC: local.New(n), Home: home}, nil
}

// WaitHeight waits until the application has committed the block of this height.
func (n *Node) WaitHeight(t testing.TB, height int64) {
	t.Helper()
	var at int64
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		info, err := n.RPC.ABCIInfo(context.Background())
		check(t, err)
		if at = info.Response.LastBlockHeight; at >= height {
			return
		}
	}
	t.Fatalf("no block %d: the chain is at %d", height, at)
}

// Query asks a gRPC method of the node's last state.
func (n *Node) Query(method string, req, res proto.Message) error {
	bz, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	r, err := n.RPC.ABCIQuery(context.Background(), method, bz)
	if err != nil {
		return err
	}
	if r.Response.Code != 0 {
		return fmt.Errorf("%s: %s", method, r.Response.Log)
	}
	return proto.Unmarshal(r.Response.Value, res)
}

// Send signs a transaction of from, broadcasts it and waits until it has succeeded in a block.
func (n *Node) Send(t testing.TB, from Account, msgs ...sdk.Msg) *coretypes.ResultTx {
	t.Helper()
	ctx := context.Background()
	var acc authtypes.QueryAccountInfoResponse
	check(t, n.Query("/cosmos.auth.v1beta1.Query/AccountInfo", &authtypes.QueryAccountInfoRequest{Address: from.String()}, &acc))
	bz, err := SignTx(n.App.TxConfig, from.Key, n.chainID, acc.Info.AccountNumber, acc.Info.Sequence, msgs...)
	check(t, err)
	sent, err := n.RPC.BroadcastTxSync(ctx, bz)
	check(t, err)
	if sent.Code != 0 {
		t.Fatalf("transaction refused: %s", sent.Log)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		res, err := n.RPC.Tx(ctx, sent.Hash, false)
		if err != nil {
			continue // not in a block yet
		}
		if res.TxResult.Code != 0 {
			t.Fatalf("transaction failed: %s", res.TxResult.Log)
		}
		return res
	}
	t.Fatal("transaction did not get into a block")
	return nil
}
