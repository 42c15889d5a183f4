// Package gatekeeper holds parts of the network's keys and gives them to enclaves that have earned them. Each decision rests on
// facts proven at one fresh height; the record of a request is on the chain before its answer leaves. It must never write a key
// anywhere, nor give one to anything but a request's one-time key.
//
// In this version there is one gatekeeper (n = 1, t = 1): its single key is drawn at boot. Generation among several is not built.
package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

const (
	maxPending  = 1024 // requests a hostile host can make the enclave look at
	maxOperator = 128  // bytes of a worker's operator; an address is shorter
	patience    = 32   // headers for which a hinted request may be missing on the chain
)

// Config of a Gatekeeper; every field is required.
type Config struct {
	ChainID     string
	GenesisHash []byte
	Identity    ed25519.PrivateKey
	Worker      func() *wire.WorkerRef // nil until the enclave has been told its name
	Light       *lightclient.Client
}

// Gatekeeper is not safe for concurrent use.
type Gatekeeper struct {
	cfg     Config
	keys    map[dprf.Set]*keytree.Secret
	pending map[string]*pending
}

type pending struct {
	cluster uint64
	worker  *wire.WorkerRef
	since   uint64

	collateral [][]byte // hashes that the worker's evidence was seen to name

	answered []byte // hash of the request that was answered
	said     string // the last refusal
}

// New draws the gatekeeper's key. It lives in this memory and nowhere else.
func New(cfg Config) (*Gatekeeper, error) {
	var b [keytree.Size]byte
	defer clear(b[:])
	rand.Read(b[:])
	k, err := keytree.NewSecret(b[:])
	if err != nil {
		return nil, err
	}
	return &Gatekeeper{cfg: cfg, keys: map[dprf.Set]*keytree.Secret{0: k}, pending: map[string]*pending{}}, nil
}

// Hint says that there may be a request of worker for cluster's secret.
func (g *Gatekeeper) Hint(h *wire.KeyRequestHint) []*wire.Out {
	if h.Worker == nil || len(h.Worker.Operator) > maxOperator || len(g.pending) >= maxPending {
		return nil
	}
	id := fmt.Sprintf("%d/%s", h.Cluster, h.Worker.Name())
	g.pending[id] = &pending{cluster: h.Cluster, worker: h.Worker, since: g.cfg.Light.Height()}
	return g.look(g.pending[id])
}

// Header looks again at what waits.
func (g *Gatekeeper) Header() (outs []*wire.Out) {
	for _, id := range slices.Sorted(maps.Keys(g.pending)) {
		p := g.pending[id]
		if g.cfg.Light.Height() > p.since+patience {
			delete(g.pending, id)
			continue
		}
		outs = append(outs, g.look(p)...)
	}
	return outs
}

func (g *Gatekeeper) look(p *pending) []*wire.Out {
	h := g.cfg.Light.Height()
	if h == 0 {
		return nil
	}
	return []*wire.Out{{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: h, Keys: p.keys()}}}}
}

func at(store string, key []byte) *wire.StoreKey { return &wire.StoreKey{Store: store, Key: key} }

// keys is what a release rests on.
func (p *pending) keys() []*wire.StoreKey {
	w := p.worker
	keys := []*wire.StoreKey{
		at(storekey.Gatekeeper, storekey.KeyRequestKey(p.cluster, w.Operator, w.Slot)),
		at(storekey.Gatekeeper, storekey.GatekeeperSetKey()),
		at(storekey.Worker, storekey.WorkerKey(w.Operator, w.Slot)),
		at(storekey.Worker, storekey.EvidenceKey(w.Operator, w.Slot)),
		at(storekey.Attestation, storekey.Policy(int32(wire.ROLE_EXECUTOR))),
		at(storekey.Attestation, storekey.Network()),
		at(storekey.Cluster, storekey.ClusterKey(p.cluster)),
	}
	for _, h := range p.collateral {
		keys = append(keys, collateralKey(h))
	}
	return keys
}

func collateralKey(hash []byte) *wire.StoreKey {
	return at(storekey.Attestation, storekey.CollateralKey(hash))
}

// names notes which collateral the evidence needs, and says whether that is more or other than what was asked for.
func (p *pending) names(e *wire.WorkerEvidence) (changed bool) {
	hashes := attest.Hashes(e.GetEvidence())
	changed = !slices.EqualFunc(p.collateral, hashes, bytes.Equal)
	p.collateral = hashes
	return changed
}

// Values decides about every pending request that f says all of.
func (g *Gatekeeper) Values(f lightclient.Facts) (outs []*wire.Out) {
	for _, id := range slices.Sorted(maps.Keys(g.pending)) {
		p := g.pending[id]
		if !f.Has(p.keys()...) || f.Height != g.cfg.Light.Height() {
			continue
		}
		c, err := read(p, f, g.cfg.Light.Newest().Time)
		if err == nil && c.request == nil {
			continue // not on the chain yet
		}
		if err == nil && p.names(c.evidence) {
			outs = append(outs, g.look(p)...)
			continue
		}
		// The one on the chain may be older than the one hinted at: what waits is judged anew at each header.
		if err == nil && bytes.Equal(p.answered, wire.Hash(c.request)) {
			continue
		}
		if err == nil {
			err = g.cfg.Light.Fresh()
		}
		if err == nil {
			err = c.entitled(g.cfg, f.Height)
		}
		var part *wire.KeyPart
		if err == nil {
			part, err = g.part(c)
		}
		if err != nil {
			if p.said != err.Error() {
				p.said = err.Error()
				outs = append(outs, &wire.Out{Body: &wire.Out_Failure{Failure: &wire.Failure{
					Code: "key-refused", Message: fmt.Sprintf("request of %s for cluster %d: %v", p.worker.Name(), p.cluster, err),
					Next: "register the worker anew and request again",
				}}})
			}
			continue
		}
		p.answered = wire.Hash(c.request)
		outs = append(outs, &wire.Out{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: p.worker, Body: &wire.PeerMessage_KeyPart{KeyPart: part}}}})
	}
	return outs
}

// part evaluates the PRF for the cluster of a request that is entitled to it, and seals it to the one-time key.
func (g *Gatekeeper) part(c *facts) (*wire.KeyPart, error) {
	r := c.request
	label := keytree.Label(g.cfg.ChainID, r.Cluster, r.Epoch, r.Roster)
	body := &wire.KeyPartBody{}
	for _, b := range slices.Sorted(maps.Keys(g.keys)) {
		p := dprf.Eval(b, g.keys[b], label)
		body.Parts = append(body.Parts, &wire.PrfPart{Set: uint32(b), Value: p.Value})
	}
	plain := wire.Marshal(body)
	defer clear(plain)
	to, err := seal.PublicKey(r.OneTimeKey)
	if err != nil {
		return nil, err
	}
	p := &wire.KeyPart{Cluster: r.Cluster, Epoch: r.Epoch, Roster: r.Roster, Gatekeeper: g.cfg.Worker(), Worker: r.Worker}
	ctx := seal.Context{Domain: seal.DomainKeyPart, ChainID: g.cfg.ChainID, Cluster: r.Cluster, Epoch: r.Epoch, Roster: r.Roster}
	env, _, err := seal.Seal(to, ctx, wire.Marshal(p.Gatekeeper), plain)
	if err != nil {
		return nil, err
	}
	p.Enc, p.Ciphertext = env.Enc, env.Ciphertext
	p.Signature = ed25519.Sign(g.cfg.Identity, settle.KeyPartBytes(g.cfg.ChainID, p))
	return p, nil
}

// isMe says whether m is this boot of this enclave: only that holds this epoch's parts.
func isMe(cfg Config, m *wire.GatekeeperMember) bool {
	return m.Worker.Is(cfg.Worker()) && bytes.Equal(m.IdentityKey, cfg.Identity.Public().(ed25519.PublicKey))
}
