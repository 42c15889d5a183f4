package keepertest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

const (
	maxAge         = 400
	gatekeeperSlot = 9
	endpoint       = "http://127.0.0.1:9000"
)

func measurement(name string) []byte {
	h := sha256.Sum256([]byte(name))
	return h[:]
}

// world is a chain in development that trusts one program in each role and has one gatekeeper in its set.
type world struct {
	*apptest.Net
	t testing.TB
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newDelayedWorld(t, 0)
}

// newDelayedWorld is a world in which approvals count after so many blocks.
func newDelayedWorld(t *testing.T, delay uint64) *world {
	t.Helper()
	app.Configure() // before an address is written
	return newWorldWith(t, delay, fmt.Sprintf(`{"gatekeeper":{"set":{"epoch":"1","threshold":1,"members":[{"worker":{"operator":%q,"slot":%d},"identity_key":%q}]}}}`,
		apptest.NewAccount("1"), gatekeeperSlot, base64.StdEncoding.EncodeToString(firstKeeper().public())))
}

// firstKeeper is the boot that holds the parts of the world's first epoch.
func firstKeeper() *boot {
	return newBoot(apptest.NewAccount("1"), gatekeeperSlot, wire.ROLE_GATEKEEPER, "gatekeeper")
}

// newWorldWith is a world whose state has, besides, the modules of patch.
func newWorldWith(t *testing.T, delay uint64, patch string) *world {
	t.Helper()
	policy := func(role string) string {
		return fmt.Sprintf(`{"role":%q,"kinds":["TEE_KIND_SIMULATED"],"max_age_blocks":"%d","measurements":[{"digest":%q},{"digest":%q,"activation_height":"1000000"}]}`,
			role, maxAge, base64.StdEncoding.EncodeToString(measurement("program")), base64.StdEncoding.EncodeToString(measurement("later")))
	}
	var state map[string]json.RawMessage
	if err := json.Unmarshal([]byte(patch), &state); err != nil {
		t.Fatal(err)
	}
	state["attestation"] = fmt.Appendf(nil, `{"network":{"development":true,"activation_delay":"%d"},"policies":[%s,%s]}`, delay, policy("ROLE_EXECUTOR"), policy("ROLE_GATEKEEPER"))
	state["cluster"] = []byte(`{"params":{"min_storage_receipts":0,"max_batch_age":"20"}}`)
	b, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return &world{apptest.New(t, apptest.Options{Development: true, AppState: b}), t}
}

// boot is one boot of an enclave.
type boot struct {
	ref  *wire.WorkerRef
	role wire.Role
	key  ed25519.PrivateKey
}

func newBoot(operator apptest.Account, slot uint32, role wire.Role, name string) *boot {
	seed := sha256.Sum256([]byte(name))
	return &boot{&wire.WorkerRef{Operator: operator.String(), Slot: slot}, role, ed25519.NewKeyFromSeed(seed[:])}
}

func (b *boot) public() []byte { return b.key.Public().(ed25519.PublicKey) }

// identity names the newest block.
func (w *world) identity(b *boot) *wire.WorkerIdentity {
	hash, err := w.App.AttestationKeeper.HashAt(w.Ctx(), uint64(w.Height))
	w.check(err)
	return &wire.WorkerIdentity{
		ChainId: w.Genesis.ChainID, GenesisHash: make([]byte, 32), IdentityKey: b.public(), SealingKey: make([]byte, 1216),
		Worker: b.ref, Role: b.role, SoftwareVersion: "test", NonceHeight: uint64(w.Height), NonceHash: hash,
	}
}

func attested(id *wire.WorkerIdentity, program string) *wire.WorkerEvidence {
	return &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(measurement(program), attest.ReportData(id))}
}

func (w *world) registration(b *boot) *workertypes.MsgRegisterWorker {
	return &workertypes.MsgRegisterWorker{Operator: b.ref.Operator, Evidence: attested(w.identity(b), "program"), Endpoint: endpoint}
}

func (w *world) register(from apptest.Account, b *boot) {
	w.t.Helper()
	w.MustDeliver(from, w.registration(b))
}

// executors registers n workers of account 0, slots 0 up.
func (w *world) executors(n int) []*boot {
	w.t.Helper()
	var out []*boot
	for i := range n {
		b := newBoot(w.Accounts[0], uint32(i), wire.ROLE_EXECUTOR, fmt.Sprint("executor ", i))
		w.register(w.Accounts[0], b)
		out = append(out, b)
	}
	return out
}

func refs(bs []*boot) (out []*wire.WorkerRef) {
	for _, b := range bs {
		out = append(out, b.ref)
	}
	return out
}

// cluster is account 0's cluster of these workers; two of three decide.
func (w *world) cluster(bs []*boot) uint64 {
	w.t.Helper()
	res := w.MustDeliver(w.Accounts[0], &clustertypes.MsgCreateCluster{Owner: w.Accounts[0].String(), Members: refs(bs), Quorum: uint32(len(bs)/2 + 1)})
	var created clustertypes.MsgCreateClusterResponse
	apptest.Response(w.t, res.Data, 0, &created)
	return created.Cluster
}

func envelope() *wire.Envelope {
	return &wire.Envelope{Suite: 1, Enc: make([]byte, 1120), Ciphertext: make([]byte, 256+16)}
}

func (w *world) input(from apptest.Account, cluster uint64, funds string) uint64 {
	w.t.Helper()
	res := w.MustDeliver(from, &clustertypes.MsgSubmitInput{Sender: from.String(), Cluster: cluster, Epoch: 1, Roster: 1, Sealed: envelope(), Funds: funds})
	var out clustertypes.MsgSubmitInputResponse
	apptest.Response(w.t, res.Data, 0, &out)
	return out.Index
}

// batch follows the cluster's head with all inputs there are, at the newest block.
func (w *world) batch(cluster uint64, effects ...*wire.Effect) *wire.Batch {
	w.t.Helper()
	var c clustertypes.QueryClusterResponse
	w.check(w.Query("/phala.cluster.v1.Query/Cluster", &clustertypes.QueryClusterRequest{Id: cluster}, &c))
	height := uint64(w.Height)
	hash, err := w.App.AttestationKeeper.HashAt(w.Ctx(), height)
	w.check(err)
	return &wire.Batch{
		ChainId: w.Genesis.ChainID, Cluster: cluster, Number: c.Head.Number + 1, View: settle.View(c.Head, height),
		PrevBatchHash: c.Head.BatchHash, PrevRoot: c.Head.Root, Epoch: c.Cluster.Epoch, Roster: c.Cluster.Roster,
		ChainHeight: height, ChainHash: hash, InboxFirst: c.Head.InboxNext, InboxCount: uint32(c.Inbox.Next - c.Head.InboxNext),
		DirectInputsRoot: settle.EmptyRoot(), OutputsRoot: settle.EmptyRoot(), EffectsRoot: merkle.Root(leaves(effects)),
		NewRoot: settle.EmptyRoot(), DataRoot: settle.EmptyRoot(),
	}
}

func sign(b *wire.Batch, bs []*boot, members ...int) *wire.SignedBatch {
	s := &wire.SignedBatch{Batch: b}
	for _, i := range members {
		s.Signatures = append(s.Signatures, &wire.BatchSignature{Member: uint32(i), Signature: ed25519.Sign(bs[i].key, settle.BatchBytes(b))})
	}
	return s
}

func (w *world) commit(s *wire.SignedBatch) *abci.ExecTxResult {
	w.t.Helper()
	return w.Deliver(w.Accounts[3], &clustertypes.MsgCommitBatch{Sender: w.Accounts[3].String(), Batch: s})
}

func leaves(effects []*wire.Effect) (out [][]byte) {
	for _, e := range effects {
		out = append(out, settle.EffectLeaf(e))
	}
	return out
}

func opening(effects []*wire.Effect, i int) *wire.EffectOpening {
	return &wire.EffectOpening{Effect: effects[i], Leaf: uint32(i), Leaves: uint32(len(effects)), Path: merkle.Path(leaves(effects), i)}
}

func salt(i byte) []byte { return bytes.Repeat([]byte{i}, settle.SaltSize) }

func (w *world) balance(addr sdk.AccAddress) math.Int {
	return w.App.BankKeeper.GetBalance(w.Ctx(), addr, app.BaseDenom).Amount
}

// refused wants a transaction to have failed with this error and these words.
func (w *world) refused(res *abci.ExecTxResult, want *errorsmod.Error, words string) {
	w.t.Helper()
	if res.Codespace != want.Codespace() || res.Code != want.ABCICode() || !strings.Contains(res.Log, words) {
		w.t.Errorf("got %s/%d %s\nwant %s/%d with %q", res.Codespace, res.Code, res.Log, want.Codespace(), want.ABCICode(), words)
	}
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// event wants a result to have an event with these attributes: key, value, key, value.
func (w *world) event(res *abci.ExecTxResult, name string, attrs ...string) {
	w.t.Helper()
	for _, e := range res.Events {
		if e.Type != name {
			continue
		}
		have := make(map[string]string)
		for _, a := range e.Attributes {
			have[a.Key] = a.Value
		}
		for i := 0; i < len(attrs); i += 2 {
			if have[attrs[i]] != attrs[i+1] {
				w.t.Errorf("event %s has %s=%q, want %q", name, attrs[i], have[attrs[i]], attrs[i+1])
			}
		}
		return
	}
	w.t.Errorf("no event %s but %v", name, reasons(res))
}

// reasons are those of refused evidence.
func reasons(res *abci.ExecTxResult) (out []string) {
	for _, e := range res.Events {
		if e.Type == workertypes.EventRefused {
			out = append(out, fmt.Sprint(e.Attributes))
		}
	}
	return out
}
