package keepertest

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	errorsmod "cosmossdk.io/errors"

	"github.com/phala-go/phala/chain/app/apptest"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

func authority() string { return apptest.Authority() }

func (w *world) request(b *boot, cluster uint64, oneTime byte) *gatekeepertypes.MsgRequestKey {
	r := &wire.KeyRequest{Cluster: cluster, Epoch: 1, Roster: 1, Worker: b.ref, OneTimeKey: bytes.Repeat([]byte{oneTime}, 1216), IdentityKey: b.public()}
	w.signRequest(b, r)
	return &gatekeepertypes.MsgRequestKey{Sender: w.Accounts[3].String(), Request: r}
}

func (w *world) signRequest(b *boot, r *wire.KeyRequest) {
	r.Signature = ed25519.Sign(b.key, settle.KeyRequestBytes(w.Genesis.ChainID, r))
}

func (w *world) announcement(b *boot, cluster uint64, key byte) *gatekeepertypes.MsgAnnounceEpoch {
	a := &wire.Announcement{Cluster: cluster, Epoch: 1, Roster: 1, Worker: b.ref, InputKey: bytes.Repeat([]byte{key}, 1216), Check: make([]byte, 64)}
	w.signAnnouncement(b, a)
	return &gatekeepertypes.MsgAnnounceEpoch{Sender: w.Accounts[3].String(), Announcement: a}
}

func (w *world) signAnnouncement(b *boot, a *wire.Announcement) {
	a.Signature = ed25519.Sign(b.key, settle.AnnouncementBytes(w.Genesis.ChainID, a))
}

func TestAnotherBootHoldsNothing(t *testing.T) {
	w := newWorld(t)
	fault := func() wire.MemberFault {
		var set gatekeepertypes.QuerySetResponse
		w.check(w.Query("/phala.gatekeeper.v1.Query/Set", &gatekeepertypes.QuerySetRequest{}, &set))
		if len(set.Set.Members) != 1 || !bytes.Equal(set.Set.Members[0].IdentityKey, firstKeeper().public()) {
			t.Fatalf("set: %+v", set.Set)
		}
		return set.Set.Members[0].Fault
	}
	w.register(w.Accounts[1], firstKeeper())
	w.register(w.Accounts[1], newBoot(w.Accounts[1], 1, wire.ROLE_GATEKEEPER, "stranger"))
	if f := fault(); f != wire.MEMBER_FAULT_NONE {
		t.Errorf("the boot that holds the epoch: %s", f)
	}
	res := w.MustDeliver(w.Accounts[1], w.registration(newBoot(w.Accounts[1], gatekeeperSlot, wire.ROLE_GATEKEEPER, "second")))
	w.event(res, gatekeepertypes.EventLost, gatekeepertypes.AttributeEpoch, "1", gatekeepertypes.AttributeServing, "0")
	if f := fault(); f != wire.MEMBER_FAULT_LOST {
		t.Errorf("the boot that is gone: %s", f)
	}
}

func TestKeyRequests(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(4)
	id := w.cluster(bs[:3])
	gk := newBoot(w.Accounts[1], gatekeeperSlot, wire.ROLE_GATEKEEPER, "gatekeeper")
	w.register(w.Accounts[1], gk)
	reboot := newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, "reboot")
	for name, c := range map[string]struct {
		by     *boot
		change func(*wire.KeyRequest)
		err    *errorsmod.Error
		words  string
	}{
		"one-time key":   {bs[0], func(r *wire.KeyRequest) { r.OneTimeKey = r.OneTimeKey[1:] }, gatekeepertypes.ErrMalformed, "1215"},
		"height":         {bs[0], func(r *wire.KeyRequest) { r.Height = 5 }, gatekeepertypes.ErrMalformed, "height"},
		"cluster":        {bs[0], func(r *wire.KeyRequest) { r.Cluster = 77 }, gatekeepertypes.ErrCluster, "77"},
		"unregistered":   {newBoot(w.Accounts[0], 8, 1, "nobody"), nil, gatekeepertypes.ErrWorker, "/8"},
		"gatekeeper":     {gk, nil, gatekeepertypes.ErrWorker, "ROLE_GATEKEEPER"},
		"no member":      {bs[3], nil, gatekeepertypes.ErrMember, "/3"},
		"epoch":          {bs[0], func(r *wire.KeyRequest) { r.Epoch = 2 }, gatekeepertypes.ErrEpoch, "epoch 2"},
		"roster":         {bs[0], func(r *wire.KeyRequest) { r.Roster = 2 }, gatekeepertypes.ErrEpoch, "roster 2"},
		"identity":       {reboot, nil, gatekeepertypes.ErrIdentity, "register the boot"},
		"false identity": {reboot, func(r *wire.KeyRequest) { r.IdentityKey = bs[0].public() }, gatekeepertypes.ErrSignature, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			m := w.request(c.by, id, 1)
			if c.change != nil {
				c.change(m.Request)
				w.signRequest(c.by, m.Request)
			}
			(&world{w.Net, t}).refused(w.Deliver(w.Accounts[3], m), c.err, c.words)
		})
	}

	first := w.request(bs[0], id, 1)
	res := w.MustDeliver(w.Accounts[3], first)
	w.event(res, gatekeepertypes.EventKeyRequested, gatekeepertypes.AttributeCluster, "1", gatekeepertypes.AttributeSlot, "0")
	w.MustDeliver(w.Accounts[3], first) // the request on record: nothing new
	at := w.Height - 1
	w.MustDeliver(w.Accounts[3], w.request(bs[1], id, 1))
	w.MustDeliver(w.Accounts[3], w.request(bs[0], id, 2))
	w.refused(w.Deliver(w.Accounts[3], first), gatekeepertypes.ErrReused, "make a new one")

	var list gatekeepertypes.QueryKeyRequestsResponse
	w.check(w.Query("/phala.gatekeeper.v1.Query/KeyRequests", &gatekeepertypes.QueryKeyRequestsRequest{}, &list))
	if len(list.Requests) != 2 || list.Requests[0].OneTimeKey[0] != 2 || !list.Requests[1].Worker.Is(bs[1].ref) || list.Requests[1].Height != uint64(at+2) {
		t.Errorf("requests: %v", list.Requests)
	}
}

func TestInputKeyNeedsAQuorum(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(4)
	id := w.cluster(bs[:3])
	say := func(b *boot, key byte, counts bool) {
		t.Helper()
		var res gatekeepertypes.MsgAnnounceEpochResponse
		apptest.Response(t, w.MustDeliver(w.Accounts[3], w.announcement(b, id, key)).Data, 0, &res)
		if res.Counts != counts {
			t.Errorf("counts: %v", res.Counts)
		}
	}
	for name, c := range map[string]struct {
		by     *boot
		change func(*wire.Announcement)
		err    *errorsmod.Error
	}{
		"key":       {bs[0], func(a *wire.Announcement) { a.InputKey = nil }, gatekeepertypes.ErrMalformed},
		"check":     {bs[0], func(a *wire.Announcement) { a.Check = nil }, gatekeepertypes.ErrMalformed},
		"no member": {bs[3], func(*wire.Announcement) {}, gatekeepertypes.ErrMember},
		"epoch":     {bs[0], func(a *wire.Announcement) { a.Epoch = 9 }, gatekeepertypes.ErrEpoch},
		"signature": {bs[0], func(a *wire.Announcement) { a.Worker = bs[1].ref }, gatekeepertypes.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			m := w.announcement(c.by, id, 1)
			c.change(m.Announcement)
			w.signAnnouncement(c.by, m.Announcement)
			(&world{w.Net, t}).refused(w.Deliver(w.Accounts[3], m), c.err, "")
		})
	}

	say(bs[0], 1, false)
	say(bs[0], 1, false) // one member, one word
	say(bs[1], 2, false)
	var res gatekeepertypes.QueryClusterKeyResponse
	if err := w.Query("/phala.gatekeeper.v1.Query/ClusterKey", &gatekeepertypes.QueryClusterKeyRequest{Cluster: id}, &res); err == nil {
		t.Error("a key counts before a quorum agreed")
	}
	say(bs[2], 1, true)
	since := w.Height
	say(bs[1], 1, true)
	w.check(w.Query("/phala.gatekeeper.v1.Query/ClusterKey", &gatekeepertypes.QueryClusterKeyRequest{Cluster: id}, &res))
	if res.Key.InputKey[0] != 1 || res.Key.Height != uint64(since) {
		t.Errorf("key: %+v", res.Key)
	}
	w.refused(w.Deliver(w.Accounts[3], w.announcement(bs[1], id, 2)), gatekeepertypes.ErrKeySet, "differs")
}
