package keepertest

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/phala-go/phala/chain/app/apptest"
	"github.com/phala-go/phala/chain/app/devhome"
	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// full is a world that has something of everything.
func full(t *testing.T) (w *world, bs []*boot, code []byte) {
	w = newWorld(t)
	bs = w.executors(3)
	id := w.cluster(bs)
	w.register(w.Accounts[1], newBoot(w.Accounts[1], gatekeeperSlot, wire.ROLE_GATEKEEPER, "gatekeeper"))
	code = w.upload(w.Accounts[0])
	w.MustDeliver(w.Accounts[0], instantiation(w.Accounts[0], id, code))
	w.input(w.Accounts[2], id, "1000")
	effects := []*wire.Effect{{Salt: salt(1), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: w.Accounts[2].String(), Amount: "10"}}}}
	if res := w.commit(sign(w.batch(id, effects...), bs, 0, 1)); res.Code != 0 {
		t.Fatal(res.Log)
	}
	w.MustDeliver(w.Accounts[0], &clustertypes.MsgRevealEffects{Sender: w.Accounts[0].String(), Cluster: id, Number: 1, Openings: []*wire.EffectOpening{opening(effects, 0)}})
	w.MustDeliver(w.Accounts[3], w.request(bs[0], id, 1))
	w.MustDeliver(w.Accounts[3], w.announcement(bs[0], id, 1))
	w.MustDeliver(w.Accounts[3], w.announcement(bs[1], id, 1))
	return w, bs, code
}

// The keys that enclaves and clients build by hand are those under which the chain stores, and the values are the nouns.
func TestStoreKeys(t *testing.T) {
	w, bs, code := full(t)
	ref := bs[0].ref
	address := settle.ContractAddress(1, code, 1)
	for name, c := range map[string]struct {
		store string
		key   []byte
		value wire.Message
	}{
		"network":     {storekey.Attestation, storekey.Network(), new(wire.NetworkParams)},
		"policy":      {storekey.Attestation, storekey.Policy(int32(wire.ROLE_GATEKEEPER)), new(wire.Policy)},
		"worker":      {storekey.Worker, storekey.WorkerKey(ref.Operator, ref.Slot), new(wire.Worker)},
		"evidence":    {storekey.Worker, storekey.EvidenceKey(ref.Operator, ref.Slot), new(wire.WorkerEvidence)},
		"cluster":     {storekey.Cluster, storekey.ClusterKey(1), new(wire.Cluster)},
		"head":        {storekey.Cluster, storekey.HeadKey(1), new(wire.Head)},
		"inbox":       {storekey.Cluster, storekey.InboxKey(1), new(wire.Inbox)},
		"item":        {storekey.Cluster, storekey.ItemKey(1, 2), new(wire.InboxItem)},
		"batch":       {storekey.Cluster, storekey.BatchKey(1, 1), new(wire.CommittedBatch)},
		"code":        {storekey.Cluster, storekey.CodeKey(code), new(wire.Code)},
		"contract":    {storekey.Cluster, storekey.ContractKey(1, address), new(wire.Contract)},
		"set":         {storekey.Gatekeeper, storekey.GatekeeperSetKey(), new(wire.GatekeeperSet)},
		"cluster key": {storekey.Gatekeeper, storekey.ClusterInputKey(1), new(wire.ClusterKey)},
		"key request": {storekey.Gatekeeper, storekey.KeyRequestKey(1, ref.Operator, ref.Slot), new(wire.KeyRequest)},
	} {
		r := w.Prove(c.store, c.key)
		if len(r.Value) == 0 || r.ProofOps == nil {
			t.Errorf("%s: nothing is stored under %s/%x", name, c.store, c.key)
			continue
		}
		if err := wire.Unmarshal(r.Value, c.value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	hash, err := w.App.AttestationKeeper.HashAt(w.Ctx(), uint64(w.Height))
	w.check(err)
	if r := w.Prove(storekey.Attestation, storekey.Nonce(uint64(w.Height))); len(hash) != 32 || !bytes.Equal(r.Value, hash) {
		t.Errorf("nonce: %x, want %x", r.Value, hash)
	}
}

func TestGenesisRoundTrip(t *testing.T) {
	w, bs, _ := full(t)
	ex, err := w.App.Export(nil)
	w.check(err)
	gen := *w.Genesis
	gen.AppState, gen.InitialHeight, gen.GenesisTime = ex.AppState, ex.Height, w.Time
	gen.Consensus = genutiltypes.NewConsensusGenesis(ex.ConsensusParams, ex.Validators)
	w.check(gen.ValidateAndComplete())
	m := &world{apptest.FromGenesis(t, &gen), t}
	m.Accounts = w.Accounts
	again, err := m.App.Export(nil)
	w.check(err)
	var before, after map[string]json.RawMessage
	w.check(json.Unmarshal(ex.AppState, &before))
	w.check(json.Unmarshal(again.AppState, &after))
	for _, name := range []string{attestationtypes.ModuleName, workertypes.ModuleName, gatekeepertypes.ModuleName, clustertypes.ModuleName} {
		if len(before[name]) < 20 || !bytes.Equal(before[name], after[name]) {
			t.Errorf("%s exported %s, then %s", name, before[name], after[name])
		}
	}
	w.check(m.App.ClusterKeeper.CheckEscrows(m.Ctx()))
	// The chain goes on where it stopped.
	m.Blocks(1)
	m.input(m.Accounts[2], 1, "")
	if res := m.commit(sign(m.batch(1), bs, 1, 2)); res.Code != 0 {
		t.Error(res.Log)
	}
	if id := m.cluster(bs); id != 2 {
		t.Errorf("the next cluster is %d", id)
	}
}

// Under consensus a nonce is the hash of the block's own header, so that an enclave can look it up in its light client.
func TestNonceIsTheHeadersHash(t *testing.T) {
	n := apptest.StartNode(t, devhome.Config{})
	n.WaitHeight(t, 3)
	var nonce attestationtypes.QueryNonceResponse
	if err := n.Query("/phala.attestation.v1.Query/Nonce", &attestationtypes.QueryNonceRequest{}, &nonce); err != nil {
		t.Fatal(err)
	}
	height := int64(nonce.Height)
	n.WaitHeight(t, height)
	c, err := n.RPC.Commit(context.Background(), &height)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(nonce.Hash, c.Header.Hash()) {
		t.Errorf("nonce of %d is %x, its header has %s", height, nonce.Hash, c.Header.Hash())
	}
}
