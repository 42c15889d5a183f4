package keepertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/chain/app"
	"github.com/phala-go/phala/chain/app/apptest"
	attestationtypes "github.com/phala-go/phala/chain/x/attestation/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/measure"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/attest/tpm/tpmtest"
	"github.com/phala-go/phala/core/wire"
)

// tpmWorld is a world whose executors are machines with a TPM.
type tpmWorld struct {
	*world
	machine *tpmtest.Machine
	chain   []byte // certificates of the AK; nil: it is believed by its name
}

// newMachine is a machine of whose AK the name is given too.
func newMachine(t *testing.T) (m *tpmtest.Machine, name []byte) {
	t.Helper()
	m = tpmtest.New()
	var err error
	if m.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	q, err := m.Quote()
	if err != nil {
		t.Fatal(err)
	}
	ak, err := tpm.ParsePublic(q.AK)
	if err != nil {
		t.Fatal(err)
	}
	return m, ak.Name()
}

// newTPMWorld is a network with these members of attestation.network, whose policy takes kind and approves what m measures.
func newTPMWorld(t *testing.T, m *tpmtest.Machine, development bool, network, kind string) *tpmWorld {
	t.Helper()
	app.Configure()
	values := map[int][]byte{}
	for i, v := range m.PCRs {
		if v != nil {
			values[i] = v
		}
	}
	state := fmt.Sprintf(`{"attestation":{"network":{%s},"policies":[{"role":"ROLE_EXECUTOR","kinds":[%q],"max_age_blocks":"400","worst_level":1,"measurements":[{"digest":%q}]}]}}`,
		network, kind, base64.StdEncoding.EncodeToString(measure.TPM(values)))
	net := apptest.New(t, apptest.Options{Accounts: 3, Development: development, AppState: json.RawMessage(state), Time: tpmtest.Now()})
	return &tpmWorld{world: &world{net, t}, machine: m}
}

func named(name []byte) string {
	return fmt.Sprintf(`"development":true,"development_roots":[{"kind":"TEE_KIND_TPM","ak_name":%q}]`, base64.StdEncoding.EncodeToString(name))
}

// message registers a boot of the machine, whose PCR 15 holds what it was started for.
func (w *tpmWorld) message(b *boot, changes ...func(*tpmtest.Machine)) *workertypes.MsgRegisterWorker {
	w.t.Helper()
	id, m := w.identity(b), *w.machine
	m.Nonce = attest.ReportData(id)
	_, m.PCRs[15] = attest.RuntimeRegister(wire.TEE_KIND_TPM, attest.RuntimeConfig(id.ChainId, id.GenesisHash, id.Role))
	for _, change := range changes {
		change(&m)
	}
	q, err := m.Quote()
	w.check(err)
	ev := &wire.Evidence{Kind: wire.TEE_KIND_TPM, Quote: q.Wire()}
	if w.chain != nil {
		ev.Collateral = wire.Marshal(&wire.Collateral{Items: []*wire.CollateralItem{{Kind: wire.COLLATERAL_KIND_TPM_AK_CHAIN, Data: w.chain}}})
	}
	return &workertypes.MsgRegisterWorker{Operator: b.ref.Operator, Evidence: &wire.WorkerEvidence{Identity: id, Evidence: ev}, Endpoint: endpoint}
}

// A development network that names a TPM's key, or who certifies it, registers its machine.
func TestTPMRegisters(t *testing.T) {
	m, name := newMachine(t)
	authority, err := tpmtest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := authority.Chain(m.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for by, c := range map[string]struct {
		network string
		chain   []byte
	}{
		"name":      {named(name), nil},
		"authority": {fmt.Sprintf(`"development":true,"development_roots":[{"kind":"TEE_KIND_TPM","certificate":%q}]`, base64.StdEncoding.EncodeToString(authority.Root)), certificates},
	} {
		t.Run(by, func(t *testing.T) {
			w := newTPMWorld(t, m, true, c.network, "TEE_KIND_TPM")
			w.chain = c.chain
			b := newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, by)
			w.event(w.MustDeliver(w.Accounts[0], w.message(b)), workertypes.EventRegistered, workertypes.AttributeKind, "TEE_KIND_TPM", workertypes.AttributeLevel, "1")
			got, err := w.App.WorkerKeeper.Worker(w.Ctx(), b.ref)
			w.check(err)
			if got == nil || string(got.ChipId) != string(name) || got.ExpiryHeight <= uint64(w.Height) || (got.NotAfter == 0) != (c.chain == nil) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// P15: a TPM counts nowhere else, and not with another's word.
func TestP15_TPMIsRefused(t *testing.T) {
	m, name := newMachine(t)
	_, other := newMachine(t)
	const kind = "TEE_KIND_TPM"
	for what, c := range map[string]struct {
		development   bool
		network, kind string
		codes         string
	}{
		"production":               {false, ``, "TEE_KIND_TDX", "kind-not-allowed no-tee unknown-ak"}, // its policies cannot name the kind
		"nobody is named":          {true, `"development":true`, kind, "unknown-ak"},
		"another AK is named":      {true, named(other), kind, "unknown-ak"},
		"a policy for other kinds": {true, named(name), "TEE_KIND_TDX", "kind-not-allowed"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newTPMWorld(t, m, c.development, c.network, c.kind)
			w.mustRefuse(w.message(newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, what)), c.codes)
		})
	}

	w := newTPMWorld(t, m, true, named(name), kind)
	for what, c := range map[string]struct {
		codes string
		quote func(*tpmtest.Machine)
		sent  func(*workertypes.MsgRegisterWorker)
	}{
		"another's nonce":       {"report-data", func(m *tpmtest.Machine) { m.Nonce = make([]byte, 64) }, nil},
		"no nonce":              {"nonce", func(m *tpmtest.Machine) { m.Nonce = nil }, nil},
		"another configuration": {"runtime-config", func(m *tpmtest.Machine) { m.PCRs[15] = make([]byte, 32) }, nil},
		"another program":       {"unknown-measurement", func(m *tpmtest.Machine) { m.PCRs[4] = make([]byte, 32) }, nil},
		"an unrestricted key":   {"unknown-ak", func(m *tpmtest.Machine) { m.Attributes &^= tpm.Restricted }, nil}, // its name is another
		"a signature of SHA-1":  {"signature", func(m *tpmtest.Machine) { m.SignedHash = 4 }, nil},
		"another block":         {"nonce-unknown report-data", nil, func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.NonceHash = make([]byte, 32) }},
		"another identity":      {"report-data", nil, func(m *workertypes.MsgRegisterWorker) { m.Evidence.Identity.SoftwareVersion = "x" }},
		"a flipped bit":         {"malformed", nil, func(m *workertypes.MsgRegisterWorker) { m.Evidence.Evidence.Quote[0] ^= 1 }},
	} {
		t.Run(what, func(t *testing.T) {
			w := &tpmWorld{world: &world{w.Net, t}, machine: w.machine}
			var changes []func(*tpmtest.Machine)
			if c.quote != nil {
				changes = append(changes, c.quote)
			}
			msg := w.message(newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, what), changes...)
			if c.sent != nil {
				c.sent(msg)
			}
			w.mustRefuse(msg, c.codes)
		})
	}
	t.Run("too large", func(t *testing.T) {
		w := &tpmWorld{world: &world{w.Net, t}, machine: w.machine}
		msg := w.message(newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, "large"))
		msg.Evidence.Evidence.Quote = make([]byte, attest.MaxQuote+1)
		w.refused(w.Deliver(w.Accounts[0], msg), workertypes.ErrMalformed, "at most 16384")
	})
	t.Run("a block of long ago", func(t *testing.T) {
		w := &tpmWorld{world: &world{w.Net, t}, machine: w.machine}
		msg := w.message(newBoot(w.Accounts[0], 0, wire.ROLE_EXECUTOR, "slow"))
		w.Blocks(attestationtypes.NoncesKept)
		w.mustRefuse(msg, "nonce-too-old")
	})
}

// mustRefuse delivers what is refused for these codes, told by events with field or value and advice; nothing registers, and it costs gas.
func (w *tpmWorld) mustRefuse(m *workertypes.MsgRegisterWorker, codes string) {
	w.t.Helper()
	res := w.MustDeliver(w.Accounts[0], m)
	var got []string
	for _, e := range res.Events {
		if e.Type != workertypes.EventRefused {
			continue
		}
		told := map[string]string{}
		for _, a := range e.Attributes {
			told[a.Key] = a.Value
		}
		got = append(got, told[workertypes.AttributeCode])
		if told[workertypes.AttributeField] == "" && told[workertypes.AttributeGot] == "" || told[workertypes.AttributeAdvice] == "" {
			w.t.Errorf("a reason that does not help: %v", told)
		}
	}
	if strings.Join(got, " ") != codes {
		w.t.Errorf("refused for %q, want %q", got, codes)
	}
	if r, err := w.App.WorkerKeeper.Worker(w.Ctx(), m.Evidence.Identity.Worker); err != nil || r != nil {
		w.t.Errorf("registered all the same: %v, %v", r, err)
	}
	if res.GasUsed < 20_000 {
		w.t.Errorf("it cost %d gas", res.GasUsed)
	}
}
