package keepertest

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/sevsnp/sevsnptest"
	"github.com/phala-go/phala/core/wire"
)

// hardware is a world whose executors run in TDs and SNP guests of makers that its genesis names.
type hardware struct {
	*world
	td  dcaptest.Machine
	snp sevsnptest.Machine
}

func newHardware(t testing.TB, accounts int) *hardware {
	t.Helper()
	app.Configure()
	at := sevsnptest.Now()
	h := &hardware{td: dcaptest.New("chain", 5, at), snp: sevsnptest.New(sevsnp.Milan)}
	h.snp.SendMid = true
	intel, err := h.td.Make()
	if err != nil {
		t.Fatal(err)
	}
	amd, err := h.snp.Make()
	if err != nil {
		t.Fatal(err)
	}
	c, err := dcap.Verify(intel.Quote, intel.Collateral, intel.Options)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	state := fmt.Sprintf(`{"attestation":{
		"network":{"development":true,"development_roots":[{"kind":"TEE_KIND_TDX","certificate":%q},{"kind":"TEE_KIND_SEV_SNP","certificate":%q}]},
		"policies":[{"role":"ROLE_EXECUTOR","kinds":["TEE_KIND_TDX","TEE_KIND_SEV_SNP"],"max_age_blocks":"10000","worst_level":1,"warnings":["cached-keys","dynamic-platform","milan-seed"],
			"measurements":[{"digest":%q},{"digest":%q}]}]
	}}`, b64(intel.Options.Root), b64(amd.Options.Roots[0].ARK), b64(c.Measurement), b64(h.snp.Measurement[:]))
	h.world = &world{apptest.New(t, apptest.Options{Accounts: accounts, Development: true, AppState: json.RawMessage(state), Time: at}), t}
	return h
}

// quoted has a TD or an SNP guest vouch for an identity, with all collateral written out.
func (h *hardware) quoted(id *wire.WorkerIdentity, kind wire.TeeKind) (*wire.WorkerEvidence, *wire.Collateral) {
	h.t.Helper()
	e, c := &wire.Evidence{Kind: kind}, &wire.Collateral{}
	add := func(k wire.CollateralKind, b []byte) {
		if len(b) > 0 {
			c.Items = append(c.Items, &wire.CollateralItem{Kind: k, Data: b})
		}
	}
	if kind == wire.TEE_KIND_SEV_SNP {
		copy(h.snp.ReportData[:], attest.ReportData(id))
		made, err := h.snp.Make()
		h.check(err)
		e.Quote = made.Report
		add(wire.COLLATERAL_KIND_SNP_LEAF, made.Collateral.Leaf)
		add(wire.COLLATERAL_KIND_SNP_INTERMEDIATE, made.Collateral.Intermediate)
		add(wire.COLLATERAL_KIND_SNP_CRL, made.Collateral.CRL)
	} else {
		copy(h.td.ReportData[:], attest.ReportData(id))
		_, register := attest.RuntimeRegister(kind, attest.RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
		copy(h.td.RTMR[3][:], register)
		made, err := h.td.Make()
		h.check(err)
		e.Quote = made.Quote
		for k, b := range [][]byte{
			made.Collateral.TCBInfo, made.Collateral.TCBInfoSignature, made.Collateral.TCBInfoChain, made.Collateral.QEIdentity, made.Collateral.QEIdentitySignature,
			made.Collateral.QEIdentityChain, made.Collateral.PCKCRL, made.Collateral.PCKCRLChain, made.Collateral.RootCRL, made.Collateral.PCKChain,
		} {
			add(wire.CollateralKind(k+1), b)
		}
	}
	e.Collateral = wire.Marshal(c)
	return &wire.WorkerEvidence{Identity: id, Evidence: e}, c
}

func (h *hardware) message(b *boot, kind wire.TeeKind) *workertypes.MsgRegisterWorker {
	h.t.Helper()
	ev, _ := h.quoted(h.identity(b), kind)
	return &workertypes.MsgRegisterWorker{Operator: b.ref.Operator, Evidence: ev, Endpoint: endpoint}
}

func (h *hardware) worker(b *boot) *wire.Worker {
	h.t.Helper()
	w, err := h.App.WorkerKeeper.Worker(h.Ctx(), b.ref)
	h.check(err)
	return w
}

func TestHardwareRegisters(t *testing.T) {
	h := newHardware(t, 3)
	for i, kind := range []wire.TeeKind{wire.TEE_KIND_TDX, wire.TEE_KIND_SEV_SNP} {
		b := newBoot(h.Accounts[0], uint32(i), wire.ROLE_EXECUTOR, kind.String())
		h.event(h.MustDeliver(h.Accounts[0], h.message(b, kind)), workertypes.EventRegistered,
			workertypes.AttributeKind, kind.String(), workertypes.AttributeLevel, "1", workertypes.AttributeStatus, "UpToDate")
		if w := h.worker(b); w == nil || w.Level != 1 || len(w.ChipId) == 0 || w.NotAfter <= h.Time.Unix() || w.TcbStatus != "UpToDate" {
			t.Errorf("%s: %+v", kind, w)
		}
	}
}

// Collateral that many share is stored once; a registration that names it by hash is a fraction of the size, and keeps it stored.
func TestSharedCollateral(t *testing.T) {
	h := newHardware(t, 3)
	b := newBoot(h.Accounts[0], 0, wire.ROLE_EXECUTOR, "shared")
	whole := h.message(b, wire.TEE_KIND_TDX)
	var c wire.Collateral
	h.check(wire.Unmarshal(whole.Evidence.Evidence.Collateral, &c))
	short, store := attest.Share(&c)
	m := h.message(b, wire.TEE_KIND_TDX)
	m.Evidence.Evidence.Collateral = wire.Marshal(short)
	h.event(h.MustDeliver(h.Accounts[0], m), workertypes.EventRefused, workertypes.AttributeCode, "collateral-missing")

	stored := &attestationtypes.MsgStoreCollateral{Sender: h.Accounts[1].String(), Items: store}
	h.MustDeliver(h.Accounts[1], stored)
	m = h.message(b, wire.TEE_KIND_TDX)
	m.Evidence.Evidence.Collateral = wire.Marshal(short)
	if a, b := len(m.Evidence.Evidence.Collateral), len(whole.Evidence.Evidence.Collateral); a > b/2 {
		t.Errorf("%d bytes of %d are left", a, b)
	}
	h.event(h.MustDeliver(h.Accounts[0], m), workertypes.EventRegistered, workertypes.AttributeSlot, "0")
	hash := attest.Hashes(m.Evidence.Evidence)[0]
	var q attestationtypes.QueryCollateralResponse
	h.check(h.Query("/phala.attestation.v1.Query/Collateral", &attestationtypes.QueryCollateralRequest{Hash: hash}, &q))
	if want := h.worker(b).ExpiryHeight + attestationtypes.CollateralGrace; q.KeptUntil != want || !bytes.Equal(q.Data, store[0]) {
		t.Errorf("kept until %d, want %d", q.KeptUntil, want)
	}
	for name, items := range map[string][][]byte{"nothing": nil, "an empty piece": {nil}, "too long": {make([]byte, attest.MaxItem+1)}, "too many": make([][]byte, attest.MaxItems+1)} {
		res := h.Deliver(h.Accounts[1], &attestationtypes.MsgStoreCollateral{Sender: h.Accounts[1].String(), Items: items})
		if res.Code == 0 {
			t.Errorf("stored %s", name)
		}
	}
}

// What the chain keeps of collateral survives an export.
func TestCollateralIsExported(t *testing.T) {
	h := newHardware(t, 3)
	_, c := h.quoted(h.identity(newBoot(h.Accounts[0], 0, wire.ROLE_EXECUTOR, "x")), wire.TEE_KIND_TDX)
	_, store := attest.Share(c)
	h.MustDeliver(h.Accounts[1], &attestationtypes.MsgStoreCollateral{Sender: h.Accounts[1].String(), Items: store})
	g, err := h.App.AttestationKeeper.ExportGenesis(h.Ctx())
	h.check(err)
	different := make(map[string]bool)
	for _, b := range store {
		different[string(b)] = true
	}
	if len(g.Collateral) != len(different) || g.Collateral[0].KeptUntil == 0 {
		t.Errorf("%d of %d pieces", len(g.Collateral), len(different))
	}
	h.check(g.Validate())
}

// A report with another operator's chip identity retires nobody: what is registered is an operator's slot.
func TestP15_ForgedChipRetiresNobody(t *testing.T) {
	h := newHardware(t, 3)
	honest := newBoot(h.Accounts[0], 4, wire.ROLE_EXECUTOR, "honest")
	h.MustDeliver(h.Accounts[0], h.message(honest, wire.TEE_KIND_SEV_SNP))
	before := h.worker(honest)
	forger := newBoot(h.Accounts[2], 4, wire.ROLE_EXECUTOR, "forger")
	h.MustDeliver(h.Accounts[2], h.message(forger, wire.TEE_KIND_SEV_SNP))
	after, other := h.worker(honest), h.worker(forger)
	if !bytes.Equal(other.ChipId, before.ChipId) {
		t.Fatal("the chips differ: nothing is tested")
	}
	if !bytes.Equal(wire.Marshal(before), wire.Marshal(after)) {
		t.Errorf("%v became %v", before, after)
	}
}

// When the maker's word runs out, so does the registration, at the block's time and without anybody asking.
func TestP15_CollateralRunsOut(t *testing.T) {
	h := newHardware(t, 3)
	b := newBoot(h.Accounts[0], 0, wire.ROLE_EXECUTOR, "lapses")
	h.MustDeliver(h.Accounts[0], h.message(b, wire.TEE_KIND_TDX))
	end := time.Unix(h.worker(b).NotAfter, 0)
	h.Advance(end.Sub(h.Time) - time.Second)
	if w := h.worker(b); w.ExpiryHeight <= uint64(h.Height) {
		t.Fatalf("ended a second early: %+v", w)
	}
	h.Advance(time.Second)
	if w := h.worker(b); w.ExpiryHeight != uint64(h.Height) {
		t.Errorf("ends at %d, the height is %d", w.ExpiryHeight, h.Height)
	}
	res := h.MustDeliver(h.Accounts[0], h.message(b, wire.TEE_KIND_TDX))
	h.event(res, workertypes.EventRefused, workertypes.AttributeOperator, h.Accounts[0].String())
}

// A registration that has lapsed and is renewed by the same boot, or taken over by the next, ends again when the newer evidence does;
// each end is told once.
func TestP15_LapsedRegistrationEndsAgain(t *testing.T) {
	h := newHardware(t, 3)
	lasting := func(until string) {
		h.td.TCBInfo = func(s string) string {
			return strings.ReplaceAll(s, `"nextUpdate":"2026-06-21`, `"nextUpdate":"`+until)
		}
		h.td.QEIdentity = h.td.TCBInfo
		h.td.List = func(_ dcaptest.Role, l *x509.RevocationList) { l.NextUpdate = l.NextUpdate.AddDate(0, 2, 0) }
	}
	b, next := newBoot(h.Accounts[0], 0, wire.ROLE_EXECUTOR, "lapses"), newBoot(h.Accounts[0], 0, wire.ROLE_EXECUTOR, "next boot")
	told := func(res *abci.ResponseFinalizeBlock) (n int) {
		for _, e := range res.Events {
			if e.Type == workertypes.EventExpired {
				n++
			}
		}
		return n
	}
	lapse := func() {
		t.Helper()
		end := time.Unix(h.worker(b).NotAfter, 0)
		h.Time = end.Add(-h.Step)
		if n := told(h.Block()); n != 1 || h.worker(b).ExpiryHeight != uint64(h.Height) {
			t.Fatalf("%d ends are told at height %d, and the worker ends at %d", n, h.Height, h.worker(b).ExpiryHeight)
		}
		for range 3 {
			if n := told(h.Block()); n != 0 {
				t.Fatal("its end is told again")
			}
		}
	}
	lasting("2026-06-11")
	h.MustDeliver(h.Accounts[0], h.message(b, wire.TEE_KIND_TDX))
	for _, x := range []struct {
		boot  *boot
		until string
	}{{b, "2026-06-21"}, {next, "2026-07-01"}} {
		lapse()
		lasting(x.until)
		h.event(h.MustDeliver(h.Accounts[0], h.message(x.boot, wire.TEE_KIND_TDX)), workertypes.EventRegistered, workertypes.AttributeSlot, "0")
		if w := h.worker(b); w.ExpiryHeight <= uint64(h.Height) || time.Unix(w.NotAfter, 0).UTC().Format(time.DateOnly) != x.until {
			t.Fatalf("renewed: %+v", w)
		}
	}
	lapse()
}

// P15: what is not in order does not register, and the event names what.
func TestP15_HardwareIsRefused(t *testing.T) {
	h := newHardware(t, 3)
	td, snp := h.td, h.snp
	for code, c := range map[string]struct {
		kind   wire.TeeKind
		change func()
	}{
		"debug":               {wire.TEE_KIND_TDX, func() { h.td.Debug = true }},
		"unknown-measurement": {wire.TEE_KIND_SEV_SNP, func() { h.snp.Measurement[0]++ }},
		"tcb-level":           {wire.TEE_KIND_SEV_SNP, func() { h.snp.Reported.Microcode = 1 }},
	} {
		h.td, h.snp = td, snp
		c.change()
		b := newBoot(h.Accounts[2], 1, wire.ROLE_EXECUTOR, code)
		h.event(h.MustDeliver(h.Accounts[2], h.message(b, c.kind)), workertypes.EventRefused, workertypes.AttributeCode, code)
		if h.worker(b) != nil {
			t.Errorf("%s: registered", code)
		}
	}
	h.td, h.snp = td, snp
	b := newBoot(h.Accounts[2], 1, wire.ROLE_EXECUTOR, "role")
	m := h.message(b, wire.TEE_KIND_TDX)
	m.Evidence.Evidence.Quote[700] ^= 1
	res := h.MustDeliver(h.Accounts[2], m)
	h.event(res, workertypes.EventRefused, workertypes.AttributeOperator, h.Accounts[2].String(), workertypes.AttributeSlot, "1", workertypes.AttributeKind, "TEE_KIND_TDX")

	// A TD whose hardware recorded another configuration than its identity says.
	h.td.Edit = func(p *dcaptest.Parts) { copy(p.Body[472:520], make([]byte, 48)) } // RTMR3
	h.event(h.MustDeliver(h.Accounts[2], h.message(b, wire.TEE_KIND_TDX)), workertypes.EventRefused, workertypes.AttributeCode, "runtime-config")
}

// A block of registrations, each by another operator and all sharing collateral that is on the chain; the line of make bench counts
// with the same number.
func BenchmarkRegistrations(b *testing.B) {
	const each = 64
	h := newHardware(b, each)
	_, c := h.quoted(h.identity(newBoot(h.Accounts[0], 0, wire.ROLE_EXECUTOR, "first")), wire.TEE_KIND_TDX)
	short, store := attest.Share(c)
	h.MustDeliver(h.Accounts[0], &attestationtypes.MsgStoreCollateral{Sender: h.Accounts[0].String(), Items: store})
	var size int
	for b.Loop() {
		b.StopTimer()
		var txs [][]byte
		for i := range each {
			m := h.message(newBoot(h.Accounts[i], 0, wire.ROLE_EXECUTOR, fmt.Sprint(i)), wire.TEE_KIND_TDX)
			m.Evidence.Evidence.Collateral = wire.Marshal(short)
			txs = append(txs, h.Sign(h.Accounts[i], 0, m))
		}
		size = len(txs[0])
		b.StartTimer()
		for i, res := range h.Block(txs...).TxResults {
			if res.Code != 0 || len(reasons(res)) > 0 {
				b.Fatalf("registration %d: %s %v", i, res.Log, reasons(res))
			}
		}
	}
	b.ReportMetric(float64(size), "bytes/tx")
}
