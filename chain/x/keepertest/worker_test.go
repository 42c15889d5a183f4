package keepertest

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	abci "github.com/cometbft/cometbft/abci/types"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/wire"
)

func TestRegistrationIsRefused(t *testing.T) {
	w := newWorld(t)
	w.executors(1)
	other := newBoot(w.Accounts[2], 0, wire.ROLE_EXECUTOR, "other")
	for name, c := range map[string]struct {
		change func(*workertypes.MsgRegisterWorker)
		err    *errorsmod.Error
		words  string
	}{
		"no evidence": {func(m *workertypes.MsgRegisterWorker) { m.Evidence = nil }, workertypes.ErrMalformed, "pruntime"},
		"other's evidence": {func(m *workertypes.MsgRegisterWorker) {
			*m.Evidence = *w.registration(newBoot(w.Accounts[1], 0, wire.ROLE_EXECUTOR, "x")).Evidence
		}, workertypes.ErrOperator, w.Accounts[1].String()},
		"no role":  {func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.Role = 0 }, workertypes.ErrMalformed, "ROLE_EXECUTOR"},
		"endpoint": {func(m *workertypes.MsgRegisterWorker) { m.Endpoint = "worker.example" }, workertypes.ErrMalformed, "worker.example"},
		"another's identity": {func(m *workertypes.MsgRegisterWorker) {
			m.Evidence.Identity.IdentityKey = newBoot(w.Accounts[0], 0, 1, "executor 0").public()
		}, workertypes.ErrIdentity, w.Accounts[0].String() + "/0"},
	} {
		t.Run(name, func(t *testing.T) {
			m := w.registration(other)
			c.change(m)
			(&world{w.Net, t}).refused(w.Deliver(w.Accounts[2], m), c.err, c.words)
		})
	}
}

// Evidence that is refused leaves an event for each reason, costs its sender the gas, and changes nothing else.
func TestP15_EvidenceIsRefused(t *testing.T) {
	w := newWorld(t)
	b := newBoot(w.Accounts[2], 3, wire.ROLE_EXECUTOR, "other")
	for name, c := range map[string]struct {
		change      func(*workertypes.MsgRegisterWorker)
		code, field string
		got         string
	}{
		"a block to come":     {func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.NonceHeight = 9999 }, "nonce-future", "nonce", "block 9999"},
		"another block":       {func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.NonceHash = make([]byte, 32) }, "nonce-unknown", "nonce", ""},
		"another chain":       {func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.ChainId = "x" }, "wrong-chain", "chain id", `"x"`},
		"changed identity":    {func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.SoftwareVersion = "x" }, "report-data", "report data", ""},
		"unknown measurement": {func(m *workertypes.MsgRegisterWorker) { m.Evidence = attested(m.Evidence.Identity, "liar") }, "unknown-measurement", "measurement", hex.EncodeToString(measurement("liar"))},
		"not yet active":      {func(m *workertypes.MsgRegisterWorker) { m.Evidence = attested(m.Evidence.Identity, "later") }, "not-active", "measurement", ""},
		"no quote":            {func(m *workertypes.MsgRegisterWorker) { m.Evidence.Evidence.Quote = nil }, "bad-quote", "quote", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := w.registration(b)
			c.change(m)
			w := &world{w.Net, t}
			res := w.MustDeliver(w.Accounts[2], m)
			want := []string{
				workertypes.AttributeOperator, b.ref.Operator, workertypes.AttributeSlot, "3", workertypes.AttributeRole, "ROLE_EXECUTOR",
				workertypes.AttributeKind, "TEE_KIND_SIMULATED", workertypes.AttributeCode, c.code, workertypes.AttributeField, c.field,
			}
			if c.got != "" {
				want = append(want, workertypes.AttributeGot, c.got)
			}
			w.event(res, workertypes.EventRefused, want...)
			var out workertypes.MsgRegisterWorkerResponse
			apptest.Response(t, res.Data, 0, &out)
			got, err := w.App.WorkerKeeper.Worker(w.Ctx(), b.ref)
			if err != nil || got != nil || out.ExpiryHeight != 0 {
				t.Errorf("registered all the same: %+v, %v", got, err)
			}
			if res.GasUsed < 20_000 {
				t.Errorf("it cost %d gas", res.GasUsed)
			}
		})
	}
}

func TestP15_NonceOutOfTheWindow(t *testing.T) {
	w := newWorld(t)
	m := w.registration(newBoot(w.Accounts[2], 0, wire.ROLE_EXECUTOR, "slow"))
	w.Blocks(attestationtypes.NoncesKept)
	w.event(w.MustDeliver(w.Accounts[2], m), workertypes.EventRefused, workertypes.AttributeCode, "nonce-too-old")
}

// A stranger's long words are cut where they are repeated.
func TestEventsAreShort(t *testing.T) {
	w := newWorld(t)
	m := w.registration(newBoot(w.Accounts[2], 0, wire.ROLE_EXECUTOR, "loud"))
	m.Evidence.Identity.ChainId = strings.Repeat("é", 5000)
	for _, e := range w.MustDeliver(w.Accounts[2], m).Events {
		for _, a := range e.Attributes {
			if e.Type == workertypes.EventRefused && (len(a.Value) > 300 || !utf8.ValidString(a.Value)) {
				t.Errorf("%s has %d bytes", a.Key, len(a.Value))
			}
		}
	}
}

func TestExpiryIsTold(t *testing.T) {
	w := newWorld(t)
	b := newBoot(w.Accounts[2], 3, wire.ROLE_EXECUTOR, "short")
	w.register(w.Accounts[2], b)
	w.Blocks(5)
	for range 2 { // renewed while it counts, and after it has ended
		w.register(w.Accounts[2], b)
		end := w.expiry(b)
		for told := false; !told; {
			told = ended(w.Block())
			if at := uint64(w.Height); told != (at == end) {
				t.Fatalf("at height %d of an end at %d: told %t", at, end, told)
			}
		}
		w.Blocks(2)
	}
}

func ended(b *abci.ResponseFinalizeBlock) bool {
	return slices.ContainsFunc(b.Events, func(e abci.Event) bool { return e.Type == workertypes.EventExpired })
}

func TestRegistrationSupersedesExpiresAndEnds(t *testing.T) {
	w := newWorld(t)
	acc := w.Accounts[2]
	before := w.balance(acc.Addr)
	first, second := newBoot(acc, 4, wire.ROLE_EXECUTOR, "first"), newBoot(acc, 4, wire.ROLE_EXECUTOR, "second")
	old := w.registration(first)
	res := w.MustDeliver(acc, old)
	w.event(res, workertypes.EventRegistered, workertypes.AttributeSlot, "4", workertypes.AttributeOperator, acc.String())
	if bond := before.Sub(w.balance(acc.Addr)); !bond.Equal(app.PHA(1)) {
		t.Errorf("bond of %s", bond)
	}

	got, err := w.App.WorkerKeeper.Worker(w.Ctx(), first.ref)
	w.check(err)
	if got.RegisteredHeight != uint64(w.Height) || got.ExpiryHeight != old.Evidence.Identity.NonceHeight+maxAge || got.Bond != app.PHA(1).String() {
		t.Errorf("registered: %+v", got)
	}

	// Newer evidence of the same boot moves the expiry and nothing else.
	w.Blocks(3)
	since := got.RegisteredHeight
	w.register(acc, first)
	if got, err = w.App.WorkerKeeper.Worker(w.Ctx(), first.ref); err != nil || got.RegisteredHeight != since || got.ExpiryHeight <= old.Evidence.Identity.NonceHeight+maxAge {
		t.Errorf("renewed: %+v, %v", got, err)
	}

	res = w.MustDeliver(acc, w.registration(second))
	w.event(res, workertypes.EventRetired, workertypes.AttributeSlot, "4")
	if got, err = w.App.WorkerKeeper.Worker(w.Ctx(), first.ref); err != nil || string(got.IdentityKey) != string(second.public()) || got.RegisteredHeight != uint64(w.Height) {
		t.Errorf("superseded: %+v, %v", got, err)
	}
	if spent := before.Sub(w.balance(acc.Addr)); !spent.Equal(app.PHA(1)) {
		t.Errorf("the second boot paid again: %s", spent)
	}
	w.refused(w.Deliver(acc, old), workertypes.ErrNonce, "newer evidence")
	w.refused(w.Deliver(acc, w.registration(newBoot(acc, 4, wire.ROLE_GATEKEEPER, "third"))), workertypes.ErrRole, "another slot")

	w.refused(w.Deliver(acc, &workertypes.MsgUnregisterWorker{Operator: acc.String(), Slot: 5}), workertypes.ErrNotFound, "/5")
	res = w.MustDeliver(acc, &workertypes.MsgUnregisterWorker{Operator: acc.String(), Slot: 4})
	w.event(res, workertypes.EventUnregistered, workertypes.AttributeBond, app.PHA(1).String())
	if !w.balance(acc.Addr).Equal(before) {
		t.Error("the bond did not come back")
	}
	// Another worker may take over an identity nobody holds any more; evidence still binds it to that worker's name.
	w.register(acc, newBoot(acc, 6, wire.ROLE_EXECUTOR, "second"))
}

func TestWorkersInUseStay(t *testing.T) {
	w := newWorld(t)
	bs := w.executors(3)
	w.cluster(bs)
	gk := newBoot(w.Accounts[1], gatekeeperSlot, wire.ROLE_GATEKEEPER, "gatekeeper")
	w.register(w.Accounts[1], gk)
	w.refused(w.Deliver(w.Accounts[0], &workertypes.MsgUnregisterWorker{Operator: bs[1].ref.Operator, Slot: 1}), workertypes.ErrInUse, "cluster 1")
	w.refused(w.Deliver(w.Accounts[1], &workertypes.MsgUnregisterWorker{Operator: gk.ref.Operator, Slot: gatekeeperSlot}), workertypes.ErrInUse, "gatekeeper set")
}

func TestWorkersArePaged(t *testing.T) {
	w := newWorld(t)
	w.executors(5)
	var all workertypes.QueryWorkersResponse
	w.check(w.Query("/phala.worker.v1.Query/Workers", &workertypes.QueryWorkersRequest{}, &all))
	var seen []*wire.Worker
	req := &workertypes.QueryWorkersRequest{Limit: 2}
	for {
		var res workertypes.QueryWorkersResponse
		w.check(w.Query("/phala.worker.v1.Query/Workers", req, &res))
		if len(res.Workers) == 0 {
			break
		}
		seen = append(seen, res.Workers...)
		last := res.Workers[len(res.Workers)-1].Worker
		req.AfterOperator, req.AfterSlot = last.Operator, last.Slot
	}
	if len(all.Workers) != 5 || len(seen) != 5 || !seen[4].Worker.Is(all.Workers[4].Worker) {
		t.Errorf("%d at once, %d by page", len(all.Workers), len(seen))
	}
}

func TestP09_PoliciesAreGovernances(t *testing.T) {
	w := newWorld(t)
	p := &wire.Policy{Role: wire.ROLE_EXECUTOR, MaxAgeBlocks: 7}
	w.refused(w.Deliver(w.Accounts[0], &attestationtypes.MsgUpdatePolicy{Authority: w.Accounts[0].String(), Policy: p}), attestationtypes.ErrUnauthorized, "proposal")
	prop := w.Govern(sdk.Msg(&attestationtypes.MsgUpdatePolicy{Authority: authority(), Policy: p}))
	got, err := w.App.AttestationKeeper.Policy(w.Ctx(), wire.ROLE_EXECUTOR)
	w.check(err)
	if got.MaxAgeBlocks != 7 {
		t.Errorf("policy %+v after proposal %+v", got, prop)
	}
	w.event(w.MustDeliver(w.Accounts[2], w.registration(newBoot(w.Accounts[2], 0, wire.ROLE_EXECUTOR, "late"))),
		workertypes.EventRefused, workertypes.AttributeCode, "kind-not-allowed")
}
