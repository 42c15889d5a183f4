package executor

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// cluster is one cluster as this worker knows it.
type cluster struct {
	id uint64

	// The chain's word at height, all proven against the same header.
	height  uint64
	info    *wire.Cluster
	head    *wire.Head
	inbox   *wire.Inbox
	key     *wire.ClusterKey // in force; nil: none is
	nextKey *wire.ClusterKey // agreed on and not in force yet; nil: none is
	set     *wire.GatekeeperSet
	prevSet *wire.GatekeeperSet // of the epoch before, which still gives its parts; nil: there was none
	members []*wire.Worker      // by index; nil: not registered
	me      int                 // index among the members; -1: none, expired, or another boot of this worker is registered

	roll []*wire.WorkerRef // whose records to ask for: info's members, or those of a newer roster that is not whole yet

	// What never changes on the chain, as far as it has been proven.
	items   map[uint64]*wire.InboxItem
	batches map[uint64]*wire.CommittedBatch
	wanted  map[string]*wire.StoreKey

	former  *wire.Cluster // info before its epoch or roster changed last; nil: not seen
	keys    ring
	archive map[label]*keytree.Secret // state keys of labels that are not in keys
	request *request
	dealing dealing
	rescue  rescue
	early   *request // made before the membership was proven; nil: none
	said    word     // the last announcement

	final      snapshot
	candidates map[string]*candidate // of batch final.number+1, by hash
	signed     map[uint64][]byte     // hash signed, by view; empty: judged and not signed
	votes      map[string]*tally
	slow       map[uint64]bool // see job
	held       []*wire.Proposal
	results    results

	restoring bool // since the boot: records first, execution where nobody has them
	records   map[uint64]*wire.SealedRecord
	asked     map[uint64]uint64 // at which height, by batch
	beacons   beacons
	draws     map[uint64]bool // items that have been seen to draw
	fetch     *fetch          // of a snapshot, before the records; nil: not begun
	broken    error

	writing *writer // of a snapshot; nil: none is being written
	sealed  label   // of the newest snapshot that was begun
	logged  int     // bytes of records since then
	stored  int     // bytes of that snapshot
}

func newCluster(id uint64) *cluster {
	return &cluster{
		id: id, me: -1, keys: ring{}, archive: map[label]*keytree.Secret{},
		items: map[uint64]*wire.InboxItem{}, batches: map[uint64]*wire.CommittedBatch{}, wanted: map[string]*wire.StoreKey{},
		final: genesisSnapshot(), candidates: map[string]*candidate{}, signed: map[uint64][]byte{}, votes: map[string]*tally{}, slow: map[uint64]bool{},
		beacons: newBeacons(), draws: map[uint64]bool{}, restoring: true, records: map[uint64]*wire.SealedRecord{}, asked: map[uint64]uint64{},
	}
}

func (x *Executor) ids() []uint64 { return slices.Sorted(maps.Keys(x.clusters)) }

func inCluster(key []byte) *wire.StoreKey {
	return &wire.StoreKey{Store: storekey.Cluster, Key: key}
}

func workerAt(w *wire.WorkerRef) *wire.StoreKey {
	return &wire.StoreKey{Store: storekey.Worker, Key: storekey.WorkerKey(w.Operator, w.Slot)}
}

// base is what must be known together, at one height.
func (c *cluster) base() []*wire.StoreKey {
	keys := []*wire.StoreKey{
		inCluster(storekey.ClusterKey(c.id)),
		inCluster(storekey.HeadKey(c.id)),
		inCluster(storekey.InboxKey(c.id)),
		{Store: storekey.Gatekeeper, Key: storekey.ClusterInputKey(c.id)},
		{Store: storekey.Gatekeeper, Key: storekey.NextInputKey(c.id)},
		{Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey()},
		{Store: storekey.Gatekeeper, Key: storekey.PreviousSetKey()},
	}
	for _, m := range c.roll {
		keys = append(keys, workerAt(m))
	}
	return keys
}

// look asks for a cluster's facts at the newest header.
func (x *Executor) look(c *cluster) {
	h := x.cfg.Light.Height()
	if h == 0 || h <= c.height {
		return
	}
	keys := c.base()
	for _, id := range slices.Sorted(maps.Keys(c.wanted)) {
		keys = append(keys, c.wanted[id]) // asked before, not answered
	}
	x.emit(&wire.Out{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: h, Keys: keys}}})
}

// want asks once for values that never change.
func (x *Executor) want(c *cluster, keys ...*wire.StoreKey) {
	var ask []*wire.StoreKey
	for _, k := range keys {
		id := k.Store + "/" + string(k.Key)
		if _, waiting := c.wanted[id]; !waiting {
			c.wanted[id] = k
			ask = append(ask, k)
		}
	}
	if len(ask) > 0 {
		x.emit(&wire.Out{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: x.cfg.Light.Height(), Keys: ask}}})
	}
}

// observe takes what f says of the cluster: the base only whole and only forwards.
func (x *Executor) observe(c *cluster, f lightclient.Facts) error {
	for id, k := range c.wanted {
		if !f.Has(k) {
			continue
		}
		if err := c.take(f, k); err != nil {
			return err
		}
		delete(c.wanted, id)
	}
	if f.Height <= c.height || !f.Has(c.base()...) {
		return nil
	}
	info, head, inbox, set := &wire.Cluster{}, &wire.Head{}, &wire.Inbox{}, &wire.GatekeeperSet{}
	for _, r := range []struct {
		key *wire.StoreKey
		to  wire.Message
	}{
		{inCluster(storekey.ClusterKey(c.id)), info},
		{inCluster(storekey.HeadKey(c.id)), head},
		{inCluster(storekey.InboxKey(c.id)), inbox},
		{&wire.StoreKey{Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey()}, set},
	} {
		if ok, err := f.Read(r.key, r.to); err != nil || !ok {
			return err // not at this height yet: the host has been quick
		}
	}
	key, err := inputKey(f, storekey.ClusterInputKey(c.id))
	if err != nil {
		return err
	}
	nextKey, err := inputKey(f, storekey.NextInputKey(c.id))
	if err != nil {
		return err
	}
	prevSet := &wire.GatekeeperSet{}
	if ok, err := f.Read(&wire.StoreKey{Store: storekey.Gatekeeper, Key: storekey.PreviousSetKey()}, prevSet); err != nil {
		return err
	} else if !ok {
		prevSet = nil
	}
	c.roll = info.Members
	if !f.Has(c.base()...) { // the members have just become known, or have changed
		x.emit(&wire.Out{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: f.Height, Keys: c.base()}}})
		return nil
	}
	members := make([]*wire.Worker, len(info.Members))
	me := -1
	for i, m := range info.Members {
		w := &wire.Worker{}
		ok, err := f.Read(workerAt(m), w)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		members[i] = w
		switch {
		case x.isMe(w) && w.ExpiryHeight > f.Height:
			me = i
		case w.Worker.Is(x.cfg.Worker()) && !x.isMe(w) && len(c.keys) > 0:
			c.retire()
		}
	}
	if !slices.ContainsFunc(info.Members, x.cfg.Worker().Is) {
		early := c.early
		c.early = nil
		c.retire() // removed, or never a member
		c.early = early
	}
	former := c.info
	c.height, c.info, c.head, c.inbox, c.key, c.nextKey, c.set, c.prevSet, c.members, c.me = f.Height, info, head, inbox, key, nextKey, set, prevSet, members, me
	c.moved(former)
	return nil
}

// inputKey reads one of a cluster's public keys, nil if it is proven that there is none.
func inputKey(f lightclient.Facts, key []byte) (*wire.ClusterKey, error) {
	k := &wire.ClusterKey{}
	ok, err := f.Read(&wire.StoreKey{Store: storekey.Gatekeeper, Key: key}, k)
	if err != nil || !ok {
		return nil, err
	}
	return k, nil
}

// retire forgets everything of a cluster: another boot has taken this worker's place (P1), or the members have removed it (P8).
func (c *cluster) retire() {
	for l := range c.keys {
		c.keys.wipe(l)
	}
	c.wipeArchive()
	c.rescue.wipe()
	c.endRequest()
	c.endEarly()
	fresh := newCluster(c.id)
	fresh.roll = c.roll
	*c = *fresh
}

func (x *Executor) isMe(w *wire.Worker) bool {
	return w.Worker.Is(x.cfg.Worker()) && bytes.Equal(w.IdentityKey, x.public())
}

// take keeps an item or a batch.
func (c *cluster) take(f lightclient.Facts, k *wire.StoreKey) error {
	if k.Store == storekey.Gatekeeper {
		return c.beacons.take(f, k, binary.BigEndian.Uint64(k.Key[1:]))
	}
	switch k.Key[0] {
	case storekey.ItemKey(0, 0)[0]:
		item := &wire.InboxItem{}
		ok, err := f.Read(k, item)
		if err != nil || !ok {
			return err
		}
		c.items[item.Index] = item
	case storekey.BatchKey(0, 0)[0]:
		b := &wire.CommittedBatch{}
		ok, err := f.Read(k, b)
		if err != nil || !ok {
			return err
		}
		c.batches[b.Signed.Batch.Number] = b
	}
	return nil
}

// gather gives items first … first+count-1, or asks for those that are missing.
func (x *Executor) gather(c *cluster, first uint64, count uint32) ([]*wire.InboxItem, bool) {
	items := make([]*wire.InboxItem, 0, count)
	var missing []*wire.StoreKey
	for i := first; i < first+uint64(count); i++ {
		if it := c.items[i]; it != nil {
			items = append(items, it)
		} else {
			missing = append(missing, inCluster(storekey.ItemKey(c.id, i)))
		}
	}
	x.want(c, missing...)
	return items, len(missing) == 0
}

// follows is settle's word on a batch at what this worker knows of the chain.
func (x *Executor) follows(c *cluster, b *wire.Batch) error {
	at, _ := x.cfg.Light.Header(b.ChainHeight)
	return settle.Follows(settle.Input{
		ChainID: x.cfg.ChainID, Cluster: c.info, Head: c.head, InboxNext: c.inbox.Next, ChainHash: at.Hash,
		Height: c.height + 1, MaxAge: maxProposalAge, Batch: &wire.SignedBatch{Batch: b},
	})
}
