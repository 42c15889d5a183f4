// Package gatekeeper holds parts of the network's keys and gives them to enclaves that have earned them. With the other gatekeepers
// it makes new keys in every epoch (core/dprf/generation), over the chain. Each decision rests on facts proven at one fresh height;
// the record of a request is on the chain before its answer leaves. It must never write a key anywhere, nor let one leave but sealed
// to a one-time key, nor keep one past the grace of its epoch.
package gatekeeper

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// lag is how many headers what is being proven may be behind before all is asked for anew: a host that cannot keep up is not asked
// more for it, and one that withholds an answer gains no more than that.
const lag = 3

// Config of a Gatekeeper; every field but Random and Tamper is required.
type Config struct {
	ChainID     string
	GenesisHash []byte
	Identity    ed25519.PrivateKey
	Worker      func() *wire.WorkerRef // nil until the enclave has been told its name
	Light       *lightclient.Client
	Random      io.Reader // default crypto/rand's
	// Tamper makes a liar of what it contributes to a generation. Only the tests' own binary sets it.
	Tamper func(*wire.Contribution)
}

// Gatekeeper is not safe for concurrent use.
type Gatekeeper struct {
	cfg  Config
	now  *view // at the newest height that is worked on
	past *view // an activation delay before; nil: there is no such header

	state    *chain   // what now says, once its base has been proven
	ready    bool     // and what the chain said an activation delay before
	epochs   []*epoch // held, ascending: at most the current and the one before
	member   *member  // of the generation under way; nil: of none
	pending  map[string]*pending
	queue    queue // of those
	verdicts verdicts
	limits   limits
	said     map[string]string // the last complaint about each matter

	kept keeping // for clusters that lag

	known *wire.GatekeeperSet // in force when the chain was last sure
	doubt *lightclient.Doubt  // since a gap; nil: none
}

// New starts a gatekeeper that holds nothing: it waits for the next border.
func New(cfg Config) *Gatekeeper {
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	return &Gatekeeper{cfg: cfg, pending: map[string]*pending{}, said: map[string]string{}, kept: newKeeping()}
}

// Header looks at the chain anew, unless what is being proven is nearly as new.
func (g *Gatekeeper) Header() []*wire.Out {
	if g.now != nil && !g.settled() && g.cfg.Light.Height() <= g.now.height+lag {
		return nil
	}
	return g.begin()
}

// settled says that nothing more is to come of what was asked for.
func (g *Gatekeeper) settled() bool { return g.now.complete() && (g.past == nil || g.past.complete()) }

// begin asks for what a gatekeeper needs at each height.
func (g *Gatekeeper) begin() []*wire.Out {
	h := g.cfg.Light.Newest()
	if h.Height < genesisShown {
		return nil
	}
	var outs []*wire.Out
	if g.past != nil && !g.past.complete() {
		outs = g.complain("no-history", "the activation delay", fmt.Errorf("what stood on the chain at height %d is not proven", g.past.height),
			"use a node that keeps the state of so long ago")
		g.past = nil
	}
	g.now, g.state, g.ready = newView(h), nil, false
	g.limits.begin()
	g.queue.begin()
	return append(outs, g.ask(append(g.base(), g.due()...)...)...)
}

func need(v *view, keys []*wire.StoreKey) []*wire.Out {
	fresh := v.want(keys...)
	if len(fresh) == 0 {
		return nil
	}
	return []*wire.Out{{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: v.height, Keys: fresh}}}}
}

func at(store string, key []byte) *wire.StoreKey { return &wire.StoreKey{Store: store, Key: key} }

func networkKey() *wire.StoreKey { return at(storekey.Attestation, storekey.Network()) }
func policyKey(r wire.Role) *wire.StoreKey {
	return at(storekey.Attestation, storekey.Policy(int32(r)))
}
func rosterKey() *wire.StoreKey     { return at(storekey.Gatekeeper, storekey.RosterKey()) }
func generationKey() *wire.StoreKey { return at(storekey.Gatekeeper, storekey.GenerationKey()) }
func setKey() *wire.StoreKey        { return at(storekey.Gatekeeper, storekey.GatekeeperSetKey()) }
func previousKey() *wire.StoreKey   { return at(storekey.Gatekeeper, storekey.PreviousSetKey()) }
func workerKey(w *wire.WorkerRef) *wire.StoreKey {
	return at(storekey.Worker, storekey.WorkerKey(w.GetOperator(), w.GetSlot()))
}
func evidenceKey(w *wire.WorkerRef) *wire.StoreKey {
	return at(storekey.Worker, storekey.EvidenceKey(w.GetOperator(), w.GetSlot()))
}
func collateralKey(hash []byte) *wire.StoreKey {
	return at(storekey.Attestation, storekey.CollateralKey(hash))
}

// base is what every decision rests on.
func (g *Gatekeeper) base() []*wire.StoreKey {
	keys := []*wire.StoreKey{
		networkKey(), policyKey(wire.ROLE_EXECUTOR), policyKey(wire.ROLE_GATEKEEPER), rosterKey(), generationKey(), setKey(), previousKey(),
	}
	if w := g.cfg.Worker(); w != nil {
		keys = append(keys, workerKey(w))
	}
	return keys
}

// Values takes what was proven, and does what follows from it.
func (g *Gatekeeper) Values(f lightclient.Facts) []*wire.Out {
	came := 0
	for _, v := range []*view{g.now, g.past} {
		if v == nil || v.height != f.Height {
			continue
		}
		fresh := v.take(f)
		came += len(fresh)
		if v == g.now {
			g.queue.came(fresh)
		}
	}
	if came == 0 {
		return nil
	}
	outs := g.step()
	if g.settled() && g.cfg.Light.Height() > g.now.height {
		outs = append(outs, g.begin()...)
	}
	return outs
}

// step does all that what has been proven so far allows.
func (g *Gatekeeper) step() (outs []*wire.Out) {
	outs, sure := g.reassure()
	if !sure {
		return outs
	}
	if g.state == nil {
		if !g.now.has(g.base()...) {
			return outs
		}
		c, err := g.read()
		if err != nil {
			return g.complain("chain-state", "the chain's state", err, "this enclave is of another version than the chain: upgrade it")
		}
		outs = append(outs, g.settle(c)...)
		g.state = c
	}
	if err := g.cfg.Light.FreshAt(g.now.height); err != nil {
		return append(outs, g.complain("stale", "what was proven", err, "bring headers as they are made")...)
	}
	g.known = g.state.set
	if !g.ready {
		var asked []*wire.Out
		if asked, g.ready = g.lookBack(g.state); !g.ready {
			return append(outs, asked...)
		}
		outs = append(outs, asked...)
	}
	outs = append(outs, g.generate(g.state)...)
	outs = append(outs, g.draw(g.state)...)
	outs = append(outs, g.release(g.state)...)
	return append(outs, g.keep(g.state)...)
}

// keep looks after clusters that lag, and hands on what is kept for them.
func (g *Gatekeeper) keep(c *chain) []*wire.Out {
	if c.set == nil || !g.registered(c) || !g.counted(c.set) && !g.counted(c.previous) {
		return nil
	}
	outs, err := g.lookAround(c)
	outs = append(outs, g.complain("chain-state", "clusters that lag", err, "this enclave is of another version than the chain: upgrade it")...)
	return append(outs, g.handOn(c)...)
}

// complain says once what is wrong with a matter; nothing is wrong when err is nil.
func (g *Gatekeeper) complain(code, matter string, err error, next string) []*wire.Out {
	if err == nil {
		delete(g.said, matter)
		return nil
	}
	if g.said[matter] == err.Error() {
		return nil
	}
	if len(g.said) > maxPending {
		clear(g.said)
	}
	g.said[matter] = err.Error()
	return []*wire.Out{{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: code, Message: fmt.Sprintf("%s: %v", matter, err), Next: next}}}}
}

// ignore says why a message changes nothing: it is early, late, or not for this boot.
func (g *Gatekeeper) ignore(what, format string, args ...any) []*wire.Out {
	return g.complain("ignored", what, fmt.Errorf(format, args...), "nothing, if it was sent around a border or a restart: it is sent again where it is wanted")
}

// public is this boot's identity key.
func (g *Gatekeeper) public() []byte { return g.cfg.Identity.Public().(ed25519.PublicKey) }

// Wipe forgets every secret; what comes after waits for the next border.
func (g *Gatekeeper) Wipe() {
	for _, e := range g.epochs {
		e.wipe()
	}
	g.epochs = nil
	g.kept.wipe()
	g.leave()
}

// leave ends what part it takes in a generation.
func (g *Gatekeeper) leave() {
	if g.member != nil {
		g.member.Wipe()
	}
	g.member = nil
}

// member is this gatekeeper in one attempt.
type member struct {
	*generation.Member
	epoch   uint64
	attempt uint32
	vouched bool              // all that joined were judged
	sent    map[string]uint64 // height at which each message was given out last
}
