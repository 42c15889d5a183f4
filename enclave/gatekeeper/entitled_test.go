package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
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

// deserving is a request that is entitled.
func deserving(t testing.TB) *facts {
	t.Helper()
	oneTime, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	measurement := bytes.Repeat([]byte{5}, 32)
	c := &facts{
		request: &wire.KeyRequest{
			Cluster: 1, Epoch: 1, Roster: 1, Worker: asker(), OneTimeKey: oneTime.PublicKey().Bytes(), IdentityKey: pub(key('w')), Height: height - 2,
		},
		set: &wire.GatekeeperSet{Epoch: 1, Threshold: 1, Members: []*wire.GatekeeperMember{{Worker: me(), IdentityKey: pub(key('g'))}}},
		policy: &wire.Policy{
			Role: wire.ROLE_EXECUTOR, Kinds: []wire.TeeKind{wire.TEE_KIND_SIMULATED}, MaxAgeBlocks: 50, Measurements: []*wire.Measurement{{Digest: measurement}},
		},
		network: &wire.NetworkParams{Development: true},
		cluster: &wire.Cluster{Id: 1, Epoch: 1, Roster: 1, Quorum: 1, Members: []*wire.WorkerRef{{Operator: "other"}, asker()}},
	}
	id := &wire.WorkerIdentity{
		ChainId: chainID, GenesisHash: make([]byte, 32), IdentityKey: pub(key('w')), SealingKey: make([]byte, seal.PublicKeySize), Worker: asker(),
		Role: wire.ROLE_EXECUTOR, NonceHeight: height - 10, NonceHash: make([]byte, 32),
	}
	c.evidence = &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(measurement, attest.ReportData(id))}
	c.worker = &wire.Worker{
		Worker: asker(), Role: wire.ROLE_EXECUTOR, IdentityKey: pub(key('w')), RegisteredHeight: height - 9, ExpiryHeight: height + 40, EvidenceHash: wire.Hash(c.evidence),
	}
	sign(c, 'w')
	return c
}

func sign(c *facts, name byte) {
	c.request.Signature = ed25519.Sign(key(name), settle.KeyRequestBytes(chainID, c.request))
}

// vouch makes the evidence anew after a change of the identity, and registers it.
func vouch(c *facts) {
	c.evidence.Evidence = attest.Simulate(bytes.Repeat([]byte{5}, 32), attest.ReportData(c.evidence.Identity))
	c.worker.EvidenceHash = wire.Hash(c.evidence)
}

func TestEntitled(t *testing.T) {
	if err := deserving(t).entitled(config(), height); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(c *facts)
		why    string
	}{
		"no set":      {func(c *facts) { c.set = nil }, "not on the chain"},
		"no worker":   {func(c *facts) { c.worker = nil }, "not on the chain"},
		"no evidence": {func(c *facts) { c.evidence = nil }, "not on the chain"},
		"no policy":   {func(c *facts) { c.policy = nil }, "not on the chain"},
		"no cluster":  {func(c *facts) { c.cluster = nil }, "not on the chain"},

		"an empty set":             {func(c *facts) { c.set.Members = nil }, "this version serves one"},
		"two gatekeepers":          {func(c *facts) { c.set.Members = append(c.set.Members, c.set.Members[0]) }, "this version serves one"},
		"a threshold of two":       {func(c *facts) { c.set.Threshold = 2 }, "this version serves one"},
		"no threshold":             {func(c *facts) { c.set.Threshold = 0 }, "this version serves one"},
		"another gatekeeper":       {func(c *facts) { c.set.Members[0].Worker = asker() }, "another boot"},
		"another boot":             {func(c *facts) { c.set.Members[0].IdentityKey = pub(key('h')) }, "another boot"},
		"no boot yet":              {func(c *facts) { c.set.Members[0].IdentityKey = nil }, "another boot"},
		"an empty gatekeeper":      {func(c *facts) { c.set.Members[0] = &wire.GatekeeperMember{} }, "another boot"},
		"another epoch":            {func(c *facts) { c.request.Epoch = 2; sign(c, 'w') }, "epoch 2"},
		"an epoch behind":          {func(c *facts) { c.set.Epoch, c.cluster.Epoch = 2, 2 }, "epoch 1"},
		"a set ahead":              {func(c *facts) { c.set.Epoch = 2 }, "gatekeepers 2"},
		"another roster":           {func(c *facts) { c.request.Roster = 2; sign(c, 'w') }, "roster 2"},
		"a roster behind":          {func(c *facts) { c.cluster.Roster = 2 }, "roster 1"},
		"another cluster":          {func(c *facts) { c.request.Cluster = 2; sign(c, 'w') }, "no member"},
		"no member":                {func(c *facts) { c.cluster.Members = c.cluster.Members[:1] }, "no member"},
		"nobody is a member":       {func(c *facts) { c.cluster.Members = []*wire.WorkerRef{nil} }, "no member"},
		"no worker named":          {func(c *facts) { c.request.Worker = nil }, "no member"},
		"another slot":             {func(c *facts) { c.request.Worker.Slot = 3 }, "no member"},
		"another worker's record":  {func(c *facts) { c.worker.Worker = me() }, "not the registered one"},
		"a nameless record":        {func(c *facts) { c.worker.Worker = nil }, "not the registered one"},
		"an old identity":          {func(c *facts) { c.request.IdentityKey = pub(key('o')); sign(c, 'o') }, "not the registered one"},
		"no identity anywhere":     {func(c *facts) { c.request.IdentityKey, c.worker.IdentityKey = nil, nil }, "no identity"},
		"half an identity":         {func(c *facts) { c.request.IdentityKey, c.worker.IdentityKey = []byte{1}, []byte{1} }, "no identity"},
		"evidence of nobody":       {func(c *facts) { c.evidence.Identity = nil; c.worker.EvidenceHash = wire.Hash(c.evidence) }, "no identity"},
		"expired":                  {func(c *facts) { c.worker.ExpiryHeight = height }, "ended"},
		"never registered":         {func(c *facts) { c.worker.ExpiryHeight = 0 }, "ended"},
		"unsigned":                 {func(c *facts) { c.request.Signature = nil }, "not signed"},
		"signed by another":        {func(c *facts) { sign(c, 'o') }, "not signed"},
		"another one-time key":     {func(c *facts) { c.request.OneTimeKey[0] ^= 1 }, "not signed"},
		"other evidence":           {func(c *facts) { c.worker.EvidenceHash = make([]byte, 32) }, "not the registered one"},
		"no evidence hash":         {func(c *facts) { c.worker.EvidenceHash = nil }, "not the registered one"},
		"evidence of another boot": {func(c *facts) { c.evidence.Identity.IdentityKey = pub(key('o')); vouch(c) }, "of another identity"},
		"evidence of another":      {func(c *facts) { c.evidence.Identity.Worker = me(); vouch(c) }, "of another identity"},
		"evidence without a name":  {func(c *facts) { c.evidence.Identity.Worker = nil; vouch(c) }, "of another identity"},

		"no quote":            {func(c *facts) { c.evidence.Evidence = nil; c.worker.EvidenceHash = wire.Hash(c.evidence) }, "incomplete"},
		"no network":          {func(c *facts) { c.network = nil }, "not on the chain"},
		"production":          {func(c *facts) { c.network.Development = false }, "simulated"},
		"another kind":        {func(c *facts) { c.policy.Kinds = []wire.TeeKind{wire.TEE_KIND_TDX} }, "kind-not-allowed"},
		"struck from policy":  {func(c *facts) { c.policy.Measurements = nil }, "unknown-measurement"},
		"not active yet (P9)": {func(c *facts) { c.policy.Measurements[0].ActivationHeight = height + 1 }, "not-active"},
		"a gatekeeper":        {func(c *facts) { c.evidence.Identity.Role = wire.ROLE_GATEKEEPER; vouch(c) }, "wrong-role"},
		"another chain's":     {func(c *facts) { c.evidence.Identity.ChainId = "x"; vouch(c) }, "wrong-chain"},
		"another genesis":     {func(c *facts) { c.evidence.Identity.GenesisHash = bytes.Repeat([]byte{1}, 32); vouch(c) }, "wrong-genesis"},
		"evidence too old":    {func(c *facts) { c.policy.MaxAgeBlocks = 10 }, "expired"},
		"evidence ahead":      {func(c *facts) { c.evidence.Identity.NonceHeight = height; vouch(c) }, "nonce-future"},
		"a quote of another": {func(c *facts) {
			c.evidence.Identity.SoftwareVersion = "x"
			c.worker.EvidenceHash = wire.Hash(c.evidence)
		}, "report-data"},
		"a broken quote": {func(c *facts) { c.evidence.Evidence.Quote[9] ^= 1; c.worker.EvidenceHash = wire.Hash(c.evidence) }, "bad-quote"},
	} {
		f := deserving(t)
		c.change(f)
		if err := f.entitled(config(), height); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
	other := config()
	other.ChainID = "another"
	if err := deserving(t).entitled(other, height); err == nil {
		t.Error("a request of another chain is answered")
	}
	nameless := config()
	nameless.Worker = func() *wire.WorkerRef { return nil }
	if err := deserving(t).entitled(nameless, height); err == nil {
		t.Error("an enclave without a name answers")
	}
}

// proven puts facts as the chain would prove them.
func proven(p *pending, h uint64, c *facts) lightclient.Facts {
	k := p.keys()
	pairs := []any{k[0], c.request, k[1], c.set, k[2], c.worker, k[3], c.evidence, k[4], c.policy, k[5], c.network, k[6], c.cluster}
	if c.request == nil {
		pairs[1] = nil
	}
	return lightclient.NewFacts(h, pairs...)
}

func keeper(t testing.TB) *Gatekeeper {
	t.Helper()
	cfg := config()
	cfg.Light = lightclient.New(lightclient.Config{Genesis: genesis(t), Now: time.Now})
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func genesis(t testing.TB) *light.Genesis {
	t.Helper()
	g, err := light.ParseGenesis([]byte(`{"chain_id":"phala-test","consensus":{"validators":[{"pub_key":{"type":"tendermint/PubKeyEd25519","value":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},"power":"1"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Without a verified header nothing is decided, and a host's hints are bounded.
func TestHintsAreBounded(t *testing.T) {
	g := keeper(t)
	if g.Hint(&wire.KeyRequestHint{}) != nil || g.Hint(&wire.KeyRequestHint{Worker: &wire.WorkerRef{Operator: strings.Repeat("x", 1<<10)}}) != nil || len(g.pending) != 0 {
		t.Error("a hint of nobody is kept")
	}
	for i := range uint64(maxPending + 10) {
		g.Hint(&wire.KeyRequestHint{Cluster: i, Worker: asker()})
	}
	if len(g.pending) != maxPending {
		t.Errorf("%d hints are kept", len(g.pending))
	}
	if outs := g.Header(); outs != nil {
		t.Errorf("before the first header: %v", outs)
	}
}

func TestValuesBeforeAFreshHeader(t *testing.T) {
	g := keeper(t)
	g.Hint(&wire.KeyRequestHint{Cluster: 1, Worker: asker()})
	p := g.pending["1/"+asker().Name()]
	outs := g.Values(proven(p, 0, deserving(t)))
	if len(outs) != 1 || !strings.Contains(outs[0].GetFailure().GetMessage(), "no header") {
		t.Errorf("%v", outs)
	}
	if outs := g.Values(proven(p, 7, deserving(t))); outs != nil {
		t.Errorf("values of another height: %v", outs)
	}
	c := deserving(t)
	c.request = nil
	if outs := g.Values(proven(p, 0, c)); outs != nil {
		t.Errorf("no request on the chain: %v", outs)
	}
	if outs := g.Values(lightclient.NewFacts(0)); outs != nil {
		t.Errorf("no values: %v", outs)
	}
}

// The part opens with the one-time key alone, for its cluster and epoch alone, and is signed.
func TestPartIsForTheOneTimeKey(t *testing.T) {
	g := keeper(t)
	c := deserving(t)
	k, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c.request.OneTimeKey = k.PublicKey().Bytes()
	a, err := g.part(c)
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
	at.Cluster = 2
	if _, err := open(at, a); err == nil {
		t.Error("the part opens for another cluster")
	}
	c.request.Cluster = 2
	b, err := g.part(c)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := open(at, b); err != nil || bytes.Equal(one, two) {
		t.Errorf("two clusters, one secret: %v", err)
	}
	c.request.OneTimeKey = c.request.OneTimeKey[:40]
	if _, err := g.part(c); err == nil {
		t.Error("half a one-time key is sealed to")
	}
	if s := fmt.Sprintf("%v %+v", g.keys, g.keys); !strings.Contains(s, "[secret]") && strings.Contains(s, "[") && len(s) > 400 {
		t.Errorf("the key prints: %s", s)
	}
}
