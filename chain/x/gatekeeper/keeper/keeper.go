// Package keeper keeps the gatekeeper set, the record of requests for keys, and the input keys that clusters announce.
// It must never take a request or a word that the worker's identity in force has not signed.
package keeper

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

type (
	key     = collections.Triple[uint64, string, uint32]       // cluster, operator, slot
	timeKey = collections.Quad[uint64, uint64, string, uint32] // height, cluster, operator, slot
)

// Config is what the keeper works with; every field is needed.
type Config struct {
	Codec       codec.BinaryCodec
	Store       store.KVStoreService
	Authority   string // who governs
	Attestation Attestation
	Workers     Workers
}

// Keeper is the module's access to its state.
type Keeper struct {
	authority   string
	attestation Attestation
	workers     Workers
	clusters    Clusters

	Schema        collections.Schema
	set           collections.Item[wire.GatekeeperSet]
	keys          collections.Map[uint64, wire.ClusterKey]
	requests      collections.Map[key, wire.KeyRequest]
	announcements collections.Map[key, wire.Announcement]
	// Sets are maps to true: an entry with an empty value would make the absence of its neighbours unprovable (ICS-23).
	byHeight    collections.Map[timeKey, bool]
	oneTimeKeys collections.Map[[]byte, bool]
	beacons     collections.Map[uint64, wire.Beacon]
	inputKeys
	epochs
}

// New makes the keeper. SetClusters completes it.
func New(c Config) (*Keeper, error) {
	sb := collections.NewSchemaBuilder(c.Store)
	prefix := func(b byte) collections.Prefix { return collections.NewPrefix([]byte{b}) }
	member := collections.TripleKeyCodec(collections.Uint64Key, collections.StringKey, collections.Uint32Key)
	k := &Keeper{
		authority: c.Authority, attestation: c.Attestation, workers: c.Workers,
		set:           collections.NewItem(sb, prefix(types.SetPrefix), "set", codec.CollValue[wire.GatekeeperSet](c.Codec)),
		keys:          collections.NewMap(sb, prefix(types.ClusterKeyPrefix), "keys", collections.Uint64Key, codec.CollValue[wire.ClusterKey](c.Codec)),
		requests:      collections.NewMap(sb, prefix(types.KeyRequestPrefix), "requests", member, codec.CollValue[wire.KeyRequest](c.Codec)),
		announcements: collections.NewMap(sb, prefix(types.AnnouncementPrefix), "announcements", member, codec.CollValue[wire.Announcement](c.Codec)),
		byHeight: collections.NewMap(sb, prefix(types.RequestTimePrefix), "requests_by_height",
			collections.QuadKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.StringKey, collections.Uint32Key), collections.BoolValue),
		oneTimeKeys: collections.NewMap(sb, prefix(types.OneTimeKeyPrefix), "one_time_keys", collections.BytesKey, collections.BoolValue),
	}
	k.inputKeys = newInputKeys(sb, c.Codec)
	k.epochs = newEpochs(sb, c.Codec)
	k.beacons = newBeacons(sb, c.Codec)
	var err error
	k.Schema, err = sb.Build()
	return k, err
}

// SetClusters names the module that keeps clusters; it is made after this one.
func (k *Keeper) SetClusters(c Clusters) { k.clusters = c }

func keyOf(cluster uint64, w *wire.WorkerRef) key {
	return collections.Join3(cluster, w.Operator, w.Slot)
}

// Epoch is the current epoch.
func (k *Keeper) Epoch(ctx context.Context) (uint64, error) {
	s, err := k.set.Get(ctx)
	return s.Epoch, err
}

// Holds says whether the network counts on w: it is on the roster, on the next one, in the set or in a generation under way.
func (k *Keeper) Holds(ctx context.Context, w *wire.WorkerRef) (bool, error) {
	s, err := k.set.Get(ctx)
	if err != nil || memberOf(&s, w) != nil {
		return err == nil, err
	}
	for _, item := range []collections.Item[wire.GatekeeperRoster]{k.inForce, k.roster} {
		r, err := newest(ctx, item)
		if err != nil || slices.ContainsFunc(r.GetMembers(), w.Is) {
			return err == nil, err
		}
	}
	return false, nil
}

func memberOf(s *wire.GatekeeperSet, w *wire.WorkerRef) *wire.GatekeeperMember {
	for _, m := range s.Members {
		if m.Worker.Is(w) {
			return m
		}
	}
	return nil
}

// ClusterKey is a cluster's announced input key, nil before a quorum has spoken.
func (k *Keeper) ClusterKey(ctx context.Context, cluster uint64) (*wire.ClusterKey, error) {
	v, err := k.keys.Get(ctx, cluster)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &v, err
}

// record puts a request in the place of the worker's earlier one.
func (k *Keeper) record(ctx context.Context, r *wire.KeyRequest) error {
	id := keyOf(r.Cluster, r.Worker)
	old, err := k.requests.Get(ctx, id)
	switch {
	case err == nil:
		if err := k.byHeight.Remove(ctx, timeOf(&old)); err != nil {
			return err
		}
	case !errors.Is(err, collections.ErrNotFound):
		return err
	}
	if err := k.oneTimeKeys.Set(ctx, oneTimeHash(r), true); err != nil {
		return err
	}
	if err := k.byHeight.Set(ctx, timeOf(r), true); err != nil {
		return err
	}
	return k.requests.Set(ctx, id, *r)
}

// oneTimeHash names a one-time key of one identity: no other identity can use it up.
func oneTimeHash(r *wire.KeyRequest) []byte {
	h := sha256.New()
	h.Write(r.IdentityKey)
	h.Write(r.OneTimeKey)
	return h.Sum(nil)
}

func timeOf(r *wire.KeyRequest) timeKey {
	return collections.Join4(r.Height, r.Cluster, r.Worker.Operator, r.Worker.Slot)
}

// InitGenesis stores a validated genesis.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(); err != nil {
		return err
	}
	n, err := k.attestation.Network(ctx)
	if err != nil {
		return err
	}
	if err := k.initEpochs(ctx, n, g); err != nil {
		return err
	}
	for _, r := range g.Requests {
		if err := k.record(ctx, r); err != nil {
			return err
		}
	}
	for _, a := range g.Announcements {
		if err := k.announcements.Set(ctx, keyOf(a.Cluster, a.Worker), *a); err != nil {
			return err
		}
	}
	for _, v := range g.Keys {
		if err := k.keys.Set(ctx, v.Cluster, *v); err != nil {
			return err
		}
	}
	return k.initInputKeys(ctx, g)
}

// ExportGenesis is the inverse of InitGenesis, but for the hashes of one-time keys that have been replaced: no epoch
// outlives the chain it began on.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	g, err := k.exportEpochs(ctx)
	if err != nil {
		return nil, err
	}
	if err := k.requests.Walk(ctx, nil, func(_ key, r wire.KeyRequest) (bool, error) {
		g.Requests = append(g.Requests, &r)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.announcements.Walk(ctx, nil, func(_ key, a wire.Announcement) (bool, error) {
		g.Announcements = append(g.Announcements, &a)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.keys.Walk(ctx, nil, func(_ uint64, v wire.ClusterKey) (bool, error) {
		g.Keys = append(g.Keys, &v)
		return false, nil
	}); err != nil {
		return nil, err
	}
	return g, k.exportInputKeys(ctx, g)
}
