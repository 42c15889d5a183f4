package relay_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"

	attestation "github.com/phala-go/phala/chain/x/attestation/types"
	worker "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/dcap/dcaptest"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/collateral"
	"github.com/phala-go/phala/offchain/metrics"
	"github.com/phala-go/phala/offchain/relay"
)

func (c *chain) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *chain) keep(m *attestation.MsgStoreCollateral) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range m.Items {
		h := sha256.Sum256(b)
		c.kept[string(h[:])] = &attestation.QueryCollateralResponse{Data: b, KeptUntil: c.height + 20_000}
	}
}

// judge is what the chain does about evidence: its policy decides, what the evidence names by hash must be there, and its end is the
// registration's. The events give the reasons of a refusal.
func (c *chain) judge(ev *wire.WorkerEvidence, w *wire.Worker) (no []node.Event) {
	if c.policy == nil {
		return []node.Event{{Type: worker.EventRefused}}
	}
	v := attest.Verify(attest.Input{
		Evidence: ev, Policy: c.policyOf(ev.Identity.Role), Network: c.network, ChainID: chainID, GenesisUnknown: true, NonceHash: make([]byte, 32), Height: c.height + 1,
		Time: c.now, Roots: attest.RootsOf(c.network), Stored: func(h []byte) []byte { return c.kept[string(h)].GetData() },
	})
	if !v.NotAfter.IsZero() {
		w.NotAfter = v.NotAfter.Unix()
	}
	for _, r := range v.Reasons {
		e := node.Event{Type: worker.EventRefused}
		for k, x := range map[string]string{worker.AttributeCode: r.Code, worker.AttributeField: r.Field, worker.AttributeGot: r.Got, worker.AttributeWant: r.Want, worker.AttributeAdvice: r.Advice} {
			e.Attributes = append(e.Attributes, node.Attribute{Key: k, Value: x})
		}
		no = append(no, e)
	}
	return no
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) wait(t *testing.T, words ...string) {
	t.Helper()
	for end := time.Now().Add(8 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		got := l.b.String()
		l.mu.Unlock()
		for _, line := range strings.Split(got, "\n") {
			n := 0
			for _, w := range words {
				if strings.Contains(line, w) {
					n++
				}
			}
			if n == len(words) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no line with %q in\n%s", words, got)
		}
	}
}

// machine is a TD behind a relay whose operator keeps a file of collateral.
type machine struct {
	*bench
	tee  *tee
	log  *lines
	set  *metrics.Set
	file string
}

func made(t *testing.T, days int) dcaptest.Evidence {
	t.Helper()
	m := dcaptest.New("relay", 5, now())
	later := func(s string) string {
		return strings.ReplaceAll(s, `"nextUpdate":"2026-06-21`, `"nextUpdate":"`+now().AddDate(0, 0, 20+days).Format(time.DateOnly))
	}
	m.TCBInfo, m.QEIdentity = later, later
	m.List = func(_ dcaptest.Role, l *x509.RevocationList) { l.NextUpdate = now().AddDate(0, 0, 60) }
	e, err := m.Make()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func now() time.Time { return time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC) }

func newMachine(t *testing.T) *machine {
	t.Helper()
	e := made(t, 0)
	m := &machine{bench: newBench(t, 10), log: &lines{}, set: metrics.New(), file: filepath.Join(t.TempDir(), "collateral.json")}
	m.chain.kept = map[string]*attestation.QueryCollateralResponse{}
	m.chain.network.DevelopmentRoots = []*wire.TrustedRoot{{Kind: wire.TEE_KIND_TDX, Certificate: e.Options.Root}}
	c, err := dcap.Verify(e.Quote, e.Collateral, e.Options)
	if err != nil {
		t.Fatal(err)
	}
	m.chain.policy.Warnings, m.chain.policy.Measurements = c.Warnings, append(m.chain.policy.Measurements, &wire.Measurement{Digest: c.Measurement})
	m.change = func(c *relay.Config) {
		c.Collateral, c.Metrics, c.Log = collateral.Source(m.file), m.set, slog.New(slog.NewTextHandler(m.log, nil))
	}
	id := executor(1)
	id.Kind = wire.TEE_KIND_TDX
	m.tee = startTEE(t, m.socket, id)
	m.tee.answer = func(in *wire.In) []*wire.Out {
		if in.GetAttest() == nil {
			return nil
		}
		w := identity(id, in.GetAttest())
		return []*wire.Out{{Body: &wire.Out_Evidence{Evidence: &wire.WorkerEvidence{Identity: w, Evidence: &wire.Evidence{Kind: id.Kind, Quote: m.quote(t, w)}}}}}
	}
	m.tee.serve()
	m.write(t, 0)
	return m
}

// quote is the TD's of an identity.
func (m *machine) quote(t *testing.T, id *wire.WorkerIdentity) []byte {
	td := dcaptest.New("relay", 5, now())
	copy(td.ReportData[:], attest.ReportData(id))
	_, register := attest.RuntimeRegister(wire.TEE_KIND_TDX, attest.RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
	copy(td.RTMR[3][:], register)
	e, err := td.Make()
	if err != nil {
		t.Error(err)
	}
	return e.Quote
}

// write replaces the file by one whose TCB info and QE identity last that many days more.
func (m *machine) write(t *testing.T, days int) {
	t.Helper()
	c := made(t, days).Collateral
	b, err := json.Marshal(map[string]string{
		"tcb_info": string(c.TCBInfo), "tcb_info_signature": hex.EncodeToString(c.TCBInfoSignature), "tcb_info_issuer_chain": string(c.TCBInfoChain),
		"qe_identity": string(c.QEIdentity), "qe_identity_signature": hex.EncodeToString(c.QEIdentitySignature), "qe_identity_issuer_chain": string(c.QEIdentityChain),
		"pck_crl": hex.EncodeToString(c.PCKCRL), "pck_crl_issuer_chain": string(c.PCKCRLChain), "root_ca_crl": hex.EncodeToString(c.RootCRL),
	})
	if err == nil {
		err = os.WriteFile(m.file+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(m.file+".new", m.file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// next is the next transaction, which comes while blocks do.
func next[M proto.Message](t *testing.T, m *machine) M {
	t.Helper()
	for range 400 {
		select {
		case msg := <-m.chain.sent:
			got, ok := msg.(M)
			if !ok {
				t.Fatalf("sent %T", msg)
			}
			return got
		case <-time.After(20 * time.Millisecond):
			m.chain.advance()
		}
	}
	t.Fatal("nothing was sent")
	panic("unreachable")
}

func (c *chain) record() wire.Worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.workers[self.Name()]; w != nil {
		return *w
	}
	return wire.Worker{}
}

// What many share is stored before the first registration and once, is named by hash, and of newer files what is new follows it.
func TestCollateralIsStoredOnce(t *testing.T) {
	m := newMachine(t)
	m.run(t)
	stored := next[*attestation.MsgStoreCollateral](t, m)
	reg := next[*worker.MsgRegisterWorker](t, m)
	hashes := attest.Hashes(reg.Evidence.Evidence)
	if len(stored.Items) < 5 || stored.Sender != self.Operator || len(hashes) < len(stored.Items) {
		t.Fatalf("%d pieces are stored by %s, %d are named", len(stored.Items), stored.Sender, len(hashes))
	}
	renewed := next[*worker.MsgRegisterWorker](t, m) // near its end by height; nothing is stored again
	if len(attest.Hashes(renewed.Evidence.Evidence)) != len(hashes) {
		t.Error("the renewal names other pieces")
	}
	m.write(t, 10)
	again := next[*attestation.MsgStoreCollateral](t, m)
	if len(again.Items) != 2 { // TCB info and QE identity
		t.Errorf("%d pieces are stored", len(again.Items))
	}
	next[*worker.MsgRegisterWorker](t, m)
	if w := m.chain.record(); time.Unix(w.NotAfter, 0).Sub(now()) < 29*24*time.Hour {
		t.Errorf("the registration ends at %s", time.Unix(w.NotAfter, 0).UTC())
	}
}

// What the chain is about to forget is stored again.
func TestForgottenCollateral(t *testing.T) {
	m := newMachine(t)
	m.run(t)
	first := next[*attestation.MsgStoreCollateral](t, m)
	next[*worker.MsgRegisterWorker](t, m)
	m.chain.mu.Lock()
	for _, k := range m.chain.kept {
		k.KeptUntil = m.chain.height + 50
	}
	m.chain.mu.Unlock()
	if again := next[*attestation.MsgStoreCollateral](t, m); len(again.Items) != len(first.Items) {
		t.Errorf("%d pieces of %d", len(again.Items), len(first.Items))
	}
}

// An operator is told days before the end, of what ends and what to do; newer files then renew the registration at once.
func TestCollateralEndsSoon(t *testing.T) {
	m := newMachine(t)
	m.run(t)
	next[*attestation.MsgStoreCollateral](t, m)
	next[*worker.MsgRegisterWorker](t, m)
	for m.chain.record().IdentityKey == nil { // the message is on its way
		time.Sleep(time.Millisecond)
	}
	m.chain.mu.Lock()
	m.chain.now = now().AddDate(0, 0, 14)
	m.chain.workers[self.Name()].ExpiryHeight = m.chain.height + 1_000_000 // its height is no reason to renew
	m.chain.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			m.chain.advance()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	m.log.wait(t, "level=WARN", "ends soon", "ends=2026-06-21T12:00:00Z", "144h0m0s", "TCB info", m.file, "Put the files in the place of the old ones")
	wanted(t, m.set, "phala_worker_registration_ends_timestamp_seconds 1.7820432e+09\nphala_worker_collateral_ends_timestamp_seconds 1.7820432e+09")
	<-done
	if len(m.chain.sent) > 0 {
		t.Error("it registers anew with the same files")
	}
	m.write(t, 10)
	next[*attestation.MsgStoreCollateral](t, m)
	next[*worker.MsgRegisterWorker](t, m)
}

// Files that do not bear out the evidence cost nothing on the chain, are named, and count as soon as they are put right.
func TestBadCollateral(t *testing.T) {
	m := newMachine(t)
	if err := os.WriteFile(m.file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.run(t)
	m.log.wait(t, "level=WARN", "not registered yet", m.file, "tcb_info")
	m.chain.mu.Lock()
	m.chain.now = now().AddDate(0, 0, 60)
	m.chain.mu.Unlock()
	m.write(t, 0)
	m.log.wait(t, "level=WARN", "not registered yet", m.file, "ended at 2026-06-21", "fetch TCB info")
	if len(m.chain.sent) > 0 {
		t.Error("something was sent")
	}
	m.chain.mu.Lock()
	m.chain.now = now()
	m.chain.mu.Unlock()
	next[*attestation.MsgStoreCollateral](t, m)
	next[*worker.MsgRegisterWorker](t, m)
}

// Renewals come when the evidence is old, however long ago the boot first registered: not at every look, and never too late.
func TestRenewalsKeepTheirPace(t *testing.T) {
	for _, c := range []struct{ life, blocks, most int }{{40, 400, 22}, {200, 2000, 22}} {
		b := newBench(t, 10)
		b.chain.life = uint64(c.life)
		e := startTEE(t, b.socket, executor(1))
		e.serve()
		b.run(t)
		wait(t, b.chain.sent, "a registration", func(proto.Message) bool { return true })
		n := 1
		for range c.blocks {
			if h := b.chain.advance(); b.chain.record().ExpiryHeight <= h {
				t.Fatalf("evidence of %d blocks: the registration has ended at height %d", c.life, h)
			}
			time.Sleep(2 * time.Millisecond)
			for len(b.chain.sent) > 0 {
				<-b.chain.sent
				n++
			}
		}
		if n > c.most {
			t.Errorf("evidence of %d blocks: %d registrations in %d", c.life, n, c.blocks)
		}
	}
}
