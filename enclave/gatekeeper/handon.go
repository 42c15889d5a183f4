package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/dprf/redistribution"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

const (
	pullsOnce   = 4   // labels whose shares are collected at a time
	pullAlone   = 32  // blocks after which one witness is enough
	pullFor     = 64  // blocks after which collecting is given up
	pullAnew    = 256 // blocks after which it is tried again
	domainKept  = "phala/kept-shares/v1"
	domainAsked = "phala/kept-request/v1"
)

// pull collects the shares of one label from the set before. It does not print.
type pull struct {
	*redistribution.Receiver
	to    uint64 // epoch of the set in force
	key   hpke.PrivateKey
	since uint64          // height
	asked uint64          // height
	heard map[string]bool // by identity
}

func (p *pull) wipe() {
	p.Wipe()
	p.key = nil
}

// handOn sees to it that this gatekeeper gets its parts of every label that lags, in the family of the set in force.
func (g *Gatekeeper) handOn(c *chain) (outs []*wire.Out) {
	me, ok := g.place(c.set)
	for l, p := range g.kept.pulls {
		if _, lags := g.kept.lags[l]; !lags || !ok || p.to != c.set.Epoch || c.height >= p.since+pullFor {
			p.wipe()
			delete(g.kept.pulls, l)
			g.kept.gone[l] = c.height
		}
	}
	if !ok || c.setOf(c.set.Epoch-1) == nil || len(c.previous.Members) == 0 {
		return nil
	}
	for _, l := range slices.SortedFunc(maps.Keys(g.kept.lags), keptLabel.compare) {
		if g.kept.parts[l][c.set.Epoch] != nil {
			continue
		}
		p := g.kept.pulls[l]
		if p == nil {
			if at, tried := g.kept.gone[l]; len(g.kept.pulls) >= pullsOnce || tried && c.height < at+pullAnew && at > c.set.Height {
				continue
			}
			var err error
			if p, err = newPull(c, me); err != nil {
				outs = append(outs, g.complain("kept", "parts for clusters that lag", err, "see docs/spec/keys.md")...)
				continue
			}
			g.kept.pulls[l] = p
			g.own(c, l, p, me)
		}
		outs = append(outs, g.collect(c, l, p)...)
	}
	return outs
}

func newPull(c *chain, me int) (*pull, error) {
	to, err := redistribution.To(c.set)
	if err != nil {
		return nil, err
	}
	r, err := redistribution.NewReceiver(redistribution.Family{N: len(c.previous.Members), T: int(c.previous.Threshold)}, to, me)
	if err != nil {
		return nil, err
	}
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("drawing a one-time key: %w", err)
	}
	return &pull{Receiver: r, to: c.set.Epoch, key: key, since: c.height, heard: map[string]bool{}}, nil
}

// own gives a gatekeeper that stays its own shares.
func (g *Gatekeeper) own(c *chain, l keptLabel, p *pull, me int) {
	i, shares, err := g.shares(c, l, me)
	if err == nil && p.Step(i, shares) == nil {
		p.heard[string(g.public())] = true
	}
}

// collect asks those for their shares who have not sent them, and takes the parts when enough agree.
func (g *Gatekeeper) collect(c *chain, l keptLabel, p *pull) (outs []*wire.Out) {
	witnesses := dprf.Majority(len(c.previous.Members), int(c.previous.Threshold))
	if c.height >= p.since+pullAlone {
		witnesses = 1
	}
	parts, suspects, err := p.Parts(witnesses)
	if suspects != nil {
		outs = append(outs, g.complain("kept", fmt.Sprintf("shares for cluster %d", l.cluster), fmt.Errorf("gatekeepers %v of epoch %d sent others than a majority", suspects, c.previous.Epoch), "look after these gatekeepers")...)
	}
	if err == nil {
		p.wipe()
		delete(g.kept.pulls, l)
		if !g.kept.put(l, c.set.Epoch, parts) {
			wipeParts(parts)
		}
		return outs
	}
	if p.asked != 0 && c.height < p.asked+again {
		return outs
	}
	p.asked = c.height
	r := &wire.KeptRequest{Cluster: l.cluster, Epoch: l.epoch, Roster: l.roster, To: p.to, Gatekeeper: g.cfg.Worker(), OneTimeKey: p.key.PublicKey().Bytes()}
	r.Signature = ed25519.Sign(g.cfg.Identity, g.requestBytes(r))
	for _, m := range c.previous.Members {
		if m.Fault == wire.MEMBER_FAULT_NONE && !p.heard[string(m.IdentityKey)] && !m.Worker.Is(g.cfg.Worker()) {
			outs = append(outs, &wire.Out{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: m.Worker, Body: &wire.PeerMessage_KeptRequest{KeptRequest: r}}}})
		}
	}
	return outs
}

// shares gives what this gatekeeper, number i of the set before, sends to member to of the set in force. The caller wipes them.
func (g *Gatekeeper) shares(c *chain, l keptLabel, to int) (i int, shares []dprf.Part, err error) {
	i, ok := g.place(c.previous)
	if _, lags := g.kept.lags[l]; !ok || !lags || c.setOf(c.set.Epoch-1) == nil {
		return 0, nil, errors.New("nothing is to be handed on")
	}
	kept := g.kept.parts[l][c.previous.Epoch]
	if e := g.held(l.epoch); e != nil && l.epoch == c.previous.Epoch {
		label := keytree.Label(keytree.StateSecret, g.cfg.ChainID, l.cluster, l.epoch, l.roster)
		kept = nil
		for _, b := range e.sets {
			kept = append(kept, dprf.Eval(b, e.keys[b], label))
		}
		defer wipeParts(kept)
	}
	if len(kept) == 0 {
		return 0, nil, errors.New("this boot keeps no parts of it")
	}
	target, err := redistribution.To(c.set)
	if err != nil {
		return 0, nil, err
	}
	shares, err = target.For(kept, to)
	return i, shares, err
}

func (g *Gatekeeper) requestBytes(r *wire.KeptRequest) []byte {
	c := *r
	c.Signature = nil
	return wire.SignBytes(domainAsked+"/"+g.cfg.ChainID, &c)
}

func (g *Gatekeeper) sharesBytes(s *wire.KeptShares) []byte {
	c := *s
	c.Signature = nil
	return wire.SignBytes(domainKept+"/"+g.cfg.ChainID, &c)
}

// bound is the associated data of shares: all of the message that is in the clear.
func bound(s *wire.KeptShares) []byte {
	c := *s
	c.Enc, c.Ciphertext, c.Signature = nil, nil, nil
	return wire.Marshal(&c)
}

func (g *Gatekeeper) keptContext(l keptLabel) seal.Context {
	return seal.Context{Domain: domainKept, ChainID: g.cfg.ChainID, Cluster: l.cluster, Epoch: l.epoch, Roster: l.roster}
}

// sure is what the chain says, as long as something may rest on it.
func (g *Gatekeeper) sure() *chain {
	if g.state == nil || g.doubt != nil || g.state.set == nil || g.cfg.Light.FreshAt(g.now.height) != nil {
		return nil
	}
	return g.state
}

// KeptRequest answers a member of the set in force that asks for its shares of a label that lags. Who is early asks again.
func (g *Gatekeeper) KeptRequest(r *wire.KeptRequest) []*wire.Out {
	c := g.sure()
	if c == nil {
		return g.ignore("a request for shares", "this gatekeeper is not sure of the chain")
	}
	if r.To != c.set.Epoch {
		return g.ignore("a request for shares", "it is for epoch %d, in force is %d", r.To, c.set.Epoch)
	}
	l := keptLabel{r.Cluster, r.Epoch, r.Roster}
	if _, lags := g.kept.lags[l]; !lags {
		return g.ignore("a request for shares", "cluster %d does not lag at epoch %d roster %d, as far as this gatekeeper has looked", r.Cluster, r.Epoch, r.Roster)
	}
	s, err := g.answer(c, l, r)
	if err != nil {
		return g.complain("kept-refused", fmt.Sprintf("%s asks for shares", r.Gatekeeper.Name()), err, "")
	}
	return []*wire.Out{{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: r.Gatekeeper, Body: &wire.PeerMessage_KeptShares{KeptShares: s}}}}}
}

func (g *Gatekeeper) answer(c *chain, l keptLabel, r *wire.KeptRequest) (*wire.KeptShares, error) {
	to := slices.IndexFunc(c.set.Members, func(m *wire.GatekeeperMember) bool { return m.Worker.Is(r.Gatekeeper) })
	if to < 0 || c.set.Members[to].Fault != wire.MEMBER_FAULT_NONE {
		return nil, errors.New("it has no place in the set in force")
	}
	if k := c.set.Members[to].IdentityKey; len(k) != ed25519.PublicKeySize || !ed25519.Verify(k, g.requestBytes(r), r.Signature) {
		return nil, errors.New("it is not signed by the identity in that set")
	}
	key, err := seal.PublicKey(r.OneTimeKey)
	if err != nil {
		return nil, err
	}
	if err := g.limits.allow("kept/" + r.Gatekeeper.Name()); err != nil {
		return nil, err
	}
	_, shares, err := g.shares(c, l, to)
	if err != nil {
		return nil, err
	}
	defer wipeParts(shares)
	body := &wire.KeyPartBody{}
	for _, p := range shares {
		body.Parts = append(body.Parts, &wire.PrfPart{Set: uint32(p.Set), State: p.Value})
	}
	plain := wire.Marshal(body)
	defer clear(plain)
	s := &wire.KeptShares{Cluster: l.cluster, Epoch: l.epoch, Roster: l.roster, To: r.To, Gatekeeper: g.cfg.Worker(), Asker: r.Gatekeeper}
	env, _, err := seal.Seal(key, g.keptContext(l), bound(s), plain)
	if err != nil {
		return nil, err
	}
	s.Enc, s.Ciphertext = env.Enc, env.Ciphertext
	s.Signature = ed25519.Sign(g.cfg.Identity, g.sharesBytes(s))
	return s, nil
}

// KeptShares takes the shares of a member of the set before.
func (g *Gatekeeper) KeptShares(s *wire.KeptShares) []*wire.Out {
	c, l := g.sure(), keptLabel{s.Cluster, s.Epoch, s.Roster}
	p := g.kept.pulls[l]
	if c == nil || p == nil || s.To != p.to || p.to != c.set.Epoch || !s.Asker.Is(g.cfg.Worker()) {
		return g.ignore("shares of a state secret", "those for cluster %d at epoch %d roster %d in epoch %d are not what this boot has asked for", s.Cluster, s.Epoch, s.Roster, s.To)
	}
	if err := g.takeShares(c, l, p, s); err != nil {
		return g.complain("kept-refused", fmt.Sprintf("%s sends shares", s.Gatekeeper.Name()), err, "")
	}
	return g.collect(c, l, p)
}

func (g *Gatekeeper) takeShares(c *chain, l keptLabel, p *pull, s *wire.KeptShares) error {
	i := slices.IndexFunc(c.previous.GetMembers(), func(m *wire.GatekeeperMember) bool { return m.Worker.Is(s.Gatekeeper) })
	if i < 0 {
		return errors.New("it had no place in the set before")
	}
	k := c.previous.Members[i].IdentityKey
	if len(k) != ed25519.PublicKeySize || !ed25519.Verify(k, g.sharesBytes(s), s.Signature) {
		return errors.New("they are not signed by the identity in the set before")
	}
	if p.heard[string(k)] {
		return errors.New("it has sent them before")
	}
	plain, _, err := seal.Open(p.key, g.keptContext(l), bound(s), &wire.Envelope{Suite: seal.Suite, Enc: s.Enc, Ciphertext: s.Ciphertext})
	if err != nil {
		return err
	}
	defer clear(plain)
	var body wire.KeyPartBody
	if err := wire.Unmarshal(plain, &body); err != nil {
		return err
	}
	var shares []dprf.Part
	for _, b := range body.Parts {
		shares = append(shares, dprf.Part{Set: dprf.Set(b.Set), Value: bytes.Clone(b.State)})
		clear(b.State)
	}
	if err := p.Step(i, shares); err != nil {
		wipeParts(shares)
		return err
	}
	p.heard[string(k)] = true
	return nil
}
