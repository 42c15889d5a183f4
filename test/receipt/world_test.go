package receipt

import (
	"context"
	"fmt"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/receipt"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

const answer = `{"ok":{"messages":[],"attributes":[{"key":"diagnosis","value":"none"}],"events":[],"data":"ZGF0YQ=="}}`

// world is a network with a final result.
type world struct {
	net     *enclavetest.Net
	genesis *light.Genesis
	final   *wire.FinalResult
	taken   *wire.CommittedBatch
}

func newWorld(t *testing.T) *world {
	t.Helper()
	n := enclavetest.New(t, 3, 2)
	u := n.User("alice")
	s := u.Instantiate(n.Upload(enclavetest.Echo()), wire.QUERY_POLICY_OPEN, answer)
	n.Blocks(4)
	if f := s.Result(n.Members[0]).Failure; f != nil {
		t.Fatal(f)
	}
	call := u.Execute(s.Item.Address, answer, "", "")
	n.Blocks(4)
	g, err := light.ParseGenesis(enclavetest.GenesisFile(true))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{net: n, genesis: g, final: call.Final(n.Members[0])}
	w.taken = &wire.CommittedBatch{}
	if b := w.final.Batch; !n.Chain.Get(storekey.Cluster, storekey.BatchKey(b.Cluster, b.Number), w.taken) {
		t.Fatal("the chain lacks the batch")
	}
	n.Blocks(3) // receipts are made later
	return w
}

// LightBlock is a header of the chain.
func (w *world) LightBlock(_ context.Context, height uint64) (*cmttypes.LightBlock, error) {
	if height == 0 {
		height = w.net.Chain.Height
	}
	return light.Decode(w.net.Chain.Block(height))
}

// Value is one of the chain's.
func (w *world) Value(_ context.Context, height uint64, key *wire.StoreKey) (*wire.StoreValue, error) {
	v := w.net.Chain.Prove(height, key)
	if len(v.GetValues()) != 1 {
		return nil, fmt.Errorf("%d values", len(v.GetValues()))
	}
	return v.Values[0], nil
}

// make is the receipt of the result for somebody who trusts from, or the genesis.
func (w *world) make(t *testing.T, from *light.Checkpoint) *wire.Receipt {
	t.Helper()
	m := client.ReceiptMaker{Node: w, Genesis: w.genesis, Options: light.Options{TrustingPeriod: time.Hour, MaxClockDrift: time.Second}, Now: w.net.Clock()}
	r, err := m.Make(context.Background(), w.final, w.taken, from)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = receipt.Parse(receipt.Encode(r)); err != nil { // shares no memory with the chain
		t.Fatal(err)
	}
	return r
}

func (w *world) options() receipt.Options {
	return receipt.Options{Now: w.net.Clock(), TrustingPeriod: time.Hour}
}
