package app_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	rpcclient "github.com/cometbft/cometbft/rpc/client"

	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	"github.com/cosmos/cosmos-sdk/types/address"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	"github.com/phala-go/phala/chain/app/devhome"
)

// TestNode runs the chain under CometBFT: blocks, a transfer, and what a light client starts from and asks for.
func TestNode(t *testing.T) {
	n := apptest.StartNode(t, devhome.Config{})
	ctx := context.Background()
	to := apptest.NewAccount("somebody")
	sent := n.Send(t, n.Funds, banktypes.NewMsgSend(n.Funds.Addr, to.Addr, pha(3)))

	t.Run("genesis names the first validators", func(t *testing.T) {
		gen, err := genutiltypes.AppGenesisFromFile(filepath.Join(n.Home, "config", "genesis.json"))
		if err != nil {
			t.Fatal(err)
		}
		one := int64(1)
		first, err := n.RPC.Validators(ctx, &one, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(gen.Consensus.Validators) != 1 || len(first.Validators) != 1 {
			t.Fatalf("%d in the genesis, %d at block 1", len(gen.Consensus.Validators), len(first.Validators))
		}
		g, v := gen.Consensus.Validators[0], first.Validators[0]
		if !g.PubKey.Equals(v.PubKey) || g.Power != v.VotingPower {
			t.Errorf("genesis %v, block 1 %v", g, v)
		}
	})

	t.Run("a value is proven at each height", func(t *testing.T) {
		// The proof of the state after block H is against the header of H+1.
		key := append(append([]byte{2}, address.MustLengthPrefix(to.Addr)...), app.BaseDenom...)
		n.WaitHeight(t, sent.Height+3)
		for h := sent.Height; h <= sent.Height+2; h++ {
			r, err := n.RPC.ABCIQueryWithOptions(ctx, "/store/bank/key", key, rpcclient.ABCIQueryOptions{Height: h, Prove: true})
			if err != nil || r.Response.Code != 0 || r.Response.Height != h {
				t.Fatalf("height %d: %v %v", h, err, r)
			}
			next := h + 1
			c, err := n.RPC.Commit(ctx, &next)
			if err != nil {
				t.Fatal(err)
			}
			prt := rootmulti.DefaultProofRuntime()
			if err := prt.VerifyValue(r.Response.ProofOps, c.AppHash, "/bank/x:"+hex(key), r.Response.Value); err != nil {
				t.Errorf("height %d: %v", h, err)
			}
			tampered := append(bytes.Clone(r.Response.Value), '0')
			if err := prt.VerifyValue(r.Response.ProofOps, c.AppHash, "/bank/x:"+hex(key), tampered); err == nil {
				t.Errorf("height %d: a wrong value is proven", h)
			}
		}
	})

	t.Run("blocks keep their interval", func(t *testing.T) {
		begin, from := time.Now(), n.Comet.BlockStore().Height()
		n.WaitHeight(t, from+10)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("10 blocks of 50 ms took %s", took)
		}
	})
}
