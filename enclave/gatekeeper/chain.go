package gatekeeper

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// chain is what the chain says at the height that is worked on. A nil field is proven absent.
type chain struct {
	height     uint64
	network    *wire.NetworkParams
	executors  *wire.Policy
	keepers    *wire.Policy
	roster     *wire.GatekeeperRoster
	generation *wire.Generation
	set        *wire.GatekeeperSet
	previous   *wire.GatekeeperSet
	self       *wire.Worker

	judged *rules // executorRules, once made

	// What it said an activation delay before.
	past struct {
		executors *wire.Policy
		keepers   *wire.Policy
		roster    *wire.GatekeeperRoster
	}
}

func (g *Gatekeeper) read() (*chain, error) {
	v := g.now
	c := &chain{height: v.height}
	var err error
	must := func(e error) { err = errors.Join(err, e) }
	var e error
	c.network, e = read[wire.NetworkParams](v, networkKey())
	must(e)
	if c.network != nil { // what lowers the rules stands in the genesis, whatever the chain says of it today (P9)
		c.network.Development = c.network.Development && g.cfg.Light.Development()
	}
	c.executors, e = read[wire.Policy](v, policyKey(wire.ROLE_EXECUTOR))
	must(e)
	c.keepers, e = read[wire.Policy](v, policyKey(wire.ROLE_GATEKEEPER))
	must(e)
	c.roster, e = read[wire.GatekeeperRoster](v, rosterKey())
	must(e)
	c.generation, e = read[wire.Generation](v, generationKey())
	must(e)
	c.set, e = read[wire.GatekeeperSet](v, setKey())
	must(e)
	c.previous, e = read[wire.GatekeeperSet](v, previousKey())
	must(e)
	if w := g.cfg.Worker(); w != nil {
		c.self, e = read[wire.Worker](v, workerKey(w))
		must(e)
	}
	if err == nil && c.network == nil {
		err = errors.New("no network parameters")
	}
	return c, err
}

// lookBack reads what the chain said an activation delay before, and says whether it could: what has been weakened or added since
// then does not count yet. A network without a delay, which only a development genesis makes, is judged by what it says now.
func (g *Gatekeeper) lookBack(c *chain) (outs []*wire.Out, ready bool) {
	delay := attest.ActivationDelay(c.network)
	if delay == 0 {
		g.past = nil
		c.past.executors, c.past.keepers, c.past.roster = c.executors, c.keepers, c.roster
		return nil, true
	}
	h, ok := g.cfg.Light.Behind(delay)
	if !ok {
		g.past = nil
		return g.complain("no-history", "the activation delay", fmt.Errorf("no header from %d blocks before height %d", delay, c.height),
			"bring old headers before new ones"), false
	}
	if g.past == nil || g.past.height != h.Height {
		g.past = newView(h)
	}
	keys := []*wire.StoreKey{policyKey(wire.ROLE_EXECUTOR), policyKey(wire.ROLE_GATEKEEPER), rosterKey()}
	outs = need(g.past, keys)
	if !g.past.has(keys...) {
		return outs, false
	}
	var err, e error
	c.past.executors, e = read[wire.Policy](g.past, keys[0])
	err = errors.Join(err, e)
	c.past.keepers, e = read[wire.Policy](g.past, keys[1])
	err = errors.Join(err, e)
	c.past.roster, e = read[wire.GatekeeperRoster](g.past, keys[2])
	err = errors.Join(err, e)
	return append(outs, g.complain("chain-state", "the chain's state before the activation delay", err, "this enclave is of another version than the chain: upgrade it")...), err == nil
}

// genesisShown is the first header whose state a node proves.
const genesisShown = 3

// registered says that this boot is the worker's in force.
func (g *Gatekeeper) registered(c *chain) bool {
	return c.self != nil && c.self.Role == wire.ROLE_GATEKEEPER && c.self.ExpiryHeight > c.height && bytes.Equal(c.self.IdentityKey, g.public())
}

// place is this boot's index in a set, if its parts count there.
func (g *Gatekeeper) place(s *wire.GatekeeperSet) (int, bool) {
	i := slices.IndexFunc(s.GetMembers(), func(m *wire.GatekeeperMember) bool {
		return m.GetWorker().Is(g.cfg.Worker()) && bytes.Equal(m.IdentityKey, g.public())
	})
	return i, i >= 0 && s.Members[i].Fault == wire.MEMBER_FAULT_NONE
}
