// Package keeper registers TEE workers: it takes evidence in, has it judged by core/attest under the network's policy, and
// keeps the identity that is in force. It must never keep two identities of one worker, nor one identity of two workers.
package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	collcodec "cosmossdk.io/collections/codec"
	"cosmossdk.io/core/store"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

type key = collections.Pair[string, uint32]

// Config is what the keeper works with; every field is needed.
type Config struct {
	Codec       codec.BinaryCodec
	Store       store.KVStoreService
	Denom       string // of the bonds
	Accounts    Accounts
	Bank        Bank
	Attestation Attestation
}

// Keeper is the module's access to its state.
type Keeper struct {
	denom       string
	accounts    Accounts
	bank        Bank
	attestation Attestation
	gatekeepers Gatekeepers
	clusters    Clusters

	Schema     collections.Schema
	params     collections.Item[types.Params]
	workers    collections.Map[key, wire.Worker]
	evidence   collections.Map[key, wire.WorkerEvidence]
	identities collections.Map[[]byte, key]
	expiries   collections.KeySet[collections.Pair[uint64, key]]
	lapses     collections.KeySet[collections.Pair[uint64, key]]
}

// New makes the keeper. SetNeighbours completes it.
func New(c Config) (*Keeper, error) {
	sb := collections.NewSchemaBuilder(c.Store)
	name := collections.PairKeyCodec(collections.StringKey, collections.Uint32Key)
	k := &Keeper{
		denom: c.Denom, accounts: c.Accounts, bank: c.Bank, attestation: c.Attestation,
		params:     collections.NewItem(sb, collections.NewPrefix([]byte{types.ParamsPrefix}), "params", codec.CollValue[types.Params](c.Codec)),
		workers:    collections.NewMap(sb, collections.NewPrefix([]byte{types.WorkerPrefix}), "workers", name, codec.CollValue[wire.Worker](c.Codec)),
		evidence:   collections.NewMap(sb, collections.NewPrefix([]byte{types.EvidencePrefix}), "evidence", name, codec.CollValue[wire.WorkerEvidence](c.Codec)),
		identities: collections.NewMap(sb, collections.NewPrefix([]byte{types.IdentityPrefix}), "identities", collections.BytesKey, collcodec.KeyToValueCodec(name)),
		expiries:   collections.NewKeySet(sb, collections.NewPrefix([]byte{types.ExpiryPrefix}), "expiries", collections.PairKeyCodec(collections.Uint64Key, name)),
		lapses:     collections.NewKeySet(sb, collections.NewPrefix([]byte{types.LapsePrefix}), "lapses", collections.PairKeyCodec(collections.Uint64Key, name)),
	}
	var err error
	k.Schema, err = sb.Build()
	return k, err
}

// SetNeighbours names the modules that use workers; they are made after this one.
func (k *Keeper) SetNeighbours(g Gatekeepers, c Clusters) { k.gatekeepers, k.clusters = g, c }

func keyOf(w *wire.WorkerRef) key { return collections.Join(w.GetOperator(), w.GetSlot()) }

// Worker is the worker as registered, nil if it is not.
func (k *Keeper) Worker(ctx context.Context, ref *wire.WorkerRef) (*wire.Worker, error) {
	w, err := k.workers.Get(ctx, keyOf(ref))
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &w, err
}

// nonceOf is the block that the evidence of a registered worker names.
func (k *Keeper) nonceOf(ctx context.Context, ref *wire.WorkerRef) (uint64, error) {
	e, err := k.evidence.Get(ctx, keyOf(ref))
	return e.GetIdentity().GetNonceHeight(), err
}

// set stores a worker with its evidence; old is the registration it replaces, or nil.
func (k *Keeper) set(ctx context.Context, old, w *wire.Worker, e *wire.WorkerEvidence) error {
	if old != nil {
		if err := errors.Join(k.identities.Remove(ctx, old.IdentityKey), k.unqueue(ctx, old)); err != nil {
			return err
		}
	}
	id := keyOf(w.Worker)
	if err := k.queue(ctx, w); err != nil {
		return err
	}
	if err := k.identities.Set(ctx, w.IdentityKey, id); err != nil {
		return err
	}
	if err := k.evidence.Set(ctx, id, *e); err != nil {
		return err
	}
	return k.workers.Set(ctx, id, *w)
}

func (k *Keeper) remove(ctx context.Context, w *wire.Worker) error {
	id := keyOf(w.Worker)
	if err := errors.Join(k.identities.Remove(ctx, w.IdentityKey), k.unqueue(ctx, w)); err != nil {
		return err
	}
	if err := k.evidence.Remove(ctx, id); err != nil {
		return err
	}
	return k.workers.Remove(ctx, id)
}

func (k *Keeper) coins(n math.Int) sdk.Coins { return sdk.NewCoins(sdk.NewCoin(k.denom, n)) }

// InitGenesis stores a validated genesis. The bank's genesis must give the module's account the bonds.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	held := k.bank.GetBalance(ctx, k.accounts.GetModuleAddress(types.ModuleName), k.denom).Amount
	if sum := g.Bonds(); held.LT(sum) {
		return types.ErrGenesis.Wrapf("the account of module %s holds %s%s, the bonds are %s: give it the rest in bank.balances", types.ModuleName, held, k.denom, sum)
	}
	if err := k.params.Set(ctx, *g.Params); err != nil {
		return err
	}
	evidence := make(map[string]*wire.WorkerEvidence)
	for _, e := range g.Evidence {
		evidence[e.Identity.Worker.Name()] = e
	}
	for _, w := range g.Workers {
		if err := k.set(ctx, nil, w, evidence[w.Worker.Name()]); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis is the inverse of InitGenesis.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	p, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	g := &types.GenesisState{Params: &p}
	if err := k.workers.Walk(ctx, nil, func(_ key, w wire.Worker) (bool, error) {
		g.Workers = append(g.Workers, &w)
		return false, nil
	}); err != nil {
		return nil, err
	}
	err = k.evidence.Walk(ctx, nil, func(_ key, e wire.WorkerEvidence) (bool, error) {
		g.Evidence = append(g.Evidence, &e)
		return false, nil
	})
	return g, err
}
