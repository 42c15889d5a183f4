package keepertest

import (
	"testing"

	errorsmod "cosmossdk.io/errors"

	"github.com/phala-go/phala/chain/app/apptest"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

func TestEffectsRunOnce(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(3)
	id := w.cluster(bs)
	owner, payee := w.Accounts[0], apptest.NewAccount("payee")
	code := w.upload(owner)
	w.MustDeliver(owner, instantiation(owner, id, code))
	address := settle.ContractAddress(id, code, 1)
	w.input(w.Accounts[2], id, "1000")
	module := w.App.AccountKeeper.GetModuleAddress(clustertypes.ModuleName)

	effects := []*wire.Effect{
		{Salt: salt(0), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: payee.String(), Amount: "600"}}},
		{Salt: salt(1), Body: &wire.Effect_Contract{Contract: &wire.ContractStatus{Address: address, Live: true}}},
		{Salt: salt(2), Body: &wire.Effect_Event{Event: &wire.PublicEvent{Contract: address, Type: "sold", Attributes: []*wire.Attribute{{Key: "cluster", Value: "77"}}}}},
		{Salt: salt(3), Body: &wire.Effect_Nothing{Nothing: &wire.Nothing{}}},
		{Salt: salt(4), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: payee.String(), Amount: "401"}}},
		{Salt: salt(5), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: module.String(), Amount: "1"}}},
		{Salt: salt(6), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: "nobody", Amount: "1"}}},
		{Salt: salt(7), Body: &wire.Effect_Contract{Contract: &wire.ContractStatus{Address: address}}},
		{Salt: salt(8), Body: &wire.Effect_Event{Event: &wire.PublicEvent{Contract: salt(9), Type: "x"}}},
		{Salt: salt(9), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: payee.String(), Amount: "0"}}},
		{Salt: salt(10), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: payee.String(), Amount: "400"}}},
	}
	for i := byte(len(effects)); i < 16; i++ {
		effects = append(effects, &wire.Effect{Salt: salt(i), Body: &wire.Effect_Nothing{Nothing: &wire.Nothing{}}})
	}
	reveal := func(os ...*wire.EffectOpening) *clustertypes.MsgRevealEffects {
		return &clustertypes.MsgRevealEffects{Sender: owner.String(), Cluster: id, Number: 1, Openings: os}
	}
	w.refused(w.Deliver(owner, reveal(opening(effects, 0))), clustertypes.ErrNoBatch, "commit it first")
	if res := w.commit(sign(w.batch(id, effects...), bs, 0, 1)); res.Code != 0 {
		t.Fatal(res.Log)
	}
	executed := func(want uint32, os ...*wire.EffectOpening) {
		t.Helper()
		res := w.MustDeliver(owner, reveal(os...))
		var out clustertypes.MsgRevealEffectsResponse
		apptest.Response(t, res.Data, 0, &out)
		if out.Executed != want {
			t.Errorf("%d effects executed, want %d", out.Executed, want)
		}
		w.check(w.App.ClusterKeeper.CheckEscrows(w.Ctx()))
	}

	forged := opening(effects, 0)
	forged.Effect = &wire.Effect{Salt: salt(0), Body: &wire.Effect_Payout{Payout: &wire.Payout{To: payee.String(), Amount: "601"}}}
	w.refused(w.Deliver(owner, reveal(forged)), clustertypes.ErrEffect, "another root")
	executed(3, opening(effects, 0), opening(effects, 1), opening(effects, 2))
	executed(0, opening(effects, 2), opening(effects, 0))
	if got := w.balance(payee.Addr).String(); got != "600" {
		t.Errorf("the payee has %s", got)
	}
	if s := w.contract(id, address).State; s != wire.CONTRACT_STATE_LIVE {
		t.Errorf("state %s", s)
	}
	for i, want := range map[int]*errorsmod.Error{
		3: clustertypes.ErrEffect, 4: clustertypes.ErrEscrow, 5: clustertypes.ErrPayee, 6: clustertypes.ErrPayee,
		7: clustertypes.ErrContract, 8: clustertypes.ErrContract, 9: clustertypes.ErrAmount,
	} {
		w.refused(w.Deliver(owner, reveal(opening(effects, i))), want, "opening 0")
	}

	// Whatever place a leaf claims, it runs once.
	o, first := opening(effects, 10), uint32(1)
	for n := uint32(1); n <= 32; n++ {
		for i := range n {
			alias := &wire.EffectOpening{Effect: o.Effect, Leaf: i, Leaves: n, Path: o.Path}
			if settle.VerifyEffect(w.effectsRoot(id, 1), alias) == nil {
				executed(first, alias)
				first = 0
			}
		}
	}
	if got := w.balance(payee.Addr); got.String() != "1000" {
		t.Errorf("the payee has %s of an escrow of 1000", got)
	}
}

func (w *world) effectsRoot(cluster, number uint64) []byte {
	w.t.Helper()
	var b clustertypes.QueryBatchResponse
	w.check(w.Query("/phala.cluster.v1.Query/Batch", &clustertypes.QueryBatchRequest{Cluster: cluster, Number: number}, &b))
	return b.Batch.Signed.Batch.EffectsRoot
}
