package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

const chainID = "phala-test"

func key(name byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{name}, ed25519.SeedSize))
}

func pub(k ed25519.PrivateKey) []byte { return k.Public().(ed25519.PublicKey) }

func me() *wire.WorkerRef { return &wire.WorkerRef{Operator: "gatekeeper"} }

func asker() *wire.WorkerRef { return &wire.WorkerRef{Operator: "worker", Slot: 2} }

func config() Config {
	return Config{ChainID: chainID, GenesisHash: make([]byte, 32), Identity: key('g'), Worker: me}
}

const height = 100

// scene is a request, and what is proven about it.
type scene struct {
	chain    *chain
	request  *wire.KeyRequest
	cluster  *wire.Cluster
	worker   *wire.Worker
	evidence *wire.WorkerEvidence
	holds    uint64 // the epoch whose keys the gatekeeper has
}

func policy() *wire.Policy {
	return &wire.Policy{
		Role: wire.ROLE_EXECUTOR, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}, MaxAgeBlocks: 50, Measurements: []*wire.Measurement{{Digest: bytes.Repeat([]byte{5}, 32)}},
	}
}

// deserving is a request that is entitled.
func deserving(t testing.TB) *scene {
	t.Helper()
	oneTime, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{
		holds: 1,
		request: &wire.KeyRequest{
			Cluster: 1, Epoch: 1, Roster: 1, Worker: asker(), OneTimeKey: oneTime.PublicKey().Bytes(), IdentityKey: pub(key('w')), Height: height - 2,
		},
		chain: &chain{
			height: height, network: &wire.NetworkParams{Development: true}, executors: policy(),
			set: &wire.GatekeeperSet{Epoch: 1, Threshold: 1, Members: []*wire.GatekeeperMember{{Worker: me(), IdentityKey: pub(key('g'))}}},
		},
		cluster: &wire.Cluster{Id: 1, Epoch: 1, Roster: 1, Quorum: 1, Members: []*wire.WorkerRef{{Operator: "other"}, asker()}},
	}
	s.chain.past.executors = policy()
	id := &wire.WorkerIdentity{
		ChainId: chainID, GenesisHash: make([]byte, 32), IdentityKey: pub(key('w')), SealingKey: make([]byte, seal.PublicKeySize), Worker: asker(),
		Role: wire.ROLE_EXECUTOR, NonceHeight: height - 10, NonceHash: make([]byte, 32),
	}
	s.evidence = &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(policy().Measurements[0].Digest, attest.ReportData(id))}
	s.worker = &wire.Worker{
		Worker: asker(), Role: wire.ROLE_EXECUTOR, IdentityKey: pub(key('w')), RegisteredHeight: height - 9, ExpiryHeight: height + 40, EvidenceHash: wire.Hash(s.evidence),
	}
	s.sign('w')
	return s
}

func (s *scene) sign(name byte) {
	s.request.Signature = ed25519.Sign(key(name), settle.KeyRequestBytes(chainID, s.request))
}

// vouch makes the evidence anew after a change of the identity, and registers it.
func (s *scene) vouch() {
	s.evidence.Evidence = attest.Simulate(bytes.Repeat([]byte{5}, 32), attest.ReportData(s.evidence.Identity))
	s.register()
}

func (s *scene) register() { s.worker.EvidenceHash = wire.Hash(s.evidence) }

// put has a value proven at the height that g works on; nil: its absence.
func (g *Gatekeeper) put(k *wire.StoreKey, m wire.Message, there bool) {
	g.now.want(k)
	g.now.values[id(k)] = nil
	if there {
		g.now.values[id(k)] = wire.Marshal(m)
	}
}

// decided is what a gatekeeper says to the request of a scene.
func (s *scene) decided(t testing.TB, g *Gatekeeper) (*wire.KeyPart, error) {
	t.Helper()
	g.now = newView(lightclient.Header{Height: s.chain.height})
	g.limits.begin()
	g.queue.begin()
	if s.holds != 0 && g.held(s.holds) == nil {
		g.epochs = append(g.epochs, newEpoch(s.holds, map[dprf.Set]*keytree.Secret{0: secret(t, 7)}, nil))
	}
	p := &pending{cluster: 1, worker: asker(), since: s.chain.height, until: s.chain.height + patience}
	g.pending = map[string]*pending{"x": p}
	g.queue.put(p)
	g.put(requestKey(p), s.request, s.request != nil)
	g.put(clusterKey(p), s.cluster, s.cluster != nil)
	g.put(workerKey(asker()), s.worker, s.worker != nil)
	g.put(evidenceKey(asker()), s.evidence, s.evidence != nil)
	for _, o := range g.release(s.chain) {
		if part := o.GetPeer().GetKeyPart(); part != nil {
			return part, nil
		}
		if f := o.GetFailure(); f != nil {
			return nil, errors.New(f.Message)
		}
	}
	return nil, nil
}

func secret(t testing.TB, b byte) *keytree.Secret {
	t.Helper()
	k, err := keytree.NewSecret(bytes.Repeat([]byte{b}, keytree.Size))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEntitled(t *testing.T) {
	if part, err := deserving(t).decided(t, New(config())); part == nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(s *scene)
		why    string
	}{
		"no set":      {func(s *scene) { s.chain.set = nil }, "no epoch"},
		"no worker":   {func(s *scene) { s.worker = nil }, "not registered"},
		"no evidence": {func(s *scene) { s.evidence = nil }, "not the registered one"},
		"no policy":   {func(s *scene) { s.chain.executors = nil }, "no policy"},
		"no cluster":  {func(s *scene) { s.cluster = nil }, "no member"},

		"an empty set":             {func(s *scene) { s.chain.set.Members = nil }, "do not count"},
		"another gatekeeper":       {func(s *scene) { s.chain.set.Members[0].Worker = asker() }, "do not count"},
		"another boot":             {func(s *scene) { s.chain.set.Members[0].IdentityKey = pub(key('h')) }, "do not count"},
		"excluded":                 {func(s *scene) { s.chain.set.Members[0].Fault = wire.MEMBER_FAULT_LOST }, "do not count"},
		"no boot yet":              {func(s *scene) { s.chain.set.Members[0].IdentityKey = nil }, "do not count"},
		"an empty gatekeeper":      {func(s *scene) { s.chain.set.Members[0] = &wire.GatekeeperMember{} }, "do not count"},
		"holds nothing":            {func(s *scene) { s.holds = 0 }, "next border"},
		"another epoch":            {func(s *scene) { s.request.Epoch = 2; s.sign('w') }, "epoch 2"},
		"an epoch to come":         {func(s *scene) { s.cluster.Epoch = 2 }, ""},
		"an epoch long over":       {func(s *scene) { s.chain.set.Epoch, s.cluster.Epoch = 3, 1 }, "grace is over"},
		"no epoch":                 {func(s *scene) { s.request.Epoch, s.cluster.Epoch = 0, 0; s.sign('w') }, "no epoch"},
		"another roster":           {func(s *scene) { s.request.Roster = 2; s.sign('w') }, "roster 2"},
		"a roster behind":          {func(s *scene) { s.cluster.Roster = 2 }, "roster 1"},
		"another cluster":          {func(s *scene) { s.request.Cluster = 2; s.sign('w') }, "no member"},
		"no member":                {func(s *scene) { s.cluster.Members = s.cluster.Members[:1] }, "no member"},
		"nobody is a member":       {func(s *scene) { s.cluster.Members = []*wire.WorkerRef{{}} }, "no member"},
		"no worker named":          {func(s *scene) { s.request.Worker = nil }, "no member"},
		"another slot":             {func(s *scene) { s.request.Worker.Slot = 3 }, "no member"},
		"another worker's record":  {func(s *scene) { s.worker.Worker = me() }, "is of another"},
		"a nameless record":        {func(s *scene) { s.worker.Worker = nil }, "is of another"},
		"an old identity":          {func(s *scene) { s.request.IdentityKey = pub(key('o')); s.sign('o') }, "not the registered one"},
		"no identity anywhere":     {func(s *scene) { s.request.IdentityKey, s.worker.IdentityKey = nil, nil }, "no identity"},
		"half an identity":         {func(s *scene) { s.request.IdentityKey, s.worker.IdentityKey = []byte{1}, []byte{1} }, "no identity"},
		"evidence of nobody":       {func(s *scene) { s.evidence.Identity = nil; s.register() }, "of another identity"},
		"expired":                  {func(s *scene) { s.worker.ExpiryHeight = height }, "ended"},
		"never registered":         {func(s *scene) { s.worker.ExpiryHeight = 0 }, "ended"},
		"registered in a role":     {func(s *scene) { s.worker.Role = wire.ROLE_GATEKEEPER }, "registered as"},
		"unsigned":                 {func(s *scene) { s.request.Signature = nil }, "not signed"},
		"signed by another":        {func(s *scene) { s.sign('o') }, "not signed"},
		"another one-time key":     {func(s *scene) { s.request.OneTimeKey[0] ^= 1 }, "not signed"},
		"half a one-time key":      {func(s *scene) { s.request.OneTimeKey = s.request.OneTimeKey[:40]; s.sign('w') }, "key"},
		"other evidence":           {func(s *scene) { s.worker.EvidenceHash = make([]byte, 32) }, "not the registered one"},
		"no evidence hash":         {func(s *scene) { s.worker.EvidenceHash = nil }, "not the registered one"},
		"evidence of another boot": {func(s *scene) { s.evidence.Identity.IdentityKey = pub(key('o')); s.vouch() }, "of another identity"},
		"evidence of another":      {func(s *scene) { s.evidence.Identity.Worker = me(); s.vouch() }, "of another identity"},
		"evidence without a name":  {func(s *scene) { s.evidence.Identity.Worker = nil; s.vouch() }, "of another identity"},

		"no quote":            {func(s *scene) { s.evidence.Evidence = nil; s.register() }, "incomplete"},
		"production":          {func(s *scene) { s.chain.network.Development = false }, "simulated"},
		"another kind":        {func(s *scene) { s.chain.executors.Kinds = []wire.TeeKind{wire.TEE_KIND_TDX} }, "kind-not-allowed"},
		"struck from policy":  {func(s *scene) { s.chain.executors.Measurements = nil }, "unknown-measurement"},
		"not active yet (P9)": {func(s *scene) { s.chain.executors.Measurements[0].ActivationHeight = height + 1 }, "not-active"},
		"a gatekeeper":        {func(s *scene) { s.evidence.Identity.Role = wire.ROLE_GATEKEEPER; s.vouch() }, "wrong-role"},
		"another chain's":     {func(s *scene) { s.evidence.Identity.ChainId = "x"; s.vouch() }, "wrong-chain"},
		"another genesis": {func(s *scene) {
			s.evidence.Identity.GenesisHash = bytes.Repeat([]byte{1}, 32)
			s.vouch()
		}, "wrong-genesis"},
		"evidence too old": {func(s *scene) { s.chain.executors.MaxAgeBlocks = 10 }, "expired"},
		"evidence ahead":   {func(s *scene) { s.evidence.Identity.NonceHeight = height; s.vouch() }, "nonce-future"},
		"a quote of another": {func(s *scene) {
			s.evidence.Identity.SoftwareVersion = "x"
			s.register()
		}, "report-data"},
		"a broken quote": {func(s *scene) { s.evidence.Evidence.Quote[9] ^= 1; s.register() }, "bad-quote"},

		"the policy was of no kinds (P9)":        {func(s *scene) { s.chain.past.executors.Kinds = nil }, "before the activation delay"},
		"the policy had no such program (P9)":    {func(s *scene) { s.chain.past.executors.Measurements = nil }, "before the activation delay"},
		"the policy took no such age (P9)":       {func(s *scene) { s.chain.past.executors.MaxAgeBlocks = 10 }, "before the activation delay"},
		"there was no policy (P9)":               {func(s *scene) { s.chain.past.executors = nil }, "activation delay before"},
		"the policy let it begin later (P9)":     {func(s *scene) { s.chain.past.executors.Measurements[0].ActivationHeight = height + 5 }, "before the activation delay"},
		"the policy said that it had ended (P9)": {func(s *scene) { s.chain.past.executors.Measurements[0].RetireHeight = height - 5 }, "before the activation delay"},
	} {
		s := deserving(t)
		c.change(s)
		part, err := s.decided(t, New(config()))
		if c.why == "" {
			if part == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if part != nil || err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
	other := config()
	other.ChainID = "another"
	if part, _ := deserving(t).decided(t, New(other)); part != nil {
		t.Error("a request of another chain is answered")
	}
	nameless := config()
	nameless.Worker = func() *wire.WorkerRef { return nil }
	if part, _ := deserving(t).decided(t, New(nameless)); part != nil {
		t.Error("an enclave without a name answers")
	}
}

// A verdict is remembered no longer than it holds, and for no other rules.
func TestVerdictsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *scene)
		why    string
	}{
		"expired since":              {func(s *scene) { s.chain.height += 40; s.worker.ExpiryHeight += 100 }, "expired"},
		"the program was retired":    {func(s *scene) { s.chain.executors.Measurements[0].RetireHeight = height }, "retired"},
		"the policy changed":         {func(s *scene) { s.chain.executors.Kinds = []wire.TeeKind{wire.TEE_KIND_TDX} }, "kind-not-allowed"},
		"the policy before changed":  {func(s *scene) { s.chain.past.executors.Kinds = nil }, "before the activation delay"},
		"other evidence":             {func(s *scene) { s.worker.EvidenceHash = make([]byte, 32) }, "not the registered one"},
		"evidence of other identity": {func(s *scene) { s.worker.IdentityKey = pub(key('o')) }, "of another identity"},
	} {
		g, s := New(config()), deserving(t)
		if part, err := s.decided(t, g); part == nil {
			t.Fatal(err)
		}
		s.evidence.Evidence.Quote = nil // not looked at again
		if part, err := s.decided(t, g); part == nil {
			t.Fatalf("the verdict was not remembered: %v", err)
		}
		s = deserving(t)
		c.change(s)
		if part, err := s.decided(t, g); part != nil || err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
}

// What one worker, or all, may have at one height is bounded, and said.
func TestAnswersAreLimited(t *testing.T) {
	g, s := New(config()), deserving(t)
	if _, err := s.decided(t, g); err != nil {
		t.Fatal(err)
	}
	g.limits.workers[asker().Name()] = perWorker
	p := g.pending["x"]
	p.answered = nil
	g.queue.put(p)
	outs := g.release(s.chain)
	if len(outs) != 1 || outs[0].GetFailure().GetCode() != "rate-limited" || p.answered != nil {
		t.Errorf("%v", outs)
	}
	g.limits.begin()
	g.limits.all = perHeight
	g.queue.put(p)
	if outs := g.release(s.chain); len(outs) != 1 || outs[0].GetFailure().GetCode() != "rate-limited" {
		t.Errorf("%v", outs)
	}
	g.limits.begin()
	g.queue.put(p)
	if outs := g.release(s.chain); len(outs) != 1 || outs[0].GetPeer().GetKeyPart() == nil {
		t.Errorf("at the next height: %v", outs)
	}
	g.queue.put(p)
	if outs := g.release(s.chain); outs != nil {
		t.Errorf("one request is answered twice: %v", outs)
	}
}

func keeper(t testing.TB) *Gatekeeper {
	t.Helper()
	cfg := config()
	cfg.Light = lightclient.New(lightclient.Config{Genesis: genesis(t), Now: time.Now})
	return New(cfg)
}

func genesis(t testing.TB) *light.Genesis {
	t.Helper()
	g, err := light.ParseGenesis([]byte(`{"chain_id":"phala-test","consensus":{"validators":[{"pub_key":{"type":"tendermint/PubKeyEd25519","value":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},"power":"1"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// P9: what lowers the rules stands in the genesis. A chain whose state says so later is still obeyed as one of production.
func TestP09_TheGenesisDecidesWhatIsDevelopment(t *testing.T) {
	for _, development := range []bool{true, false} {
		g := keeper(t)
		from := genesis(t)
		from.Development = development
		g.cfg.Light = lightclient.New(lightclient.Config{Genesis: from, Now: time.Now})
		g.now = newView(lightclient.Header{Height: 10})
		keys := []*wire.StoreKey{networkKey(), policyKey(wire.ROLE_EXECUTOR), policyKey(wire.ROLE_GATEKEEPER), rosterKey(), generationKey(), setKey(), previousKey()}
		if w := g.cfg.Worker(); w != nil {
			keys = append(keys, workerKey(w))
		}
		for _, k := range keys {
			g.now.values[id(k)] = nil
		}
		g.now.values[id(networkKey())] = wire.Marshal(&wire.NetworkParams{Development: true})
		c, err := g.read()
		if err != nil {
			t.Fatal(err)
		}
		if got := attest.ActivationDelay(c.network) == 0; got != development {
			t.Errorf("genesis of development %v: no delay %v", development, got)
		}
	}
}

// Without a verified header nothing is decided, and a host's hints are bounded.
func TestHintsAreBounded(t *testing.T) {
	g := keeper(t)
	for _, h := range []*wire.KeyRequestHint{{}, {Worker: &wire.WorkerRef{Operator: strings.Repeat("x", 1<<10)}}} {
		if outs := g.Hint(h); len(outs) != 1 || outs[0].GetFailure().GetCode() != "ignored" || len(g.pending) != 0 {
			t.Errorf("a hint of nobody: %v", outs)
		}
	}
	for i := range uint64(maxPending + 10) {
		g.Hint(&wire.KeyRequestHint{Cluster: i, Worker: asker()})
	}
	if outs := g.Hint(&wire.KeyRequestHint{Cluster: 1 << 40, Worker: asker()}); len(g.pending) != maxPending || outs != nil {
		t.Errorf("%d hints are kept, another is answered %v after it was said once", len(g.pending), outs)
	}
	if outs := g.Header(); outs != nil {
		t.Errorf("before the first header: %v", outs)
	}
	if outs := g.Values(lightclient.NewFacts(0)); outs != nil {
		t.Errorf("values of no height: %v", outs)
	}
}

// The part opens with the one-time key alone, for its cluster and epoch alone, and is signed.
func TestPartIsForTheOneTimeKey(t *testing.T) {
	g, r := New(config()), deserving(t).request
	e := newEpoch(1, map[dprf.Set]*keytree.Secret{1: secret(t, 1), 2: secret(t, 2)}, nil)
	k, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	r.OneTimeKey = k.PublicKey().Bytes()
	a, err := g.part(e, r)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(pub(key('g')), settle.KeyPartBytes(chainID, a), a.Signature) || !a.Gatekeeper.Is(me()) || !a.Worker.Is(asker()) {
		t.Errorf("part %v", a)
	}
	open := func(at seal.Context, p *wire.KeyPart) ([]byte, error) {
		plain, _, err := seal.Open(k, at, wire.Marshal(p.Gatekeeper), &wire.Envelope{Suite: seal.Suite, Enc: p.Enc, Ciphertext: p.Ciphertext})
		return plain, err
	}
	at := seal.Context{Domain: seal.DomainKeyPart, ChainID: chainID, Cluster: 1, Epoch: 1, Roster: 1}
	one, err := open(at, a)
	if err != nil {
		t.Fatal(err)
	}
	body := &wire.KeyPartBody{}
	if err := wire.Unmarshal(one, body); err != nil || len(body.Parts) != 2 || body.Parts[0].Set != 1 || body.Parts[1].Set != 2 {
		t.Errorf("parts %v: %v", body, err)
	}
	for i, p := range body.Parts {
		for purpose, got := range map[keytree.Purpose][]byte{keytree.ClusterSecret: p.Value, keytree.StateSecret: p.State} {
			if want := dprf.Eval(dprf.Set(i+1), secret(t, byte(i+1)), keytree.Label(purpose, chainID, 1, 1, 1)); !bytes.Equal(got, want.Value) {
				t.Errorf("part %d of %s is not the PRF's", i, purpose)
			}
		}
	}
	at.Cluster = 2
	if _, err := open(at, a); err == nil {
		t.Error("the part opens for another cluster")
	}
	r.Cluster = 2
	b, err := g.part(e, r)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := open(at, b); err != nil || bytes.Equal(one, two) {
		t.Errorf("two clusters, one secret: %v", err)
	}
	if s := fmt.Sprintf("%v %+v", e, e.keys); !strings.Contains(s, "[secret]") || strings.Contains(s, "1 1 1 1") {
		t.Errorf("the key prints: %s", s)
	}
}
