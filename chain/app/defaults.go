package app

import (
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmttypes "github.com/cometbft/cometbft/types"

	serverconfig "github.com/cosmos/cosmos-sdk/server/config"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
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
	c.Mempool.MaxTxBytes = maxBody // CometBFT's 1 MiB would refuse code that the chain accepts
	c.Mempool.Recheck = true       // or accounts with more than one transaction in flight fail
	return c
}

// ServerConfig is the node's default app.toml.
func ServerConfig() *serverconfig.Config {
	c := serverconfig.DefaultConfig()
	c.MinGasPrices = "0" + BaseDenom
	c.API.RPCMaxBodyBytes = maxBody
	return c
}

// SetConsensusParams replaces CometBFT's limits of blocks and equivocation proofs by ours.
func SetConsensusParams(p *cmttypes.ConsensusParams) {
	p.Block.MaxBytes = 8 << 20
	// A light client trusts a validator set for as long as its members can be slashed, so a proof of their
	// equivocation must be good until their stake is unbonded, not for the two days of the default.
	p.Evidence.MaxAgeDuration = stakingtypes.DefaultUnbondingTime
	p.Evidence.MaxAgeNumBlocks = int64(stakingtypes.DefaultUnbondingTime / BlockTime)
}
