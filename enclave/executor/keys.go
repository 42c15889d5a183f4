package executor

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// repeatAfter is how many blocks a request or announcement has before it is made again.
const repeatAfter = 10

// request is one asking for a cluster secret. Its key opens the answers and is erased with it.
type request struct {
	key    hpke.PrivateKey
	height uint64
	parts  map[int][]dprf.Part
}

func (x *Executor) public() []byte {
	return x.cfg.Identity.Public().(ed25519.PublicKey)
}

// keep sees to it that the worker asks for the cluster's secret while it lacks it, and tells the input key until the chain has it.
func (x *Executor) keep(c *cluster) {
	if c.keys == nil {
		if c.request == nil || c.height >= c.request.height+repeatAfter {
			if err := x.ask(c); err != nil {
				x.complain(err)
			}
		}
		return
	}
	announced := c.key != nil && c.key.Epoch == c.epoch && c.key.Roster == c.roster
	if !announced && (c.said == 0 || c.height >= c.said+repeatAfter) {
		x.announce(c)
	}
}

func (x *Executor) ask(c *cluster) error {
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return fmt.Errorf("drawing a one-time key: %w", err)
	}
	r := &wire.KeyRequest{
		Cluster: c.id, Epoch: c.info.Epoch, Roster: c.info.Roster, Worker: x.cfg.Worker(),
		OneTimeKey: key.PublicKey().Bytes(), IdentityKey: x.public(),
	}
	r.Signature = ed25519.Sign(x.cfg.Identity, settle.KeyRequestBytes(x.cfg.ChainID, r))
	c.request = &request{key: key, height: c.height, parts: map[int][]dprf.Part{}}
	x.emit(&wire.Out{Body: &wire.Out_KeyRequest{KeyRequest: r}})
	return nil
}

func (x *Executor) announce(c *cluster) {
	a := &wire.Announcement{
		Cluster: c.id, Epoch: c.epoch, Roster: c.roster, Worker: x.cfg.Worker(),
		InputKey: c.keys.Input.PublicKey().Bytes(), Check: c.keys.Check,
	}
	a.Signature = ed25519.Sign(x.cfg.Identity, settle.AnnouncementBytes(x.cfg.ChainID, a))
	c.said = c.height
	x.emit(&wire.Out{Body: &wire.Out_Announcement{Announcement: a}})
}

// part takes a gatekeeper's share; t of them make the cluster's keys.
func (x *Executor) part(ctx context.Context, p *wire.KeyPart) error {
	c := x.clusters[p.Cluster]
	if c == nil || c.request == nil || c.keys != nil {
		return nil // not asked, or answered
	}
	if p.Epoch != c.info.Epoch || p.Roster != c.info.Roster || !p.Worker.Is(x.cfg.Worker()) {
		return fmt.Errorf("taking a key part for cluster %d: it is for epoch %d roster %d and worker %s", p.Cluster, p.Epoch, p.Roster, p.Worker.Name())
	}
	from, err := c.gatekeeper(p, x.cfg.ChainID)
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
		parts[i] = dprf.Part{Set: dprf.Set(b.Set), Value: b.Value}
	}
	c.request.parts[from] = parts
	secret, suspects, err := dprf.Combine(len(c.set.Members), int(c.set.Threshold), c.request.parts)
	if err != nil {
		for _, s := range suspects {
			delete(c.request.parts, s)
		}
		if suspects == nil {
			return nil // more parts are to come
		}
		return fmt.Errorf("combining key parts: %w", err)
	}
	keys, err := keytree.NewCluster(secret)
	if err != nil {
		return err
	}
	if k := c.key; k != nil && k.Epoch == p.Epoch && k.Roster == p.Roster &&
		!(bytes.Equal(k.InputKey, keys.Input.PublicKey().Bytes()) && bytes.Equal(k.Check, keys.Check)) {
		keys.Wipe()
		return errors.New("combining key parts: they come to another key than the members have announced")
	}
	c.keys, c.epoch, c.roster, c.request, c.said = keys, p.Epoch, p.Roster, nil, 0
	x.advance(ctx, c)
	return nil
}

// gatekeeper says which gatekeeper of the chain's set signed p.
func (c *cluster) gatekeeper(p *wire.KeyPart, chainID string) (int, error) {
	for i, g := range c.set.Members {
		if !g.Worker.Is(p.Gatekeeper) {
			continue
		}
		if len(g.IdentityKey) != ed25519.PublicKeySize || !ed25519.Verify(g.IdentityKey, settle.KeyPartBytes(chainID, p), p.Signature) {
			return 0, fmt.Errorf("taking a key part: not signed by gatekeeper %s of epoch %d", p.Gatekeeper.Name(), c.set.Epoch)
		}
		return i, nil
	}
	return 0, fmt.Errorf("taking a key part: %s is no gatekeeper of epoch %d", p.Gatekeeper.Name(), c.set.Epoch)
}
