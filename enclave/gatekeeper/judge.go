package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// maxVerdicts bounds what is remembered; more than that are judged anew.
const maxVerdicts = 1 << 14

// rules are what an enclave of a role is judged by: what the policy says now, so that what it forbids ends at once, and what it said
// an activation delay before, so that what a vote allows does not begin at once (P9).
type rules struct {
	network   *wire.NetworkParams
	now, past *wire.Policy
	name      [sha256.Size]byte
}

func (c *chain) rules(now, past *wire.Policy) *rules {
	r := &rules{network: c.network, now: now, past: past}
	if now != nil && past != nil {
		r.name = sha256.Sum256(bytes.Join([][]byte{wire.Hash(c.network), wire.Hash(now), wire.Hash(past)}, nil))
	}
	return r
}

func (c *chain) executorRules() *rules {
	if c.judged == nil {
		c.judged = c.rules(c.executors, c.past.executors)
	}
	return c.judged
}

// verdict is what evidence came to that was accepted. It holds until an end: refusals are not remembered.
type verdict struct {
	identity []byte
	expiry   uint64
	notAfter time.Time // zero: no end
}

func (v verdict) holds(height uint64, at time.Time) bool {
	return height < v.expiry && (v.notAfter.IsZero() || !at.After(v.notAfter))
}

// verdicts remembers accepted evidence by its hash and the rules, and whose it was.
type verdicts struct {
	known   map[[sha256.Size]byte]verdict
	workers map[string]bool
}

func (s *verdicts) get(r *rules, evidence []byte, height uint64, at time.Time) (verdict, bool) {
	v, ok := s.known[verdictName(r, evidence)]
	return v, ok && v.holds(height, at)
}

func (s *verdicts) put(r *rules, evidence []byte, worker string, v verdict) {
	if s.known == nil || len(s.known) >= maxVerdicts {
		s.known, s.workers = map[[sha256.Size]byte]verdict{}, map[string]bool{}
	}
	s.known[verdictName(r, evidence)], s.workers[worker] = v, true
}

func verdictName(r *rules, evidence []byte) [sha256.Size]byte {
	return sha256.Sum256(append(r.name[:], evidence...))
}

// judge decides whether a worker's enclave is one that the network trusts, by what stands proven at the height that is worked on;
// known is false while that has not come.
func (g *Gatekeeper) judge(r *rules, ref *wire.WorkerRef) (outs []*wire.Out, w *wire.Worker, known bool, err error) {
	k := workerKey(ref)
	outs = g.ask(k)
	if !g.now.has(k) {
		return outs, nil, false, nil
	}
	if w, err = read[wire.Worker](g.now, k); err != nil {
		return outs, nil, true, err
	}
	if err := inForce(w, ref, g.now.height); err != nil {
		return outs, nil, true, err
	}
	v, ok := g.verdicts.get(r, w.EvidenceHash, g.now.height, g.now.time)
	if !ok {
		var asked []*wire.Out
		asked, v, known, err = g.look(r, w)
		outs = append(outs, asked...)
		if err != nil || !known {
			return outs, nil, known, err
		}
	}
	if !bytes.Equal(v.identity, w.IdentityKey) {
		return outs, nil, true, fmt.Errorf("the evidence of worker %s is of another identity", ref.Name())
	}
	return outs, w, true, nil
}

func inForce(w *wire.Worker, ref *wire.WorkerRef, height uint64) error {
	switch {
	case w == nil:
		return fmt.Errorf("worker %s is not registered", ref.Name())
	case !w.Worker.Is(ref):
		return fmt.Errorf("the record of worker %s is of another", ref.Name())
	case len(w.IdentityKey) != ed25519.PublicKeySize:
		return fmt.Errorf("worker %s has no identity", ref.Name())
	case w.ExpiryHeight <= height:
		return fmt.Errorf("registration of worker %s ended at height %d", ref.Name(), w.ExpiryHeight)
	}
	return nil
}

// look judges evidence itself.
func (g *Gatekeeper) look(r *rules, w *wire.Worker) (outs []*wire.Out, v verdict, known bool, err error) {
	if r.now == nil || r.past == nil {
		return nil, v, true, errors.New("there is no policy for its role, now or an activation delay before")
	}
	k := evidenceKey(w.Worker)
	if outs = g.ask(k); !g.now.has(k) {
		return outs, v, false, nil
	}
	ev, err := read[wire.WorkerEvidence](g.now, k)
	if err != nil {
		return outs, v, true, err
	}
	if ev == nil || !bytes.Equal(w.EvidenceHash, wire.Hash(ev)) {
		return outs, v, true, fmt.Errorf("the evidence of worker %s is not the registered one", w.Worker.Name())
	}
	if id := ev.Identity; !bytes.Equal(id.GetIdentityKey(), w.IdentityKey) || !id.GetWorker().Is(w.Worker) {
		return outs, v, true, fmt.Errorf("the evidence of worker %s is of another identity", w.Worker.Name())
	}
	shared := map[string][]byte{}
	for _, h := range attest.Hashes(ev.Evidence) {
		k := collateralKey(h)
		if outs = append(outs, g.ask(k)...); !g.now.has(k) {
			continue
		}
		shared[string(h)] = g.now.values[id(k)]
	}
	if len(shared) < len(attest.Hashes(ev.Evidence)) {
		return outs, v, false, nil
	}
	v, err = g.accept(r, ev, func(h []byte) []byte { return shared[string(h)] })
	if err == nil {
		g.verdicts.put(r, w.EvidenceHash, w.Worker.Name(), v)
	}
	return outs, v, true, err
}

// accept judges evidence by both policies.
func (g *Gatekeeper) accept(r *rules, ev *wire.WorkerEvidence, stored func([]byte) []byte) (verdict, error) {
	a := attest.Verify(attest.Input{
		Evidence: ev, Policy: r.now, Network: r.network, ChainID: g.cfg.ChainID, GenesisHash: g.cfg.GenesisHash,
		Height: g.now.height, NonceChecked: true, Time: g.now.time, Roots: attest.RootsOf(r.network), Stored: stored,
	})
	if err := a.Err(); err != nil {
		return verdict{}, err
	}
	v := verdict{identity: ev.Identity.IdentityKey, expiry: a.ExpiryHeight, notAfter: a.NotAfter}
	if r.now == r.past {
		return v, nil
	}
	if _, reasons := attest.Validate(a.Kind, &a.Claims, r.past, r.network, g.now.height); len(reasons) > 0 {
		return verdict{}, fmt.Errorf("evidence refused by the policy before the activation delay: %v", reasons)
	}
	if v.expiry = min(v.expiry, ev.Identity.NonceHeight+r.past.MaxAgeBlocks); v.expiry <= g.now.height {
		return verdict{}, fmt.Errorf("evidence refused by the policy before the activation delay: its age ended at height %d", v.expiry)
	}
	return v, nil
}
