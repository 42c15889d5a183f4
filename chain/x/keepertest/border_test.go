package keepertest

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	errorsmod "cosmossdk.io/errors"

	"github.com/phala-go/phala/chain/app/apptest"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// town is a chain that makes its keys, with a cluster of three among four executors.
type town struct {
	*gatekeepers
	bs []*boot
	id uint64
}

func newTown(t *testing.T) *town {
	t.Helper()
	k := newGatekeepers(t, 1, 1, 40)
	k.step() // or its members are silent for too long
	bs := k.executors(4)
	k.step()
	return &town{k, bs, k.cluster(bs[:3])}
}

func (k *town) info() *wire.Cluster {
	k.t.Helper()
	c, err := k.App.ClusterKeeper.Cluster(k.Ctx(), k.id)
	k.check(err)
	return c
}

// announced has members say (epoch, roster)'s key, which is the epoch's number over and over; it gives the last answer.
func (k *town) announced(epoch, roster uint64, by ...*boot) (res *abci.ExecTxResult) {
	k.t.Helper()
	for _, b := range by {
		m := k.announcement(b, k.id, byte(10*epoch+roster))
		m.Announcement.Epoch, m.Announcement.Roster = epoch, roster
		k.signAnnouncement(b, m.Announcement)
		res = k.Deliver(k.Accounts[3], m)
	}
	return res
}

func (k *town) asks(b *boot, oneTime byte, epoch, roster uint64) *abci.ExecTxResult {
	k.t.Helper()
	m := k.request(b, k.id, oneTime)
	m.Request.Epoch, m.Request.Roster = epoch, roster
	k.signRequest(b, m.Request)
	return k.Deliver(k.Accounts[3], m)
}

func (k *town) sends(epoch, roster uint64) *abci.ExecTxResult {
	k.t.Helper()
	from := k.Accounts[2]
	return k.Deliver(from, &clustertypes.MsgSubmitInput{Sender: from.String(), Cluster: k.id, Epoch: epoch, Roster: roster, Sealed: envelope()})
}

func (k *town) ok(res *abci.ExecTxResult) {
	k.t.Helper()
	if res.Code != 0 {
		k.t.Fatal(res.Log)
	}
}

// in wants the cluster to have a key in force under epoch and roster, and this pair before it.
func (k *town) in(epoch, roster, beforeEpoch, beforeRoster uint64) {
	k.t.Helper()
	c := k.info()
	var key wire.ClusterKey
	if !k.read(storekey.ClusterInputKey(k.id), &key) || key.Epoch != epoch || key.Roster != roster {
		k.t.Errorf("key in force: epoch %d roster %d", key.Epoch, key.Roster)
	}
	if c.Epoch != epoch || c.Roster != roster || c.PreviousEpoch != beforeEpoch || c.PreviousRoster != beforeRoster {
		k.t.Errorf("cluster: %+v", c)
	}
}

func TestAClusterFollowsTheGatekeepersEpochs(t *testing.T) {
	k := newTown(t)
	if n := k.info().Epoch; n != 0 {
		t.Fatalf("the cluster begins in epoch %d", n)
	}
	k.refused(k.sends(0, 1), clustertypes.ErrEpoch, "epoch 0")
	k.refused(k.asks(k.bs[0], 1, 0, 1), gatekeepertypes.ErrEpoch, "epoch 0")
	k.run(1, 1)
	k.ok(k.asks(k.bs[0], 2, 1, 1))
	k.ok(k.announced(1, 1, k.bs[0], k.bs[1])) // the first key waits for nothing
	k.in(1, 1, 0, 0)
	k.ok(k.sends(1, 1))
	k.ok(k.commit(sign(k.batch(k.id), k.bs, 0, 1)))

	k.run(2, 1)
	k.refused(k.announced(1, 1, k.bs[2]), gatekeepertypes.ErrEpoch, "gatekeepers are in epoch 2")
	k.refused(k.asks(k.bs[0], 3, 3, 1), gatekeepertypes.ErrEpoch, "epoch 3")
	k.ok(k.asks(k.bs[0], 3, 2, 1))
	k.ok(k.asks(k.bs[1], 3, 1, 1)) // one that starts anew needs the key in force, too
	k.ok(k.announced(2, 1, k.bs[0], k.bs[1]))
	agreed := uint64(k.Height)
	var next wire.ClusterKey
	if !k.read(storekey.NextInputKey(k.id), &next) || next.Epoch != 2 || next.FromHeight != agreed+3 {
		t.Errorf("next key: epoch %d from height %d, agreed on at %d", next.Epoch, next.FromHeight, agreed)
	}
	k.in(1, 1, 0, 0)
	k.refused(k.sends(2, 1), clustertypes.ErrEpoch, "epoch 2")
	k.ok(k.sends(1, 1))
	old := k.batch(k.id) // executes before the border, is taken after it
	for uint64(k.Height) < next.FromHeight {
		k.Blocks(1)
	}
	k.in(2, 1, 1, 1)
	if k.read(storekey.NextInputKey(k.id), &next) {
		t.Error("the next key is still to come")
	}
	var before wire.ClusterKey
	if !k.read(storekey.PreviousInputKey(k.id), &before) || before.Epoch != 1 {
		t.Errorf("previous key: %+v", before.Epoch)
	}
	wrong := *old
	wrong.Epoch = 2
	k.refused(k.commit(sign(&wrong, k.bs, 0, 1)), clustertypes.ErrBatch, "wrong-epoch")
	k.ok(k.commit(sign(old, k.bs, 0, 1)))
	k.ok(k.sends(1, 1)) // within the grace
	k.ok(k.sends(2, 1))
	late := k.batch(k.id)
	late.Epoch = 1
	k.refused(k.commit(sign(late, k.bs, 0, 1)), clustertypes.ErrBatch, "wrong-epoch")
	k.ok(k.commit(sign(k.batch(k.id), k.bs, 0, 1)))
}

func TestMembersAreChanged(t *testing.T) {
	k := newTown(t)
	k.run(1, 1)
	k.ok(k.announced(1, 1, k.bs[0], k.bs[1]))
	k.ok(k.sends(1, 1))
	owner := k.Accounts[0]
	change := func(f func(*clustertypes.MsgUpdateMembers)) *clustertypes.MsgUpdateMembers {
		m := &clustertypes.MsgUpdateMembers{Authority: owner.String(), Cluster: k.id, Add: refs(k.bs[3:]), Remove: refs(k.bs[2:3]), Cause: true}
		f(m)
		return m
	}
	for name, c := range map[string]struct {
		by    apptest.Account
		f     func(*clustertypes.MsgUpdateMembers)
		err   *errorsmod.Error
		words string
	}{
		"stranger":     {k.Accounts[2], func(m *clustertypes.MsgUpdateMembers) { m.Authority = k.Accounts[2].String() }, clustertypes.ErrAuthority, "governance"},
		"cluster":      {owner, func(m *clustertypes.MsgUpdateMembers) { m.Cluster = 9 }, clustertypes.ErrCluster, "9"},
		"nobody":       {owner, func(m *clustertypes.MsgUpdateMembers) { m.Add, m.Remove = nil, nil }, clustertypes.ErrMembers, "nobody"},
		"no member":    {owner, func(m *clustertypes.MsgUpdateMembers) { m.Remove = refs(k.bs[3:]) }, clustertypes.ErrMembers, "not a member"},
		"member twice": {owner, func(m *clustertypes.MsgUpdateMembers) { m.Add = refs(k.bs[:1]) }, clustertypes.ErrMembers, "twice"},
		"in and out":   {owner, func(m *clustertypes.MsgUpdateMembers) { m.Add = m.Remove }, clustertypes.ErrMembers, "added and removed"},
		"cause":        {owner, func(m *clustertypes.MsgUpdateMembers) { m.Remove = nil }, clustertypes.ErrMembers, "cause"},
		"quorum":       {owner, func(m *clustertypes.MsgUpdateMembers) { m.Quorum = 1 }, clustertypes.ErrQuorum, "2 to 3"},
		"too few left": {owner, func(m *clustertypes.MsgUpdateMembers) { m.Add, m.Remove = nil, refs(k.bs[1:3]) }, clustertypes.ErrQuorum, "1 to 1"},
		"unregistered": {owner, func(m *clustertypes.MsgUpdateMembers) {
			m.Add = []*wire.WorkerRef{{Operator: owner.String(), Slot: 77}}
		}, clustertypes.ErrMembers, "register it"},
	} {
		t.Run(name, func(t *testing.T) {
			(&world{k.Net, t}).refused(k.Deliver(c.by, change(c.f)), c.err, c.words)
		})
	}
	res := k.MustDeliver(owner, change(func(*clustertypes.MsgUpdateMembers) {}))
	k.event(res, clustertypes.EventMembers, clustertypes.AttributeRoster, "2", clustertypes.AttributeCause, "true", clustertypes.AttributeAdmitted, "4")
	c := k.info()
	if c.Roster != 2 || c.Admitted != 4 || len(c.Members) != 3 || !c.Members[2].Is(k.bs[3].ref) || c.PreviousEpoch != 1 || c.PreviousRoster != 1 || !c.Rotate {
		t.Errorf("cluster: %+v", c)
	}
	var key wire.ClusterKey
	if k.read(storekey.ClusterInputKey(k.id), &key) {
		t.Error("the key of the former members is still in force")
	}
	k.refused(k.sends(1, 1), clustertypes.ErrEpoch, "roster 1")
	k.refused(k.asks(k.bs[2], 5, 1, 2), gatekeepertypes.ErrMember, "not a member")
	k.refused(k.asks(k.bs[2], 5, 1, 1), gatekeepertypes.ErrMember, "not a member")
	k.ok(k.asks(k.bs[3], 5, 1, 1)) // what was queued before it came
	k.Blocks(1)
	k.ok(k.asks(k.bs[3], 6, 1, 2))
	now := []*boot{k.bs[0], k.bs[1], k.bs[3]}
	b := k.batch(k.id)
	b.Roster = 1
	k.refused(k.commit(sign(b, k.bs, 0, 1)), clustertypes.ErrBatch, "wrong-epoch")
	k.ok(k.announced(1, 2, now[1], now[2]))
	k.in(1, 2, 1, 1)
	var inbox wire.Inbox
	var item clustertypes.QueryInboxItemResponse
	var all clustertypes.QueryClusterResponse
	k.check(k.Query("/phala.cluster.v1.Query/Cluster", &clustertypes.QueryClusterRequest{Id: k.id}, &all))
	inbox = *all.Inbox
	k.check(k.Query("/phala.cluster.v1.Query/InboxItem", &clustertypes.QueryInboxItemRequest{Cluster: k.id, Index: inbox.Next - 1}, &item))
	if it := item.Item; it.Context.Kind != wire.INPUT_KIND_ROTATE || it.Sealed != nil || it.Roster != 2 || k.info().Rotate {
		t.Errorf("after a removal for cause the newest item is %+v", it)
	}
	k.ok(k.commit(sign(k.batch(k.id), now, 0, 2)))
	var of clustertypes.QueryClustersResponse
	k.check(k.Query("/phala.cluster.v1.Query/Clusters", &clustertypes.QueryClustersRequest{Member: k.bs[3].ref}, &of))
	if len(of.Clusters) != 1 || of.Clusters[0].Id != k.id {
		t.Errorf("clusters of the new member: %v", of.Clusters)
	}
	k.check(k.Query("/phala.cluster.v1.Query/Clusters", &clustertypes.QueryClustersRequest{Member: k.bs[2].ref}, &of))
}
