// Package keeper keeps clusters, their code, contracts, inboxes and final batches, and the escrows behind their private
// balances. core/settle decides which batch counts. It must never pay out what a final batch does not say, nor twice.
package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/wire"
)

type (
	numberKey   = collections.Pair[uint64, uint64]           // cluster, item or batch
	contractKey = collections.Pair[uint64, []byte]           // cluster, address
	effectKey   = collections.Triple[uint64, uint64, []byte] // cluster, batch, leaf
	memberKey   = collections.Triple[string, uint32, uint64] // operator, slot, cluster
)

// Config is what the keeper works with; every field is needed.
type Config struct {
	Codec       codec.BinaryCodec
	Store       store.KVStoreService
	Denom       string // of fees and escrows
	Authority   string // governance
	Accounts    Accounts
	Bank        Bank
	Attestation Attestation
	Workers     Workers
	Gatekeepers Gatekeepers
}

// Keeper is the module's access to its state.
type Keeper struct {
	Config

	Schema    collections.Schema
	params    collections.Item[types.Params]
	nextID    collections.Sequence
	clusters  collections.Map[uint64, wire.Cluster]
	heads     collections.Map[uint64, wire.Head]
	inboxes   collections.Map[uint64, wire.Inbox]
	items     collections.Map[numberKey, wire.InboxItem]
	batches   collections.Map[numberKey, wire.CommittedBatch]
	codes     collections.Map[[]byte, wire.Code]
	packed    collections.Map[[]byte, []byte]
	contracts collections.Map[contractKey, wire.Contract]
	// Sets are maps to true, since an entry with an empty value makes the absence of its neighbours unprovable (ICS-23).
	revealed collections.Map[effectKey, bool]
	members  collections.Map[memberKey, bool]
	escrowRecords
}

// New makes the keeper.
func New(c Config) (*Keeper, error) {
	sb := collections.NewSchemaBuilder(c.Store)
	prefix := func(b byte) collections.Prefix { return collections.NewPrefix([]byte{b}) }
	number := collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
	contract := collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)
	effect := collections.TripleKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.BytesKey)
	member := collections.TripleKeyCodec(collections.StringKey, collections.Uint32Key, collections.Uint64Key)
	k := &Keeper{
		Config:    c,
		params:    collections.NewItem(sb, prefix(types.ParamsPrefix), "params", codec.CollValue[types.Params](c.Codec)),
		nextID:    collections.NewSequence(sb, prefix(types.NextIDPrefix), "next_id"),
		clusters:  collections.NewMap(sb, prefix(types.ClusterPrefix), "clusters", collections.Uint64Key, codec.CollValue[wire.Cluster](c.Codec)),
		heads:     collections.NewMap(sb, prefix(types.HeadPrefix), "heads", collections.Uint64Key, codec.CollValue[wire.Head](c.Codec)),
		inboxes:   collections.NewMap(sb, prefix(types.InboxPrefix), "inboxes", collections.Uint64Key, codec.CollValue[wire.Inbox](c.Codec)),
		items:     collections.NewMap(sb, prefix(types.ItemPrefix), "items", number, codec.CollValue[wire.InboxItem](c.Codec)),
		batches:   collections.NewMap(sb, prefix(types.BatchPrefix), "batches", number, codec.CollValue[wire.CommittedBatch](c.Codec)),
		codes:     collections.NewMap(sb, prefix(types.CodePrefix), "codes", collections.BytesKey, codec.CollValue[wire.Code](c.Codec)),
		packed:    collections.NewMap(sb, prefix(types.PackedPrefix), "packed", collections.BytesKey, collections.BytesValue),
		contracts: collections.NewMap(sb, prefix(types.ContractPrefix), "contracts", contract, codec.CollValue[wire.Contract](c.Codec)),
		revealed:  collections.NewMap(sb, prefix(types.RevealedPrefix), "revealed", effect, collections.BoolValue),
		members:   collections.NewMap(sb, prefix(types.MemberPrefix), "members", member, collections.BoolValue),

		escrowRecords: newEscrowRecords(sb, c.Codec),
	}
	var err error
	k.Schema, err = sb.Build()
	return k, err
}

// find is a stored value, nil if there is none.
func find[K, V any](ctx context.Context, m collections.Map[K, V], key K) (*V, error) {
	v, err := m.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &v, err
}

// Cluster is a cluster, nil if there is none of that id.
func (k *Keeper) Cluster(ctx context.Context, id uint64) (*wire.Cluster, error) {
	return find(ctx, k.clusters, id)
}

// ClusterOf is a cluster whose member w is, if there is one.
func (k *Keeper) ClusterOf(ctx context.Context, w *wire.WorkerRef) (id uint64, member bool, err error) {
	err = k.members.Walk(ctx, collections.NewSuperPrefixedTripleRange[string, uint32, uint64](w.GetOperator(), w.GetSlot()), func(m memberKey, _ bool) (bool, error) {
		id, member = m.K3(), true
		return true, nil
	})
	return id, member, err
}

// mustCluster is a cluster that a message names.
func (k *Keeper) mustCluster(ctx context.Context, id uint64) (*wire.Cluster, error) {
	c, err := k.Cluster(ctx, id)
	if err == nil && c == nil {
		err = types.ErrCluster.Wrapf("cluster %d does not exist: list them with the query clusters", id)
	}
	return c, err
}

// addCluster stores a cluster and indexes its members.
func (k *Keeper) addCluster(ctx context.Context, c *wire.Cluster, h *wire.Head, in *wire.Inbox) error {
	if err := k.index(ctx, c.Id, c.Members, nil); err != nil {
		return err
	}
	if err := k.clusters.Set(ctx, c.Id, *c); err != nil {
		return err
	}
	if err := k.heads.Set(ctx, c.Id, *h); err != nil {
		return err
	}
	return k.inboxes.Set(ctx, c.Id, *in)
}

func (k *Keeper) coins(n math.Int) sdk.Coins { return sdk.NewCoins(sdk.NewCoin(k.Denom, n)) }

// CheckEscrows is the module's invariant: its account holds what the clusters' private balances add up to.
func (k *Keeper) CheckEscrows(ctx context.Context) error {
	sum := math.ZeroInt()
	err := k.inboxes.Walk(ctx, nil, func(_ uint64, in wire.Inbox) (bool, error) {
		n, err := types.ParseAmount(in.Escrow)
		if err == nil {
			sum = sum.Add(n)
		}
		return err != nil, err
	})
	if err != nil {
		return err
	}
	held := k.Bank.GetBalance(ctx, k.Accounts.GetModuleAddress(types.ModuleName), k.Denom).Amount
	if held.LT(sum) {
		return types.ErrEscrow.Wrapf("the account of module %s holds %s%s, the escrows are %s", types.ModuleName, held, k.Denom, sum)
	}
	return nil
}
