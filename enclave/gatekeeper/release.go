package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

const (
	maxPending  = 1 << 13 // requests a hostile host can make the enclave look at
	maxOperator = 128     // bytes of a worker's operator; an address is shorter
	patience    = 32      // headers for which a hinted request may be missing on the chain, or be refused
	lookout     = 3       // headers for which a newer one is looked for after an answer

	perWorker = 32      // answers to one worker at one height
	perHeight = 1 << 12 // answers to all at one height
)

// pending is a request that may be on the chain.
type pending struct {
	name    string // cluster/worker
	cluster uint64
	worker  *wire.WorkerRef
	since   uint64 // a header that proves it, if the host did not lie

	answered []byte // hash of the request that was answered; the one hinted at may be newer
	until    uint64 // height up to which a newer one is looked for
}

// limits counts the answers at one height.
type limits struct {
	all     int
	workers map[string]int
}

func (l *limits) begin() { *l = limits{workers: map[string]int{}} }

// allow counts an answer, or says that it has to wait for the next header.
func (l *limits) allow(worker string) error {
	switch {
	case l.all >= perHeight:
		return fmt.Errorf("%d requests are answered at one height: the others wait", perHeight)
	case l.workers[worker] >= perWorker:
		return fmt.Errorf("%d requests of one worker are answered at one height: the others wait", perWorker)
	}
	l.all++
	l.workers[worker]++
	return nil
}

// Hint says that there may be a request of worker for cluster's secret.
func (g *Gatekeeper) Hint(h *wire.KeyRequestHint) []*wire.Out {
	switch {
	case h.Worker == nil:
		return g.ignore("a hint at a request", "it names no worker")
	case len(h.Worker.Operator) > maxOperator:
		return g.ignore("a hint at a request", "its operator's name has %d bytes, at most %d", len(h.Worker.Operator), maxOperator)
	case len(g.pending) >= maxPending:
		return g.complain("rate-limited", "hints at requests", fmt.Errorf("%d wait already", maxPending), "hint again after the next header")
	}
	name := fmt.Sprintf("%d/%s", h.Cluster, h.Worker.Name())
	p := g.pending[name]
	if p == nil {
		p = &pending{name: name, cluster: h.Cluster, worker: h.Worker}
		g.pending[name] = p
	}
	p.since = g.cfg.Light.Height()
	p.until = p.since + patience
	switch {
	case p.since == 0:
		return nil
	case g.now != nil && g.now.height == p.since:
		g.queue.put(p)
		outs := need(g.now, g.keys(p))
		return append(outs, g.step()...) // all of it may be known already
	case g.now == nil || g.settled():
		return g.begin()
	}
	return nil
}

// keys is what a release rests on besides what all decisions do. Evidence that was judged is not asked for again.
func (g *Gatekeeper) keys(p *pending) []*wire.StoreKey {
	keys := []*wire.StoreKey{requestKey(p)}
	if p.answered != nil {
		return keys
	}
	keys = append(keys, clusterKey(p), workerKey(p.worker))
	if !g.verdicts.workers[p.worker.Name()] {
		keys = append(keys, evidenceKey(p.worker))
	}
	return keys
}

func requestKey(p *pending) *wire.StoreKey {
	return at(storekey.Gatekeeper, storekey.KeyRequestKey(p.cluster, p.worker.Operator, p.worker.Slot))
}

func clusterKey(p *pending) *wire.StoreKey {
	return at(storekey.Cluster, storekey.ClusterKey(p.cluster))
}

// due is what the waiting requests need at a new height; those that have waited in vain are forgotten.
func (g *Gatekeeper) due() (keys []*wire.StoreKey) {
	for _, id := range slices.Sorted(maps.Keys(g.pending)) {
		p := g.pending[id]
		if g.now.height > p.until {
			delete(g.pending, id)
			continue
		}
		g.queue.put(p)
		keys = append(keys, g.keys(p)...)
	}
	return keys
}

// release answers every waiting request of which all has been proven.
func (g *Gatekeeper) release(c *chain) (outs []*wire.Out) {
	r := c.executorRules()
	var limited error
	for _, p := range g.queue.take() {
		if g.now.height < p.since {
			continue
		}
		said, err := g.decide(c, r, p, &limited)
		g.queue.current = nil
		outs = append(outs, said...)
		outs = append(outs, g.complain("key-refused", fmt.Sprintf("request of %s for cluster %d", p.worker.Name(), p.cluster), err, "register the worker anew and request again")...)
	}
	if limited == nil {
		return outs
	}
	return append(outs, g.complain("rate-limited", fmt.Sprintf("requests for keys at height %d", g.now.height), limited, "wait for the next header")...)
}

// decide answers one request, refuses it with an error, or does neither while something is still to come.
func (g *Gatekeeper) decide(c *chain, r *rules, p *pending, limited *error) (outs []*wire.Out, err error) {
	g.queue.current = p
	if outs = g.ask(requestKey(p)); !g.now.has(requestKey(p)) {
		return outs, nil
	}
	req, err := read[wire.KeyRequest](g.now, requestKey(p))
	if err != nil || req == nil {
		return nil, err // not on the chain yet
	}
	hash := wire.Hash(req)
	if bytes.Equal(hash, p.answered) {
		return nil, nil
	}
	outs = append(outs, g.ask(clusterKey(p))...)
	if !g.now.has(clusterKey(p)) {
		return outs, nil
	}
	cluster, err := read[wire.Cluster](g.now, clusterKey(p))
	if err != nil {
		return outs, err
	}
	asked, w, known, err := g.judge(r, p.worker)
	outs = append(outs, asked...)
	if err != nil || !known {
		return outs, err
	}
	e, err := g.entitled(c, req, cluster, w)
	if err != nil {
		return outs, err
	}
	if err := g.limits.allow(p.worker.Name()); err != nil {
		*limited = err
		return outs, nil
	}
	part, err := g.part(e, req)
	if err != nil {
		return outs, err
	}
	p.answered, p.until = hash, g.now.height+lookout
	return append(outs, &wire.Out{Body: &wire.Out_Peer{Peer: &wire.PeerMessage{To: p.worker, Body: &wire.PeerMessage_KeyPart{KeyPart: part}}}}), nil
}

// entitled gives the epoch whose parts a request of worker w, whose enclave was judged, is to get; otherwise it says why none.
// Every fact it uses was proven.
func (g *Gatekeeper) entitled(c *chain, r *wire.KeyRequest, cluster *wire.Cluster, w *wire.Worker) (*epoch, error) {
	switch {
	case cluster == nil || r.Cluster != cluster.Id || !slices.ContainsFunc(cluster.Members, r.Worker.Is):
		return nil, fmt.Errorf("worker %s is no member of cluster %d", r.Worker.Name(), r.Cluster)
	case w.Role != wire.ROLE_EXECUTOR:
		return nil, fmt.Errorf("worker %s is registered as %s", r.Worker.Name(), w.Role)
	case !w.Worker.Is(r.Worker) || !bytes.Equal(w.IdentityKey, r.IdentityKey):
		return nil, fmt.Errorf("identity %x is not the registered one of worker %s", r.IdentityKey, r.Worker.Name())
	case !ed25519.Verify(w.IdentityKey, settle.KeyRequestBytes(g.cfg.ChainID, r), r.Signature):
		return nil, fmt.Errorf("it is not signed by the identity of worker %s", r.Worker.Name())
	}
	if err := inUse(c.set, cluster, r); err != nil {
		return nil, err
	}
	e := g.held(r.Epoch)
	if e == nil {
		if e = g.keptEpoch(keptLabel{r.Cluster, r.Epoch, r.Roster}); e != nil {
			return e, nil
		}
		return nil, fmt.Errorf("this boot holds no keys of epoch %d: it waits for the next border", r.Epoch)
	}
	return e, g.counts(e, c)
}

// inUse says whether members of a cluster may have the secret that a request names: the one to come, the one in use, or the one before.
func inUse(set *wire.GatekeeperSet, c *wire.Cluster, r *wire.KeyRequest) error {
	if set.GetEpoch() == 0 || r.Epoch == 0 {
		return errors.New("no epoch has begun")
	}
	for _, l := range [][2]uint64{{set.Epoch, c.Roster}, {c.Epoch, c.Roster}, {c.PreviousEpoch, c.PreviousRoster}} {
		if r.Epoch == l[0] && r.Roster == l[1] {
			return nil
		}
	}
	return fmt.Errorf("it is for epoch %d roster %d, the cluster has %d and %d, the gatekeepers %d", r.Epoch, r.Roster, c.Epoch, c.Roster, set.Epoch)
}

// part evaluates the PRF for a request that is entitled to it, and seals it to the one-time key.
func (g *Gatekeeper) part(e *epoch, r *wire.KeyRequest) (*wire.KeyPart, error) {
	to, err := seal.PublicKey(r.OneTimeKey)
	if err != nil {
		return nil, err
	}
	secret := keytree.Label(keytree.ClusterSecret, g.cfg.ChainID, r.Cluster, r.Epoch, r.Roster)
	state := keytree.Label(keytree.StateSecret, g.cfg.ChainID, r.Cluster, r.Epoch, r.Roster)
	body := &wire.KeyPartBody{}
	for _, b := range e.sets {
		v := dprf.Eval(b, e.keys[b], secret, state).Value
		body.Parts = append(body.Parts, &wire.PrfPart{Set: uint32(b), Value: v[:keytree.Size], State: v[keytree.Size:]})
	}
	for _, p := range e.kept {
		body.Parts = append(body.Parts, &wire.PrfPart{Set: uint32(p.Set), State: bytes.Clone(p.Value)})
	}
	plain := wire.Marshal(body)
	defer clear(plain)
	for _, p := range body.Parts {
		clear(p.Value)
		clear(p.State)
	}
	p := &wire.KeyPart{Cluster: r.Cluster, Epoch: r.Epoch, Roster: r.Roster, Gatekeeper: g.cfg.Worker(), Worker: r.Worker, Family: e.family}
	ctx := seal.Context{Domain: seal.DomainKeyPart, ChainID: g.cfg.ChainID, Cluster: r.Cluster, Epoch: r.Epoch, Roster: r.Roster}
	env, _, err := seal.Seal(to, ctx, wire.Marshal(p.Gatekeeper), plain)
	if err != nil {
		return nil, err
	}
	p.Enc, p.Ciphertext = env.Enc, env.Ciphertext
	p.Signature = ed25519.Sign(g.cfg.Identity, settle.KeyPartBytes(g.cfg.ChainID, p))
	return p, nil
}
