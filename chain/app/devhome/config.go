package devhome

import (
	"fmt"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"

	serverconfig "github.com/cosmos/cosmos-sdk/server/config"

	"github.com/phala-go/phala/chain/app"
)

// cometConfig is for one validator without peers, on one machine with the rest of the network.
func cometConfig(cfg Config) *cmtcfg.Config {
	c := app.CometConfig()
	c.Moniker = ValidatorKey
	c.LogLevel = "info"
	c.Consensus.TimeoutCommit = cfg.BlockTime
	c.P2P.ListenAddress = "tcp://" + cfg.P2P
	c.P2P.PexReactor = false
	c.P2P.AddrBookStrict = false
	c.RPC.ListenAddress = "tcp://" + cfg.RPC
	c.RPC.CORSAllowedOrigins = []string{"*"} // web applications under development
	c.RPC.PprofListenAddress = ""
	c.TxIndex.Indexer = "kv"
	// Evidence, mempool and send buffers are sized for many peers and heavy load; here they only cost memory.
	c.Mempool.CacheSize = 5000
	c.Mempool.MaxTxsBytes = 64 << 20
	c.RPC.TimeoutBroadcastTxCommit = 10 * time.Second
	return c
}

// serverConfig keeps every height, so that a proof of any of them can be asked for.
func serverConfig(cfg Config) *serverconfig.Config {
	c := app.ServerConfig()
	c.Pruning = "nothing"
	c.IAVLCacheSize = 10_000 // nodes a store; the default of 781,250 lets memory grow for hours
	c.API.Enable = true
	c.API.Address = "tcp://" + cfg.API
	c.API.EnableUnsafeCORS = true
	c.GRPC.Address = cfg.GRPC
	return c
}

func clientConfig(cfg Config) []byte {
	return fmt.Appendf(nil, `chain-id = %q
keyring-backend = "test"
keyring-default-keyname = ""
output = "text"
node = %q
broadcast-mode = "sync"
`, cfg.ChainID, "tcp://"+cfg.RPC)
}
