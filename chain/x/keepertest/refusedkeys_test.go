package keepertest

import (
	"crypto/ed25519"
	"reflect"
	"strings"
	"testing"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/phala-go/phala/chain/app/apptest"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// refuses wants a message to be refused with words, and the module to have what it had.
func (k *gatekeepers) refuses(name string, from apptest.Account, m sdk.Msg, err *errorsmod.Error, words string) {
	k.t.Helper()
	before := k.state()
	res := k.Deliver(from, m)
	if res.Codespace != err.Codespace() || res.Code != err.ABCICode() || !strings.Contains(res.Log, words) {
		k.t.Errorf("%s: got %s/%d %s\nwant %s/%d with %q", name, res.Codespace, res.Code, res.Log, err.Codespace(), err.ABCICode(), words)
	}
	if k.state() != before {
		k.t.Errorf("%s: it changed the state", name)
	}
}

// Requests and announcements that are malformed, replayed, out of order, oversized, wrongly signed or of another label.
func TestRequestsAndAnnouncementsChangeNothing(t *testing.T) {
	k := newTown(t)
	a := k.Accounts[3]
	k.refuses("a request before the first epoch", a, k.request(k.bs[0], k.id, 1), gatekeepertypes.ErrEpoch, "gatekeepers are in epoch 0")
	k.refuses("an announcement before the first epoch", a, k.announcement(k.bs[0], k.id, 1), gatekeepertypes.ErrEpoch, "gatekeepers are in epoch 0")
	k.run(1, 1)
	first := k.request(k.bs[0], k.id, 1)
	k.ok(k.Deliver(a, first))
	k.refuses("too soon", a, k.request(k.bs[0], k.id, 2), gatekeepertypes.ErrTooSoon, "ask again from height")
	k.ok(k.Deliver(a, k.request(k.bs[0], k.id, 3)))
	k.Blocks(2)
	k.refuses("replayed", a, first, gatekeepertypes.ErrReused, "make a new one")
	stranger := newBoot(k.Accounts[0], 0, wire.ROLE_EXECUTOR, "stranger")
	for name, c := range map[string]struct {
		by     *boot
		change func(*wire.KeyRequest)
		err    *errorsmod.Error
		words  string
	}{
		"oversized":                {k.bs[1], func(r *wire.KeyRequest) { r.OneTimeKey = make([]byte, 500_000) }, gatekeepertypes.ErrMalformed, "500000"},
		"no one-time key":          {k.bs[1], func(r *wire.KeyRequest) { r.OneTimeKey = nil }, gatekeepertypes.ErrMalformed, "has 0"},
		"no worker":                {k.bs[1], func(r *wire.KeyRequest) { r.Worker = nil }, gatekeepertypes.ErrMalformed, "needs a worker"},
		"an empty worker":          {k.bs[1], func(r *wire.KeyRequest) { r.Worker = &wire.WorkerRef{} }, gatekeepertypes.ErrWorker, "not registered"},
		"a height":                 {k.bs[1], func(r *wire.KeyRequest) { r.Height = 1 }, gatekeepertypes.ErrMalformed, "no height"},
		"another cluster":          {k.bs[1], func(r *wire.KeyRequest) { r.Cluster = 99 }, gatekeepertypes.ErrCluster, "99"},
		"an epoch to come":         {k.bs[1], func(r *wire.KeyRequest) { r.Epoch = 2 }, gatekeepertypes.ErrEpoch, "epoch 2"},
		"no epoch":                 {k.bs[1], func(r *wire.KeyRequest) { r.Epoch = 0 }, gatekeepertypes.ErrEpoch, "epoch 0"},
		"a roster to come":         {k.bs[1], func(r *wire.KeyRequest) { r.Roster = 2 }, gatekeepertypes.ErrEpoch, "roster 2"},
		"no member":                {k.bs[3], nil, gatekeepertypes.ErrMember, "is not a member"},
		"an identity not in force": {stranger, nil, gatekeepertypes.ErrIdentity, "register the boot"},
		"signed by another": {k.bs[1], func(r *wire.KeyRequest) {
			r.Signature = ed25519.Sign(k.bs[2].key, settle.KeyRequestBytes(k.Genesis.ChainID, r))
		}, gatekeepertypes.ErrSignature, "not by identity key"},
		"of another chain": {k.bs[1], func(r *wire.KeyRequest) {
			r.Signature = ed25519.Sign(k.bs[1].key, settle.KeyRequestBytes("another", r))
		}, gatekeepertypes.ErrSignature, "not by identity key"},
		"unsigned":         {k.bs[1], func(r *wire.KeyRequest) { r.Signature = []byte{} }, gatekeepertypes.ErrSignature, "not by identity key"},
		"a long signature": {k.bs[1], func(r *wire.KeyRequest) { r.Signature = make([]byte, 200_000) }, gatekeepertypes.ErrSignature, "not by identity key"},
	} {
		m := k.request(c.by, k.id, 9)
		if c.change != nil {
			m.Request.Signature = nil
			if c.change(m.Request); m.Request.Signature == nil {
				k.signRequest(c.by, m.Request)
			}
		}
		k.refuses("request: "+name, a, m, c.err, c.words)
	}
	for name, c := range map[string]struct {
		by     *boot
		change func(*wire.Announcement)
		err    *errorsmod.Error
		words  string
	}{
		"oversized key":            {k.bs[1], func(w *wire.Announcement) { w.InputKey = make([]byte, 500_000) }, gatekeepertypes.ErrMalformed, "500000"},
		"oversized check":          {k.bs[1], func(w *wire.Announcement) { w.Check = make([]byte, 500_000) }, gatekeepertypes.ErrMalformed, "500000"},
		"no worker":                {k.bs[1], func(w *wire.Announcement) { w.Worker = nil }, gatekeepertypes.ErrMalformed, "needs a worker"},
		"another cluster":          {k.bs[1], func(w *wire.Announcement) { w.Cluster = 99 }, gatekeepertypes.ErrCluster, "99"},
		"an epoch to come":         {k.bs[1], func(w *wire.Announcement) { w.Epoch = 2 }, gatekeepertypes.ErrEpoch, "epoch 2"},
		"no epoch":                 {k.bs[1], func(w *wire.Announcement) { w.Epoch = 0 }, gatekeepertypes.ErrEpoch, "epoch 0"},
		"a roster to come":         {k.bs[1], func(w *wire.Announcement) { w.Roster = 2 }, gatekeepertypes.ErrEpoch, "roster 2"},
		"no member":                {k.bs[3], nil, gatekeepertypes.ErrMember, "is not a member"},
		"an identity not in force": {stranger, nil, gatekeepertypes.ErrSignature, "not by identity key"},
		"of another chain": {k.bs[1], func(w *wire.Announcement) {
			w.Signature = ed25519.Sign(k.bs[1].key, settle.AnnouncementBytes("another", w))
		}, gatekeepertypes.ErrSignature, "not by identity key"},
		"unsigned": {k.bs[1], func(w *wire.Announcement) { w.Signature = []byte{} }, gatekeepertypes.ErrSignature, "not by identity key"},
	} {
		m := k.announcement(c.by, k.id, 11)
		if c.change != nil {
			m.Announcement.Signature = nil
			if c.change(m.Announcement); m.Announcement.Signature == nil {
				k.signAnnouncement(c.by, m.Announcement)
			}
		}
		k.refuses("announcement: "+name, a, m, c.err, c.words)
	}

	// What was right in its time is not afterwards.
	k.ok(k.announced(1, 1, k.bs[0], k.bs[1]))
	other := k.announcement(k.bs[2], k.id, 99)
	k.refuses("another key than the agreed one", a, other, gatekeepertypes.ErrKeySet, "differs")
	early := k.announcement(k.bs[2], k.id, 11)
	for k.generation().GetEpoch() != 3 || k.generation().GetPhase() != wire.GENERATION_PHASE_DONE {
		k.step()
	}
	k.refuses("an announcement of an epoch that is over", a, early, gatekeepertypes.ErrEpoch, "gatekeepers are in epoch 3")
	late := k.request(k.bs[1], k.id, 12)
	late.Request.Epoch = 2
	k.signRequest(k.bs[1], late.Request)
	k.refuses("a request for an epoch that the cluster never had", a, late, gatekeepertypes.ErrEpoch, "epoch 2")
}

// An enclave that has booted anew waits for nothing, and another worker neither.
func TestOnlyTheSameEnclaveWaits(t *testing.T) {
	k := newTown(t)
	k.run(1, 1)
	k.ok(k.asks(k.bs[0], 1, 1, 1))
	k.ok(k.asks(k.bs[1], 1, 1, 1))
	k.ok(k.asks(k.bs[2], 1, 1, 1))
	again := newBoot(k.Accounts[0], 2, wire.ROLE_EXECUTOR, "another boot")
	k.register(k.Accounts[0], again)
	k.ok(k.asks(again, 2, 1, 1))
	k.refused(k.asks(again, 3, 1, 1), gatekeepertypes.ErrTooSoon, "ask again")
}

// A roster is governance's alone; what governance may not have either leaves all as it was.
func TestRostersAreRefused(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.run(1, 1)
	all := refs(k.boots)
	for name, c := range map[string]struct {
		by        string
		threshold uint32
		members   []*wire.WorkerRef
		err       *errorsmod.Error
		words     string
	}{
		"another authority": {k.Accounts[3].String(), 2, all, gatekeepertypes.ErrUnauthorized, "submit a proposal"},
	} {
		k.refuses(name, k.Accounts[3], &gatekeepertypes.MsgUpdateRoster{Authority: c.by, Threshold: c.threshold, Members: c.members}, c.err, c.words)
	}
	executor := k.executors(1)[0]
	k.run(1, 1)
	for name, c := range map[string]struct {
		threshold uint32
		members   []*wire.WorkerRef
	}{
		"nobody":      {1, nil},
		"threshold 0": {0, all},
		"too high":    {5, all},
		"twice":       {2, append(all[:3:3], all[0])},
		"nameless":    {2, append(all[:3:3], &wire.WorkerRef{})},
		"an executor": {2, append(all[:3:3], executor.ref)},
		"too many":    {2, seventeen(all[0])},
	} {
		before := k.state()
		p := k.update(c.threshold, c.members...)
		if p.Status != govv1.StatusFailed {
			t.Errorf("%s: the proposal is %s", name, p.Status)
		}
		if k.state() != before {
			t.Errorf("%s: it changed the state", name)
		}
	}
}

// seventeen is one gatekeeper more than there may be.
func seventeen(like *wire.WorkerRef) (out []*wire.WorkerRef) {
	for i := range uint32(17) {
		out = append(out, &wire.WorkerRef{Operator: like.Operator, Slot: 100 + i})
	}
	return out
}

// Whatever messages the module has or will have: one with nothing in it is refused with a reason, and changes nothing.
func TestEmptyMessagesAreRefused(t *testing.T) {
	k := newTown(t)
	k.run(1, 1)
	server := reflect.TypeFor[gatekeepertypes.MsgServer]()
	for i := range server.NumMethod() {
		method := server.Method(i)
		v := reflect.New(method.Type.In(1).Elem())
		for _, signer := range []string{"Sender", "Authority"} {
			if f := v.Elem().FieldByName(signer); f.IsValid() {
				f.SetString(k.Accounts[3].String())
			}
		}
		before := k.state()
		res := k.Deliver(k.Accounts[3], v.Interface().(sdk.Msg))
		if res.Code == 0 || res.Codespace != gatekeepertypes.ModuleName || len(res.Log) < 20 || strings.Contains(res.Log, "panic") {
			t.Errorf("%s: %s/%d %q", method.Name, res.Codespace, res.Code, res.Log)
		}
		if k.state() != before {
			t.Errorf("%s: it changed the state", method.Name)
		}
	}
}
