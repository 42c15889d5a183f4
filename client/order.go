package client

import (
	"context"
	"errors"
	"fmt"
	"sort"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// order is an input that can be sealed again: to the key of another epoch, if the cluster has moved meanwhile.
type order struct {
	cluster uint64
	context *wire.InputContext
	call    *wire.Call
	send    func(ctx context.Context, sealed *wire.Envelope, key *wire.ClusterKey) (*Pending, error)
}

// place seals an input to the newest proven key and has it ordered. Where the chain refuses the key, since the cluster has moved to
// another between the proof and the block, it is sealed once more.
func (c *Client) place(ctx context.Context, o order) (*Pending, error) {
	if c.account == nil {
		return nil, ErrNoKey
	}
	v, err := c.Cluster(ctx, o.cluster)
	if err == nil && v.Key == nil && v.Cluster.PreviousEpoch > 0 { // its members have changed: the new ones are getting their keys
		v, err = c.WaitCluster(ctx, o.cluster)
	}
	if err != nil {
		return nil, err
	}
	p, err := c.placeFor(ctx, o, v)
	var refused *node.TxError
	if !errors.As(err, &refused) || refused.Codespace != clustertypes.ErrEpoch.Codespace() || refused.Code != clustertypes.ErrEpoch.ABCICode() {
		return p, err
	}
	if _, err := c.Chain.WaitHeight(ctx, refused.Height+1); err != nil {
		return nil, err
	}
	if v, err = c.WaitCluster(ctx, o.cluster); err != nil {
		return nil, err
	}
	if p, err = c.placeFor(ctx, o, v); err != nil {
		return nil, err
	}
	p.Again = fmt.Sprintf("cluster %d had moved to another key as the input came: sealed again for epoch %d, roster %d", o.cluster, v.Key.Epoch, v.Key.Roster)
	return p, nil
}

func (c *Client) placeFor(ctx context.Context, o order, v *View) (*Pending, error) {
	env, key, err := c.sealTo(v, seal.DomainInput, wire.Marshal(o.context), o.call)
	if err != nil {
		return nil, err
	}
	p, err := o.send(ctx, env, v.Key)
	if err != nil {
		return nil, err
	}
	p.replyKey, p.order = key, &o
	return p, nil
}

// placeAgain puts a new input in the place of one that the chain proves to be void. It does so once.
func (c *Client) placeAgain(ctx context.Context, p *Pending) (bool, error) {
	if p.order == nil || p.repeated {
		return false, nil
	}
	void, err := c.Void(ctx, p.Cluster, p.Index)
	if err != nil || !void {
		return false, err
	}
	q, err := c.place(ctx, *p.order)
	if err != nil {
		return false, fmt.Errorf("sealing input %d of cluster %d again, which was void: %w", p.Index, p.Cluster, err)
	}
	q.Again = fmt.Sprintf("input %d of cluster %d was void, since the grace of the key that it was sealed to was over; its funds go back. Sealed again as input %d", p.Index, p.Cluster, q.Index)
	q.repeated = true
	*p = *q
	return true, nil
}

// Void says whether the chain proves that an input was consumed unopened, its key's grace being over: so that it may be sealed again
// without being executed twice. It is false also where that cannot be told any more, since the cluster has moved on.
func (c *Client) Void(ctx context.Context, cluster, index uint64) (bool, error) {
	item, err := c.Item(ctx, cluster, index)
	if err != nil || item == nil {
		return false, err
	}
	v, err := c.Cluster(ctx, cluster)
	if err != nil || index >= v.Head.InboxNext || settle.Opens(v.Cluster, item.Epoch, item.Roster) {
		return false, err
	}
	b, err := c.batchOf(ctx, v, index)
	if err != nil {
		return false, err
	}
	return b.Epoch == v.Cluster.Epoch && b.Roster == v.Cluster.Roster, nil
}

// batchOf finds the final batch that consumed an input, by proofs.
func (c *Client) batchOf(ctx context.Context, v *View, index uint64) (*wire.Batch, error) {
	var failed error
	get := func(number uint64) *wire.Batch {
		b, err := c.Batch(ctx, v.Cluster.Id, number)
		if err == nil && b == nil {
			err = fmt.Errorf("the chain has no batch %d of cluster %d", number, v.Cluster.Id)
		}
		failed = errors.Join(failed, err)
		return b.GetSigned().GetBatch()
	}
	n := sort.Search(int(v.Head.Number), func(i int) bool {
		if failed != nil {
			return true
		}
		b := get(uint64(i) + 1)
		return b.GetInboxFirst()+uint64(b.GetInboxCount()) > index
	})
	if failed != nil {
		return nil, failed
	}
	return get(uint64(n) + 1), failed
}
