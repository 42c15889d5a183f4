package keepertest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/json"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/phala-go/phala/chain/app/apptest"
	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// vault is a chain with a cluster of three among five executors, whose owner may put its state keys into escrow: two of three custodians.
type vault struct {
	*world
	bs    []*boot
	id    uint64
	terms *wire.EscrowTerms
	keys  []*escrow.Key
}

func newVault(t *testing.T, delay uint64) *vault {
	t.Helper()
	v := &vault{world: newDelayedWorld(t, delay)}
	v.bs = v.executors(5)
	v.id = v.cluster(v.bs[:3])
	v.terms = &wire.EscrowTerms{Cluster: v.id, Threshold: 2}
	for i, name := range []string{"anna", "bert", "cleo"} {
		k, err := escrow.NewKey(bytes.Repeat([]byte{byte(i + 1)}, escrow.SeedSize))
		v.check(err)
		v.keys, v.terms.Custodians = append(v.keys, k), append(v.terms.Custodians, k.Custodian(name))
	}
	return v
}

func (v *vault) state() string {
	v.t.Helper()
	ex, err := v.App.Export(nil)
	v.check(err)
	var modules map[string]json.RawMessage
	v.check(json.Unmarshal(ex.AppState, &modules))
	return string(modules[clustertypes.ModuleName])
}

// refuse wants a message to be refused and nothing to have changed.
func (v *vault) refuse(name string, from apptest.Account, m sdk.Msg, words string) {
	v.t.Helper()
	before := v.state()
	res := v.Deliver(from, m)
	if res.Codespace != clustertypes.ModuleName || res.Code == 0 || !strings.Contains(res.Log, words) {
		v.t.Errorf("%s: got %s/%d %s\nwant %q", name, res.Codespace, res.Code, res.Log, words)
	}
	if v.state() != before {
		v.t.Errorf("%s: it changed the state", name)
	}
}

func (v *vault) consent(terms []byte) *abci.ExecTxResult {
	v.t.Helper()
	return v.MustDeliver(v.Accounts[0], &clustertypes.MsgConsentEscrow{Owner: v.Accounts[0].String(), Cluster: v.id, Terms: terms})
}

func (v *vault) set(t *wire.EscrowTerms) *govv1.Proposal {
	v.t.Helper()
	return v.Govern(&clustertypes.MsgSetEscrow{Authority: authority(), Cluster: v.id, Threshold: t.GetThreshold(), Custodians: t.GetCustodians()})
}

// inForce has the owner consent and governance decide.
func (v *vault) inForce() {
	v.t.Helper()
	v.consent(escrow.TermsHash(v.terms))
	if p := v.set(v.terms); p.Status != govv1.StatusPassed {
		v.t.Fatalf("%s: %s", p.Status, p.FailedReason)
	}
}

func (v *vault) escrow() *clustertypes.QueryEscrowResponse {
	v.t.Helper()
	var res clustertypes.QueryEscrowResponse
	v.check(v.Query("/phala.cluster.v1.Query/Escrow", &clustertypes.QueryEscrowRequest{Cluster: v.id}, &res))
	return &res
}

// deal is of a key that is one byte over and over, by a member, of the label in force.
func (v *vault) deal(by *boot, key byte) *wire.EscrowDeal {
	v.t.Helper()
	s, err := keytree.NewSecret(bytes.Repeat([]byte{key}, keytree.Size))
	v.check(err)
	c, err := v.App.ClusterKeeper.Cluster(v.Ctx(), v.id)
	v.check(err)
	d, err := escrow.Deal(v.Genesis.ChainID, v.terms, c.Epoch, c.Roster, s)
	v.check(err)
	d.Worker = by.ref
	v.signDeal(by, d)
	return d
}

func (v *vault) signDeal(by *boot, d *wire.EscrowDeal) {
	d.Signature = ed25519.Sign(by.key, escrow.DealBytes(v.Genesis.ChainID, d))
}

func (v *vault) dealt(d *wire.EscrowDeal) sdk.Msg {
	return &clustertypes.MsgEscrowStateKey{Sender: v.Accounts[3].String(), Deal: d}
}

func (v *vault) request(by *boot) (*wire.EscrowRequest, hpke.PrivateKey) {
	v.t.Helper()
	one, err := hpke.MLKEM768X25519().GenerateKey()
	v.check(err)
	r := &wire.EscrowRequest{Cluster: v.id, Worker: by.ref, OneTimeKey: one.PublicKey().Bytes(), IdentityKey: by.public()}
	v.signRequest(by, r)
	return r, one
}

func (v *vault) signRequest(by *boot, r *wire.EscrowRequest) {
	r.Signature = ed25519.Sign(by.key, escrow.RequestBytes(v.Genesis.ChainID, r))
}

func (v *vault) asks(r *wire.EscrowRequest) sdk.Msg {
	return &clustertypes.MsgRequestEscrow{Sender: v.Accounts[3].String(), Request: r}
}

// share is custodian i's of deal n for a request.
func (v *vault) share(i uint32, d *wire.EscrowDeal, n uint32, r *wire.EscrowRequest) *wire.EscrowShare {
	v.t.Helper()
	s, err := v.keys[i].OpenDealt(v.Genesis.ChainID, d, i)
	v.check(err)
	a, err := v.keys[i].Answer(v.Genesis.ChainID, d, n, i, s, r)
	v.check(err)
	return a
}

func (v *vault) answers(s *wire.EscrowShare) sdk.Msg {
	return &clustertypes.MsgEscrowShare{Sender: v.Accounts[3].String(), Share: s}
}

// proven is what an enclave or a custodian reads by proof.
func (v *vault) proven(key []byte, m wire.Message) bool {
	v.t.Helper()
	r := v.Prove(storekey.Cluster, key)
	if len(r.Value) == 0 {
		return false
	}
	v.check(wire.Unmarshal(r.Value, m))
	return true
}

// An escrow needs the owner's consent to exactly these terms and governance's word, and either ends it.
func TestEscrowNeedsOwnerAndGovernance(t *testing.T) {
	const delay = 30
	v := newVault(t, delay)
	owner, hash := v.Accounts[0], escrow.TermsHash(v.terms)
	set := &clustertypes.MsgSetEscrow{Authority: owner.String(), Cluster: v.id, Threshold: 2, Custodians: v.terms.Custodians}
	v.refuse("the owner decides", owner, set, "governance")
	v.refuse("a stranger consents", v.Accounts[2], &clustertypes.MsgConsentEscrow{Owner: v.Accounts[2].String(), Cluster: v.id, Terms: hash}, "its owner's")
	v.refuse("no such cluster", owner, &clustertypes.MsgConsentEscrow{Owner: owner.String(), Cluster: 9, Terms: hash}, "9")
	v.refuse("terms in clear", owner, &clustertypes.MsgConsentEscrow{Owner: owner.String(), Cluster: v.id, Terms: []byte("two of three")}, "SHA-256")
	fails := func(name string, terms *wire.EscrowTerms, words string) {
		t.Helper()
		before := v.state()
		if p := v.set(terms); p.Status != govv1.StatusFailed || !strings.Contains(p.FailedReason, words) {
			t.Errorf("%s: %s %s", name, p.Status, p.FailedReason)
		}
		if v.state() != before {
			t.Errorf("%s: it changed the state", name)
		}
	}
	fails("no consent", v.terms, "has not consented")
	v.event(v.consent(hash), clustertypes.EventEscrowConsent, clustertypes.AttributeOwner, owner.String())
	other := &wire.EscrowTerms{Cluster: v.id, Threshold: 3, Custodians: v.terms.Custodians}
	fails("other terms", other, "has not consented")
	fails("one is enough", &wire.EscrowTerms{Threshold: 1, Custodians: v.terms.Custodians}, "at least 2")
	fails("no escrow to end", nil, "no escrow")
	if v.escrow().Escrow != nil {
		t.Fatal("there is an escrow")
	}

	v.inForce()
	at := v.escrow().Escrow
	c := &wire.Cluster{}
	if e := (&wire.KeyEscrow{}); !v.proven(storekey.KeyEscrowKey(v.id), e) || !bytes.Equal(wire.Marshal(e), wire.Marshal(at)) {
		t.Error("enclaves read another escrow")
	}
	if !v.proven(storekey.ClusterKey(v.id), c) || c.EscrowHeight != at.ApprovedHeight || at.FromHeight != at.ApprovedHeight+delay || !bytes.Equal(c.EscrowConsent, hash) {
		t.Errorf("escrow %+v, cluster %+v", at, c)
	}
	v.refuse("before the delay", v.Accounts[3], v.dealt(v.deal(v.bs[0], 1)), "not in escrow at height")
	for uint64(v.Height)+1 < at.FromHeight {
		v.Blocks(1)
	}
	v.MustDeliver(v.Accounts[3], v.dealt(v.deal(v.bs[0], 1)))
	v.consent(hash) // again: nothing ends
	if e := v.escrow().Escrow; len(e.GetLabels()) != 1 {
		t.Fatalf("escrow %+v", e)
	}

	// The owner ends it, with everything that was dealt; and governance alone does not bring it back.
	v.event(v.consent(nil), clustertypes.EventEscrowEnded, clustertypes.AttributeSender, owner.String())
	v.gone()
	fails("consent withdrawn", v.terms, "has not consented")
	// Governance ends it.
	v.inForce()
	if p := v.set(nil); p.Status != govv1.StatusPassed {
		t.Errorf("governance cannot end it: %s", p.FailedReason)
	}
	v.gone()
	// Consent to other terms ends it too.
	v.inForce()
	v.consent(escrow.TermsHash(other))
	v.gone()
}

// gone wants nothing of an escrow to be left.
func (v *vault) gone() {
	v.t.Helper()
	var g clustertypes.GenesisState
	v.check(v.App.Codec.UnmarshalJSON([]byte(v.state()), &g))
	if len(g.KeyEscrows)+len(g.EscrowDeals)+len(g.EscrowRequests)+len(g.EscrowShares) != 0 || g.Clusters[0].EscrowHeight != 0 {
		v.t.Errorf("something is left: %d escrows, %d deals, %d requests, %d shares", len(g.KeyEscrows), len(g.EscrowDeals), len(g.EscrowRequests), len(g.EscrowShares))
	}
}

func TestDealsOfStateKeys(t *testing.T) {
	v := newVault(t, 0)
	v.refuse("no escrow", v.Accounts[3], v.dealt(v.deal(v.bs[0], 1)), "not in escrow")
	v.inForce()
	anew := func(by *boot, key byte, f func(*wire.EscrowDeal)) *wire.EscrowDeal {
		d := v.deal(by, key)
		f(d)
		v.signDeal(by, d)
		return d
	}
	keep := func(*wire.EscrowDeal) {}
	for name, c := range map[string]struct {
		by    *boot
		f     func(*wire.EscrowDeal)
		words string
	}{
		"a stranger":       {v.bs[3], keep, "no member"},
		"as a member":      {v.bs[3], func(d *wire.EscrowDeal) { d.Worker = v.bs[1].ref }, "not signed by the identity"},
		"unregistered":     {v.bs[0], func(d *wire.EscrowDeal) { d.Worker = &wire.WorkerRef{Operator: "x", Slot: 7} }, "no member"},
		"another epoch":    {v.bs[0], func(d *wire.EscrowDeal) { d.Epoch = 2 }, "epoch 2 roster 1"},
		"no epoch":         {v.bs[0], func(d *wire.EscrowDeal) { d.Epoch = 0 }, "epoch 0"},
		"another roster":   {v.bs[0], func(d *wire.EscrowDeal) { d.Roster = 2 }, "roster 2"},
		"other terms":      {v.bs[0], func(d *wire.EscrowDeal) { d.Terms = make([]byte, 32) }, "other terms"},
		"another cluster":  {v.bs[0], func(d *wire.EscrowDeal) { d.Cluster = 9 }, "9"},
		"no check":         {v.bs[0], func(d *wire.EscrowDeal) { d.Check = nil }, "check value"},
		"a share less":     {v.bs[0], func(d *wire.EscrowDeal) { d.Shares, d.Sealed = d.Shares[1:], d.Sealed[1:] }, "2 commitments"},
		"a long share":     {v.bs[0], func(d *wire.EscrowDeal) { d.Sealed[1].Ciphertext = make([]byte, 1<<16) }, "share 1"},
		"no envelope":      {v.bs[0], func(d *wire.EscrowDeal) { d.Sealed[1] = &wire.Envelope{} }, "share 1"},
		"a bad commitment": {v.bs[0], func(d *wire.EscrowDeal) { d.Shares[2] = d.Shares[2][1:] }, "commitment 2"},
	} {
		v.refuse(name, v.Accounts[3], v.dealt(anew(c.by, 1, c.f)), c.words)
	}
	forged := v.deal(v.bs[0], 1)
	forged.Check[0] ^= 1
	v.refuse("changed on its way", v.Accounts[3], v.dealt(forged), "not signed by the identity")
	v.refuse("nothing", v.Accounts[3], v.dealt(&wire.EscrowDeal{}), "cluster 0")
	v.refuse("of nobody", v.Accounts[3], v.dealt(&wire.EscrowDeal{Cluster: v.id}), "no worker")

	res := v.MustDeliver(v.Accounts[3], v.dealt(v.deal(v.bs[1], 1)))
	v.event(res, clustertypes.EventEscrowDealt, clustertypes.AttributeWorker, v.bs[1].ref.Name(), clustertypes.AttributeDeal, "0")
	v.refuse("the same by another", v.Accounts[3], v.dealt(v.deal(v.bs[0], 1)), "one deal is enough")
	v.refuse("another by the same", v.Accounts[3], v.dealt(v.deal(v.bs[1], 2)), "one deal is enough")
	v.MustDeliver(v.Accounts[3], v.dealt(v.deal(v.bs[0], 2))) // one of the two lies: both are kept
	v.MustDeliver(v.Accounts[3], v.dealt(v.deal(v.bs[2], 3)))
	if l := v.escrow().Escrow.Labels; len(l) != 1 || l[0].Deals != escrow.MaxDeals {
		t.Errorf("labels %v", l)
	}
	var d wire.EscrowDeal
	if !v.proven(storekey.EscrowDealKey(v.id, 1, 1, 2), &d) || !d.Worker.Is(v.bs[2].ref) || d.Height != uint64(v.Height) {
		t.Errorf("deal 2 is %s's, of height %d", d.Worker.Name(), d.Height)
	}
}

// The newest two labels are kept, and the one that the newest batch was made under.
func TestOldDealsAreDropped(t *testing.T) {
	v := newVault(t, 0)
	v.inForce()
	v.input(v.Accounts[2], v.id, "")
	if res := v.commit(sign(v.batch(v.id), v.bs, 0, 1)); res.Code != 0 {
		t.Fatal(res.Log)
	}
	members := v.bs[:3]
	kept := func(want ...uint64) {
		t.Helper()
		var got []uint64
		for _, l := range v.escrow().Escrow.Labels {
			got = append(got, l.Roster)
		}
		for roster := uint64(1); roster < 9; roster++ {
			there := v.proven(storekey.EscrowDealKey(v.id, 1, roster, 0), &wire.EscrowDeal{})
			if listed := bytes.Contains(wide(got), wide([]uint64{roster})); listed != there {
				t.Errorf("roster %d: listed %v, kept %v", roster, listed, there)
			}
		}
		if !bytes.Equal(wide(got), wide(want)) {
			t.Errorf("kept are rosters %d, want %d", got, want)
		}
	}
	for roster := 1; roster <= 5; roster++ {
		v.MustDeliver(v.Accounts[3], v.dealt(v.deal(members[0], byte(roster))))
		switch roster {
		case 2:
			kept(1, 2)
		case 3:
			kept(1, 2, 3)
		case 5:
			kept(1, 4, 5)
		}
		in, out := v.bs[3], v.bs[2]
		if roster%2 == 0 {
			in, out = out, in
		}
		v.MustDeliver(v.Accounts[0], &clustertypes.MsgUpdateMembers{Authority: v.Accounts[0].String(), Cluster: v.id, Add: refs([]*boot{in}), Remove: refs([]*boot{out})})
	}
}

func wide(ns []uint64) (out []byte) {
	for _, n := range ns {
		out = append(out, byte(n))
	}
	return out
}

func TestRequestsToCustodiansAndTheirShares(t *testing.T) {
	v := newVault(t, 0)
	r, one := v.request(v.bs[0])
	v.refuse("no escrow", v.Accounts[3], v.asks(r), "no escrow")
	v.inForce()
	d := v.deal(v.bs[1], 1)
	v.MustDeliver(v.Accounts[3], v.dealt(d))
	v.refuse("nobody has asked", v.Accounts[3], v.answers(v.share(0, d, 0, r)), "has not asked")
	for name, c := range map[string]struct {
		by    *boot
		f     func(*wire.EscrowRequest)
		words string
	}{
		"a stranger":       {v.bs[3], func(*wire.EscrowRequest) {}, "no member"},
		"as a member":      {v.bs[3], func(r *wire.EscrowRequest) { r.Worker = v.bs[0].ref }, "not the registered one"},
		"another identity": {v.bs[0], func(r *wire.EscrowRequest) { r.IdentityKey = v.bs[3].public() }, "not signed"},
		"no key":           {v.bs[0], func(r *wire.EscrowRequest) { r.OneTimeKey = nil }, ""},
		"no cluster":       {v.bs[0], func(r *wire.EscrowRequest) { r.Cluster = 9 }, "9"},
		"of nobody":        {v.bs[0], func(r *wire.EscrowRequest) { r.Worker = nil }, "no worker"},
	} {
		bad, _ := v.request(c.by)
		c.f(bad)
		v.signRequest(c.by, bad)
		v.refuse(name, v.Accounts[3], v.asks(bad), c.words)
	}
	v.event(v.MustDeliver(v.Accounts[3], v.asks(r)), clustertypes.EventEscrowRequested, clustertypes.AttributeWorker, v.bs[0].ref.Name())

	good := func() *wire.EscrowShare { return v.share(0, d, 0, r) }
	other, _ := v.request(v.bs[1])
	newer, _ := v.request(v.bs[0])
	for name, c := range map[string]struct {
		share *wire.EscrowShare
		words string
	}{
		"who has not asked":   {v.share(0, d, 0, other), "has not asked"},
		"another request":     {v.share(0, d, 0, newer), "another request"},
		"a deal not made":     {v.share(0, d, 1, r), "is not kept"},
		"an unknown epoch":    {func() *wire.EscrowShare { s := good(); s.Epoch++; return s }(), "is not kept"},
		"no such custodian":   {func() *wire.EscrowShare { s := good(); s.Custodian = 3; return s }(), "custodian 3 of 3"},
		"another's signature": {func() *wire.EscrowShare { s := good(); s.Custodian = 1; return s }(), "bert has not signed"},
		"changed on its way":  {func() *wire.EscrowShare { s := good(); s.Sealed.Ciphertext[0] ^= 1; return s }(), "anna has not signed"},
		"of nobody":           {func() *wire.EscrowShare { s := good(); s.Worker = nil; return s }(), "nobody"},
		"no escrow":           {&wire.EscrowShare{Cluster: 7, Worker: v.bs[0].ref}, "7"},
	} {
		v.refuse(name, v.Accounts[3], v.answers(c.share), c.words)
	}
	res := v.MustDeliver(v.Accounts[3], v.answers(good()))
	v.event(res, clustertypes.EventEscrowShare, clustertypes.AttributeCustodian, "anna", clustertypes.AttributeWorker, v.bs[0].ref.Name())
	v.MustDeliver(v.Accounts[3], v.answers(v.share(2, d, 0, r)))
	got := map[uint32]*escrow.Share{}
	for _, i := range []uint32{0, 2} {
		s := &wire.EscrowShare{}
		if !v.proven(storekey.EscrowShareKey(v.id, v.bs[0].ref.Operator, v.bs[0].ref.Slot, 1, 1, 0, i), s) {
			t.Fatalf("custodian %d's share is not there", i)
		}
		var err error
		got[i], err = escrow.OpenAnswer(v.Genesis.ChainID, v.terms, d, one, s)
		v.check(err)
	}
	if _, err := escrow.Combine(v.Genesis.ChainID, v.terms, d, got); err != nil {
		t.Error(err)
	}

	// A newer request ends what answered the one before, and who is removed is answered by nobody.
	v.MustDeliver(v.Accounts[3], v.asks(newer))
	if v.proven(storekey.EscrowShareKey(v.id, v.bs[0].ref.Operator, v.bs[0].ref.Slot, 1, 1, 0, 0), &wire.EscrowShare{}) {
		t.Error("a share for the request before is kept")
	}
	late := v.share(0, d, 0, newer)
	v.MustDeliver(v.Accounts[0], &clustertypes.MsgUpdateMembers{Authority: v.Accounts[0].String(), Cluster: v.id, Add: refs(v.bs[3:4]), Remove: refs(v.bs[:1])})
	v.refuse("who is a member no more", v.Accounts[3], v.answers(late), "no member")
	// Another boot of a member has not asked.
	r, _ = v.request(v.bs[1])
	v.MustDeliver(v.Accounts[3], v.asks(r))
	late = v.share(1, d, 0, r)
	again := newBoot(v.Accounts[0], v.bs[1].ref.Slot, wire.ROLE_EXECUTOR, "another boot")
	v.register(v.Accounts[0], again)
	v.refuse("another boot", v.Accounts[3], v.answers(late), "not the registered one")
}

// What is in escrow, asked and answered is exported, and goes on from there; a genesis that contradicts itself is refused.
func TestEscrowSurvivesExport(t *testing.T) {
	v := newVault(t, 0)
	v.inForce()
	d := v.deal(v.bs[0], 1)
	v.MustDeliver(v.Accounts[3], v.dealt(d))
	v.MustDeliver(v.Accounts[3], v.dealt(v.deal(v.bs[1], 2)))
	r, _ := v.request(v.bs[2])
	v.MustDeliver(v.Accounts[3], v.asks(r))
	v.MustDeliver(v.Accounts[3], v.answers(v.share(1, d, 0, r)))
	ex, err := v.App.Export(nil)
	v.check(err)
	gen := *v.Genesis
	gen.AppState, gen.InitialHeight, gen.GenesisTime = ex.AppState, ex.Height, v.Time
	gen.Consensus = genutiltypes.NewConsensusGenesis(ex.ConsensusParams, ex.Validators)
	v.check(gen.ValidateAndComplete())
	before, accounts := v.state(), v.Accounts
	v.world = &world{apptest.FromGenesis(t, &gen), t}
	v.Accounts = accounts
	if after := v.state(); before != after {
		t.Errorf("exported\n%s\nthen\n%s", before, after)
	}
	v.Blocks(1)
	v.refuse("the same again", v.Accounts[3], v.dealt(v.deal(v.bs[2], 1)), "one deal is enough")
	v.MustDeliver(v.Accounts[3], v.answers(v.share(0, d, 0, r)))

	for name, f := range map[string]func(*clustertypes.GenesisState){
		"no record":         func(g *clustertypes.GenesisState) { g.KeyEscrows = nil },
		"twice":             func(g *clustertypes.GenesisState) { g.KeyEscrows = append(g.KeyEscrows, g.KeyEscrows[0]) },
		"no consent":        func(g *clustertypes.GenesisState) { g.Clusters[0].EscrowConsent = nil },
		"another height":    func(g *clustertypes.GenesisState) { g.Clusters[0].EscrowHeight++ },
		"a deal less":       func(g *clustertypes.GenesisState) { g.EscrowDeals = g.EscrowDeals[1:] },
		"a deal more":       func(g *clustertypes.GenesisState) { g.EscrowDeals = append(g.EscrowDeals, g.EscrowDeals[0]) },
		"an empty deal":     func(g *clustertypes.GenesisState) { g.EscrowDeals[0] = nil },
		"an unlisted label": func(g *clustertypes.GenesisState) { g.KeyEscrows[0].Labels = nil },
		"other terms":       func(g *clustertypes.GenesisState) { g.EscrowDeals[0].Terms = nil },
		"nobody asked":      func(g *clustertypes.GenesisState) { g.EscrowRequests = nil },
		"of no cluster":     func(g *clustertypes.GenesisState) { g.EscrowRequests[0].Cluster = 9 },
		"an empty share":    func(g *clustertypes.GenesisState) { g.EscrowShares[0] = nil },
	} {
		var g clustertypes.GenesisState
		v.check(v.App.Codec.UnmarshalJSON([]byte(before), &g))
		v.check(g.Validate())
		f(&g)
		if err := g.Validate(); err == nil || !errorsmod.IsOf(err, clustertypes.ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
