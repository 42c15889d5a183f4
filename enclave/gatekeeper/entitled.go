package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// facts are what the chain says about one request, all at one height. A nil field is proven absent.
type facts struct {
	request  *wire.KeyRequest
	set      *wire.GatekeeperSet
	worker   *wire.Worker
	evidence *wire.WorkerEvidence
	policy   *wire.Policy
	network  *wire.NetworkParams
	cluster  *wire.Cluster

	time   time.Time // of the header at that height: certificates are judged by the chain's clock, never by the host's
	shared sharedCollateral
}

// sharedCollateral is what evidence names by hash, as the chain keeps it.
type sharedCollateral map[string][]byte

func (s sharedCollateral) get(hash []byte) []byte { return s[string(hash)] }

func read(p *pending, f lightclient.Facts, at time.Time) (*facts, error) {
	c := facts{time: at, shared: sharedCollateral{}}
	keys := p.keys()
	for _, h := range p.collateral {
		b, err := f.Bytes(collateralKey(h))
		if err != nil {
			return nil, err
		}
		c.shared[string(h)] = b
	}
	var err error
	if c.request, err = get(f, keys[0], &wire.KeyRequest{}); err != nil {
		return nil, err
	}
	if c.set, err = get(f, keys[1], &wire.GatekeeperSet{}); err != nil {
		return nil, err
	}
	if c.worker, err = get(f, keys[2], &wire.Worker{}); err != nil {
		return nil, err
	}
	if c.evidence, err = get(f, keys[3], &wire.WorkerEvidence{}); err != nil {
		return nil, err
	}
	if c.policy, err = get(f, keys[4], &wire.Policy{}); err != nil {
		return nil, err
	}
	if c.network, err = get(f, keys[5], &wire.NetworkParams{}); err != nil {
		return nil, err
	}
	c.cluster, err = get(f, keys[6], &wire.Cluster{})
	return &c, err
}

func get[M any, P interface {
	*M
	wire.Message
}](f lightclient.Facts, k *wire.StoreKey, m P) (P, error) {
	found, err := f.Read(k, m)
	if err != nil || !found {
		return nil, err
	}
	return m, nil
}

// entitled is nil if the request may be answered at height; otherwise it says why not. Every fact it uses was proven.
func (c *facts) entitled(cfg Config, height uint64) error {
	r := c.request
	if c.set == nil || c.worker == nil || c.evidence == nil || c.policy == nil || c.network == nil || c.cluster == nil {
		return errors.New("gatekeeper set, worker, evidence, policy, network or cluster is not on the chain")
	}
	if len(c.set.Members) != 1 || c.set.Threshold != 1 {
		return fmt.Errorf("the set has %d gatekeepers with threshold %d: this version serves one", len(c.set.Members), c.set.Threshold)
	}
	w := c.worker
	switch {
	case !isMe(cfg, c.set.Members[0]):
		return fmt.Errorf("another boot of %s holds the parts of epoch %d: this one holds nothing", c.set.Members[0].Worker.Name(), c.set.Epoch)
	case r.Epoch != c.set.Epoch || r.Epoch != c.cluster.Epoch || r.Roster != c.cluster.Roster:
		return fmt.Errorf("it is for epoch %d roster %d, the cluster has %d and %d, the gatekeepers %d", r.Epoch, r.Roster, c.cluster.Epoch, c.cluster.Roster, c.set.Epoch)
	case r.Cluster != c.cluster.Id || !slices.ContainsFunc(c.cluster.Members, r.Worker.Is):
		return fmt.Errorf("worker %s is no member of cluster %d", r.Worker.Name(), c.cluster.Id)
	case !w.Worker.Is(r.Worker) || !bytes.Equal(w.IdentityKey, r.IdentityKey):
		return fmt.Errorf("identity %x is not the registered one of worker %s", r.IdentityKey, r.Worker.Name())
	case len(w.IdentityKey) != ed25519.PublicKeySize || c.evidence.Identity == nil:
		return fmt.Errorf("worker %s has no identity or no evidence of it", r.Worker.Name())
	case w.ExpiryHeight <= height:
		return fmt.Errorf("registration of worker %s ended at height %d", r.Worker.Name(), w.ExpiryHeight)
	case !ed25519.Verify(w.IdentityKey, settle.KeyRequestBytes(cfg.ChainID, r), r.Signature):
		return fmt.Errorf("it is not signed by the identity of worker %s", r.Worker.Name())
	case !bytes.Equal(w.EvidenceHash, wire.Hash(c.evidence)):
		return fmt.Errorf("the evidence of worker %s is not the registered one", r.Worker.Name())
	case !bytes.Equal(c.evidence.GetIdentity().GetIdentityKey(), w.IdentityKey) || !c.evidence.Identity.Worker.Is(w.Worker):
		return fmt.Errorf("the evidence of worker %s is of another identity", r.Worker.Name())
	}
	return attest.Verify(attest.Input{
		Evidence: c.evidence, Policy: c.policy, Network: c.network, ChainID: cfg.ChainID,
		GenesisHash: cfg.GenesisHash, Height: height, NonceChecked: true,
		Time: c.time, Roots: attest.RootsOf(c.network), Stored: c.shared.get,
	}).Err()
}
