package keepertest

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	errorsmod "cosmossdk.io/errors"

	"github.com/phala-go/phala/chain/app/apptest"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

func TestClusterIsRefused(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(3)
	gk := newBoot(w.Accounts[1], gatekeeperSlot, wire.ROLE_GATEKEEPER, "gatekeeper")
	w.register(w.Accounts[1], gk)
	owner := w.Accounts[2]
	for name, c := range map[string]struct {
		members []*wire.WorkerRef
		quorum  uint32
		err     *errorsmod.Error
		words   string
	}{
		"nobody":       {nil, 1, clustertypes.ErrMembers, "0 members"},
		"too many":     {make([]*wire.WorkerRef, 17), 9, clustertypes.ErrMembers, "1 to 16"},
		"twice":        {[]*wire.WorkerRef{bs[0].ref, bs[0].ref}, 2, clustertypes.ErrMembers, "twice"},
		"unregistered": {[]*wire.WorkerRef{{Operator: owner.String()}}, 1, clustertypes.ErrMembers, "register it"},
		"gatekeeper":   {[]*wire.WorkerRef{gk.ref}, 1, clustertypes.ErrMembers, "executors"},
		"half":         {refs(bs[:2]), 1, clustertypes.ErrQuorum, "2 to 2"},
		"more":         {refs(bs), 4, clustertypes.ErrQuorum, "2 to 3"},
	} {
		t.Run(name, func(t *testing.T) {
			for i, m := range c.members {
				if m == nil {
					c.members[i] = &wire.WorkerRef{Operator: "x", Slot: uint32(i)}
				}
			}
			m := &clustertypes.MsgCreateCluster{Owner: owner.String(), Members: c.members, Quorum: c.quorum}
			(&world{w.Net, t}).refused(w.Deliver(owner, m), c.err, c.words)
		})
	}
	w.Blocks(maxAge)
	m := &clustertypes.MsgCreateCluster{Owner: owner.String(), Members: refs(bs), Quorum: 2}
	w.refused(w.Deliver(owner, m), clustertypes.ErrMembers, "ended at height")
}

func TestInputsAreNumberedAndPaid(t *testing.T) {
	w := newWorld(t)
	id := w.cluster(w.executors(3))
	user := w.Accounts[2]
	for name, c := range map[string]struct {
		change func(*clustertypes.MsgSubmitInput)
		err    *errorsmod.Error
		words  string
	}{
		"cluster":    {func(m *clustertypes.MsgSubmitInput) { m.Cluster = 9 }, clustertypes.ErrCluster, "cluster 9"},
		"epoch":      {func(m *clustertypes.MsgSubmitInput) { m.Epoch = 3 }, clustertypes.ErrEpoch, "epoch 3 roster 1, cluster 1 has epoch 1"},
		"gas class":  {func(m *clustertypes.MsgSubmitInput) { m.GasClass = 8 }, clustertypes.ErrGasClass, "0 to 7"},
		"no seal":    {func(m *clustertypes.MsgSubmitInput) { m.Sealed = nil }, clustertypes.ErrEnvelope, ""},
		"suite":      {func(m *clustertypes.MsgSubmitInput) { m.Sealed.Suite = 2 }, clustertypes.ErrEnvelope, "suite 2"},
		"enc":        {func(m *clustertypes.MsgSubmitInput) { m.Sealed.Enc = nil }, clustertypes.ErrEnvelope, "X-Wing"},
		"ciphertext": {func(m *clustertypes.MsgSubmitInput) { m.Sealed.Ciphertext = make([]byte, 300) }, clustertypes.ErrEnvelope, "300"},
		"funds":      {func(m *clustertypes.MsgSubmitInput) { m.Funds = "01" }, clustertypes.ErrAmount, `"01"`},
		"negative":   {func(m *clustertypes.MsgSubmitInput) { m.Funds = "-1" }, clustertypes.ErrAmount, `"-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			m := &clustertypes.MsgSubmitInput{Sender: user.String(), Cluster: id, Epoch: 1, Roster: 1, Sealed: envelope()}
			c.change(m)
			(&world{w.Net, t}).refused(w.Deliver(user, m), c.err, c.words)
		})
	}
	if res := w.Deliver(user, &clustertypes.MsgSubmitInput{Sender: user.String(), Cluster: id, Epoch: 1, Roster: 1, Sealed: envelope(), Funds: "1" + strings.Repeat("0", 30)}); res.Code == 0 || !strings.Contains(res.Log, "insufficient funds") {
		t.Errorf("funds nobody has: %s", res.Log)
	}

	before := w.balance(user.Addr)
	for i := uint64(1); i <= 3; i++ {
		if got := w.input(user, id, "1000"); got != i {
			t.Errorf("item %d is numbered %d", i, got)
		}
	}
	var c clustertypes.QueryClusterResponse
	w.check(w.Query("/phala.cluster.v1.Query/Cluster", &clustertypes.QueryClusterRequest{Id: id}, &c))
	if c.Inbox.Next != 4 || c.Inbox.Escrow != "3000" {
		t.Errorf("inbox: %+v", c.Inbox)
	}
	if paid := before.Sub(w.balance(user.Addr)).String(); paid != "3000003000" {
		t.Errorf("paid %s, want three fees of class 0 and the funds", paid)
	}
	w.check(w.App.ClusterKeeper.CheckEscrows(w.Ctx()))
	var it clustertypes.QueryInboxItemResponse
	w.check(w.Query("/phala.cluster.v1.Query/InboxItem", &clustertypes.QueryInboxItemRequest{Cluster: id, Index: 2}, &it))
	if it.Item.Context.Sender != user.String() || it.Item.Context.Funds != "1000" || it.Item.Context.Kind != wire.INPUT_KIND_CALL || it.Item.Height == 0 {
		t.Errorf("item: %+v", it.Item)
	}
}

func (w *world) upload(from apptest.Account) []byte {
	w.t.Helper()
	packed, err := codepack.Pack([]byte("\x00asm\x01\x00\x00\x00 not much of a contract"))
	w.check(err)
	var res clustertypes.MsgUploadCodeResponse
	apptest.Response(w.t, w.MustDeliver(from, &clustertypes.MsgUploadCode{Sender: from.String(), Packed: packed}).Data, 0, &res)
	return res.CodeId
}

func instantiation(from apptest.Account, cluster uint64, code []byte) *clustertypes.MsgInstantiate {
	return &clustertypes.MsgInstantiate{Sender: from.String(), Cluster: cluster, Epoch: 1, Roster: 1, CodeId: code, Label: "x", Query: wire.QUERY_POLICY_SELF, Sealed: envelope()}
}

func TestCodeAndContracts(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(3)
	id := w.cluster(bs)
	owner, user := w.Accounts[0], w.Accounts[2]

	text, err := codepack.Pack([]byte("no module"))
	w.check(err)
	w.refused(w.Deliver(user, &clustertypes.MsgUploadCode{Sender: user.String(), Packed: []byte("no gzip")}), clustertypes.ErrCode, "unpacking")
	w.refused(w.Deliver(user, &clustertypes.MsgUploadCode{Sender: user.String(), Packed: text}), clustertypes.ErrCode, "wasm")
	code := w.upload(user)
	if again := w.upload(owner); !bytes.Equal(code, again) {
		t.Errorf("code %x, then %x", code, again)
	}
	var stored clustertypes.QueryCodeResponse
	w.check(w.Query("/phala.cluster.v1.Query/Code", &clustertypes.QueryCodeRequest{Id: code}, &stored))
	if stored.Code.Creator != user.String() {
		t.Errorf("code: %+v", stored.Code)
	}

	w.refused(w.Deliver(user, instantiation(user, id, code)), clustertypes.ErrOwner, owner.String())
	w.refused(w.Deliver(owner, instantiation(owner, id, measurement("none"))), clustertypes.ErrNoCode, "upload it first")
	m := instantiation(owner, id, code)
	m.Query = 0
	w.refused(w.Deliver(owner, m), clustertypes.ErrMalformed, "choose")
	m = instantiation(owner, id, code)
	m.Label = strings.Repeat("x", 129)
	w.refused(w.Deliver(owner, m), clustertypes.ErrMalformed, "128")

	var res clustertypes.MsgInstantiateResponse
	apptest.Response(t, w.MustDeliver(owner, instantiation(owner, id, code)).Data, 0, &res)
	if !bytes.Equal(res.Address, settle.ContractAddress(id, code, 1)) || res.Index != 1 {
		t.Errorf("contract %x, item %d", res.Address, res.Index)
	}
	if s := w.contract(id, res.Address).State; s != wire.CONTRACT_STATE_PENDING {
		t.Errorf("state %s", s)
	}
	var list clustertypes.QueryContractsResponse
	w.check(w.Query("/phala.cluster.v1.Query/Contracts", &clustertypes.QueryContractsRequest{Cluster: id}, &list))
	if len(list.Contracts) != 1 {
		t.Errorf("%d contracts", len(list.Contracts))
	}
	w.check(w.Query("/phala.cluster.v1.Query/Contracts", &clustertypes.QueryContractsRequest{Cluster: id, After: res.Address}, &list))
	if len(list.Contracts) != 0 {
		t.Errorf("%d contracts behind the last", len(list.Contracts))
	}
}

func (w *world) contract(cluster uint64, address []byte) *wire.Contract {
	w.t.Helper()
	var c clustertypes.QueryContractResponse
	w.check(w.Query("/phala.cluster.v1.Query/Contract", &clustertypes.QueryContractRequest{Cluster: cluster, Address: address}, &c))
	return c.Contract
}

func TestBatches(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(3)
	id := w.cluster(bs)
	w.input(w.Accounts[2], id, "")
	w.input(w.Accounts[2], id, "")

	for name, c := range map[string]struct {
		make  func() *wire.SignedBatch
		words string
	}{
		"one signature":   {func() *wire.SignedBatch { return sign(w.batch(id), bs, 0) }, "no-quorum"},
		"same signature":  {func() *wire.SignedBatch { return sign(w.batch(id), bs, 1, 1) }, "malformed"},
		"other's key":     {func() *wire.SignedBatch { return sign(w.batch(id), []*boot{bs[1], bs[0]}, 0, 1) }, "bad-signature"},
		"changed":         {func() *wire.SignedBatch { s := sign(w.batch(id), bs, 0, 1); s.Batch.GasClass = 3; return s }, "bad-signature"},
		"skips":           {func() *wire.SignedBatch { b := w.batch(id); b.InboxFirst++; return sign(b, bs, 0, 1) }, "inbox-skipped"},
		"foreseen inputs": {func() *wire.SignedBatch { b := w.batch(id); b.InboxCount++; return sign(b, bs, 0, 1) }, "inbox-beyond"},
		"other block":     {func() *wire.SignedBatch { b := w.batch(id); b.ChainHash = make([]byte, 32); return sign(b, bs, 0, 1) }, "wrong-block"},
		"view":            {func() *wire.SignedBatch { b := w.batch(id); b.View++; return sign(b, bs, 0, 1) }, "wrong-view"},
		"root":            {func() *wire.SignedBatch { b := w.batch(id); b.NewRoot = nil; return sign(b, bs, 0, 1) }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			(&world{w.Net, t}).refused(w.commit(c.make()), clustertypes.ErrBatch, c.words)
		})
	}
	w.refused(w.commit(nil), clustertypes.ErrCluster, "cluster 0")

	b := w.batch(id)
	first := sign(b, bs, 0, 2)
	res := w.commit(first)
	if res.Code != 0 {
		t.Fatal(res.Log)
	}
	w.event(res, clustertypes.EventBatch, clustertypes.AttributeNumber, "1", clustertypes.AttributeBatchHash, hex.EncodeToString(settle.BatchHash(b)), clustertypes.AttributeInboxNext, "3")
	w.refused(w.commit(first), clustertypes.ErrBatch, "stale-head")
	var c clustertypes.QueryClusterResponse
	w.check(w.Query("/phala.cluster.v1.Query/Cluster", &clustertypes.QueryClusterRequest{Id: id}, &c))
	if c.Head.Number != 1 || c.Head.InboxNext != 3 || c.Head.ChainHeight != b.ChainHeight || c.Head.CommittedHeight != b.ChainHeight+1 || !bytes.Equal(c.Head.Root, b.NewRoot) {
		t.Errorf("head: %+v", c.Head)
	}
	var stored clustertypes.QueryBatchResponse
	w.check(w.Query("/phala.cluster.v1.Query/Batch", &clustertypes.QueryBatchRequest{Cluster: id, Number: 1}, &stored))
	if !bytes.Equal(wire.Marshal(stored.Batch.Signed), wire.Marshal(first)) {
		t.Error("the batch is not stored as it was signed")
	}

	// Too old a block, and a boot that was replaced after it signed.
	w.input(w.Accounts[2], id, "")
	old := sign(w.batch(id), bs, 0, 1)
	w.register(w.Accounts[0], newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, "reboot"))
	w.refused(w.commit(old), clustertypes.ErrBatch, "superseded")
	w.Blocks(20)
	w.refused(w.commit(old), clustertypes.ErrBatch, "height-too-old")
	w.Blocks(maxAge)
	w.refused(w.commit(sign(w.batch(id), bs, 1, 2)), clustertypes.ErrBatch, "expired")
}
