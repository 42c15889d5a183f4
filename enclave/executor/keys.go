package executor

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// repeatAfter is how many blocks a request or announcement has before it is made again.
const repeatAfter = 10

// request is one asking for a cluster secret. Its key opens the answers and is erased with it.
type request struct {
	label
	key    hpke.PrivateKey
	height uint64
	parts  map[int][]dprf.Part
	kept   map[uint64]map[int][]dprf.Part // of the state secret alone, by the epoch of the set in whose family they are
}

// wipe erases what came, and what opens what may still come.
func (r *request) wipe() {
	for _, all := range append(slices.Collect(maps.Values(r.kept)), r.parts) {
		for _, parts := range all {
			wipeParts(parts)
		}
	}
	if seed, err := r.key.Bytes(); err == nil {
		clear(seed)
	}
	*r = request{}
}

func wipeParts(parts []dprf.Part) {
	for _, p := range parts {
		clear(p.Value)
	}
}

// endRequest forgets the request under way.
func (c *cluster) endRequest() {
	if c.request != nil {
		c.request.wipe()
	}
	c.request = nil
}

// word is an announcement that was made.
type word struct {
	label
	height uint64
}

func (x *Executor) public() []byte {
	return x.cfg.Identity.Public().(ed25519.PublicKey)
}

// keep sees to it that the worker asks for the secrets it lacks, one after another since the chain records one request of a worker
// and cluster, and tells the newest input key until a quorum has told the same.
func (x *Executor) keep(c *cluster) {
	for _, l := range c.disown() {
		x.complain(fmt.Errorf("keys of cluster %d for epoch %d roster %d: a quorum has announced others, a gatekeeper has lied to this member: they are asked for anew", c.id, l.epoch, l.roster))
	}
	c.adopt()
	if c.request != nil { // parts that waited for another holder's
		if _, err := x.combine(c); err != nil {
			x.complain(err)
		}
	}
	if c.request == nil || c.height >= c.request.height+repeatAfter {
		var last label
		if c.request != nil {
			last = c.request.label
		}
		c.endRequest()
		if l, ok := c.lacking(last); ok {
			if err := x.ask(c, l); err != nil {
				x.complain(err)
			}
		}
	}
	next := c.next()
	if c.keys[next] == nil || labelOf(c.key) == next || labelOf(c.nextKey) == next {
		return
	}
	if labelOf(c.key) != (label{}) && c.restoring && c.final.number != c.head.Number {
		return // a cluster that moves on leaves what is kept for it behind: first it has its state
	}
	if c.said.label != next || c.height >= c.said.height+repeatAfter {
		x.announce(c, next)
	}
}

func (x *Executor) ask(c *cluster, l label) error {
	r, err := x.newRequest(c.id, l, c.height)
	if err == nil {
		c.request = r
	}
	return err
}

// newRequest gives a request out.
func (x *Executor) newRequest(id uint64, l label, height uint64) (*request, error) {
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("drawing a one-time key: %w", err)
	}
	r := &wire.KeyRequest{
		Cluster: id, Epoch: l.epoch, Roster: l.roster, Worker: x.cfg.Worker(),
		OneTimeKey: key.PublicKey().Bytes(), IdentityKey: x.public(),
	}
	r.Signature = ed25519.Sign(x.cfg.Identity, settle.KeyRequestBytes(x.cfg.ChainID, r))
	x.emit(&wire.Out{Body: &wire.Out_KeyRequest{KeyRequest: r}})
	return &request{label: l, key: key, height: height, parts: map[int][]dprf.Part{}, kept: map[uint64]map[int][]dprf.Part{}}, nil
}

func (x *Executor) announce(c *cluster, l label) {
	a := &wire.Announcement{
		Cluster: c.id, Epoch: l.epoch, Roster: l.roster, Worker: x.cfg.Worker(),
		InputKey: c.keys[l].Input.PublicKey().Bytes(), Check: c.keys[l].Check,
	}
	a.Signature = ed25519.Sign(x.cfg.Identity, settle.AnnouncementBytes(x.cfg.ChainID, a))
	c.said = word{l, c.height}
	x.emit(&wire.Out{Body: &wire.Out_Announcement{Announcement: a}})
}

// part takes a gatekeeper's share; t of them make the cluster's keys.
func (x *Executor) part(ctx context.Context, p *wire.KeyPart) error {
	c := x.clusters[p.Cluster]
	if c == nil || c.request == nil {
		return nil // not asked, or answered
	}
	l := label{p.Epoch, p.Roster}
	if c.keys[l] != nil {
		return nil // another gatekeeper's part of what is complete
	}
	if l != c.request.label || !p.Worker.Is(x.cfg.Worker()) {
		return fmt.Errorf("taking a key part for cluster %d: it is for epoch %d roster %d and worker %s", p.Cluster, p.Epoch, p.Roster, p.Worker.Name())
	}
	set := c.setOf(max(l.epoch, p.Family))
	from, err := gatekeeper(set, p, x.cfg.ChainID)
	if err != nil {
		return err
	}
	at := seal.Context{Domain: seal.DomainKeyPart, ChainID: x.cfg.ChainID, Cluster: p.Cluster, Epoch: p.Epoch, Roster: p.Roster}
	plain, _, err := seal.Open(c.request.key, at, wire.Marshal(p.Gatekeeper), &wire.Envelope{Suite: seal.Suite, Enc: p.Enc, Ciphertext: p.Ciphertext})
	if err != nil {
		return fmt.Errorf("taking a key part: %w", err)
	}
	defer clear(plain)
	var body wire.KeyPartBody
	if err := wire.Unmarshal(plain, &body); err != nil {
		return err
	}
	parts := make([]dprf.Part, len(body.Parts))
	for i, b := range body.Parts {
		parts[i] = dprf.Part{Set: dprf.Set(b.Set), Value: slices.Concat(b.Value, b.State)}
		clear(b.Value)
		clear(b.State)
	}
	if p.Family > l.epoch {
		return x.keptPart(ctx, c, set, from, parts)
	}
	wipeParts(c.request.parts[from])
	c.request.parts[from] = parts
	if made, err := x.combine(c); err != nil || !made {
		return err
	}
	x.advance(ctx, c)
	return nil
}

// setOf is the gatekeepers that made an epoch's keys: those of now, or those of the epoch before; nil: others.
func (c *cluster) setOf(epoch uint64) *wire.GatekeeperSet {
	for _, s := range []*wire.GatekeeperSet{c.set, c.prevSet} {
		if s != nil && s.Epoch == epoch {
			return s
		}
	}
	return nil
}

// gatekeeper says which gatekeeper of a set signed p.
func gatekeeper(set *wire.GatekeeperSet, p *wire.KeyPart, chainID string) (int, error) {
	for i, g := range set.GetMembers() {
		if !g.Worker.Is(p.Gatekeeper) {
			continue
		}
		if len(g.IdentityKey) != ed25519.PublicKeySize || !ed25519.Verify(g.IdentityKey, settle.KeyPartBytes(chainID, p), p.Signature) {
			return 0, fmt.Errorf("taking a key part: not signed by gatekeeper %s of epoch %d", p.Gatekeeper.Name(), set.Epoch)
		}
		return i, nil
	}
	return 0, fmt.Errorf("taking a key part: %s is no gatekeeper of epoch %d", p.Gatekeeper.Name(), p.Epoch)
}
