package app

import (
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"

	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
)

// maxBody holds a transaction that carries the largest code the chain accepts (2 MiB, more in base64).
const maxBody = 4 << 20

// CometConfig is the node's default config.toml.
func CometConfig() *cmtcfg.Config {
	c := cmtcfg.DefaultConfig()
	c.Consensus.TimeoutCommit = BlockTime
	// The default of 100 ms costs 100 to 200 ms a block once there are several validators.
	c.Consensus.PeerGossipSleepDuration = 5 * time.Millisecond
	c.RPC.MaxBodyBytes = maxBody
	c.Mempool.Recheck = true // or accounts with more than one transaction in flight fail
	return c
}

// ServerConfig is the node's default app.toml.
func ServerConfig() *serverconfig.Config {
	c := serverconfig.DefaultConfig()
	c.MinGasPrices = "0" + BaseDenom
	c.API.RPCMaxBodyBytes = maxBody
	return c
}
