package attest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/evidencefile"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// fromChain reads a worker's evidence by proof, and what collateral it names by hash.
func fromChain(ctx context.Context, e Env, worker string, l *loaded) error {
	ref, err := workerRef(e, worker)
	if err != nil {
		return err
	}
	c, err := e.Node(ctx)
	if err != nil {
		return err
	}
	w, err := c.Evidence(ctx, ref)
	if err != nil {
		return fmt.Errorf("reading the evidence of %s: %w", worker, err)
	}
	if w == nil {
		return &absent{fmt.Sprintf("the chain has no evidence of worker %s", clean(worker))}
	}
	l.name = worker
	l.File = &evidencefile.File{Format: "worker's evidence on the chain", Evidence: w.Evidence, Worker: w}
	return kept(ctx, c, l)
}

// workerRef reads OPERATOR/SLOT.
func workerRef(e Env, worker string) (*wire.WorkerRef, error) {
	operator, digits, ok := strings.Cut(worker, "/")
	slot, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || operator == "" {
		return nil, e.Usage("--worker %q: want OPERATOR/SLOT, as in pha1…/0", worker)
	}
	return &wire.WorkerRef{Operator: operator, Slot: uint32(slot)}, nil
}

// kept lets the verifier look collateral up in the chain's store; it compares the hash itself, so that no proof is needed.
func kept(ctx context.Context, c *client.Client, l *loaded) error {
	head, err := c.Chain.Head(ctx)
	if err != nil {
		return err
	}
	l.kept = func(hash []byte) []byte {
		v, err := c.Node.Value(ctx, head.Height, &wire.StoreKey{Store: storekey.Attestation, Key: storekey.CollateralKey(hash)})
		if err != nil || v == nil {
			return nil // the verifier says which piece nobody keeps
		}
		return v.Value
	}
	return nil
}

// absent is something that the chain does not have.
type absent struct{ what string }

// Error says what is not there.
func (a *absent) Error() string { return a.what }

// Is makes absence one of the program's words for it.
func (a *absent) Is(target error) bool { return target == ErrAbsent }

// ErrAbsent: the chain does not have what was asked for.
var ErrAbsent = fmt.Errorf("not on this chain")

// chainFacts are what the judgement of a worker needs besides policy and network.
type chainFacts struct {
	chainID string
	genesis []byte
}

// chainRules reads a role's policy and the network's parameters by proof.
func chainRules(ctx context.Context, e Env, role wire.Role) (*rules, error) {
	c, err := e.Node(ctx)
	if err != nil {
		return nil, err
	}
	r := &rules{policy: &wire.Policy{}, network: &wire.NetworkParams{}, chain: &chainFacts{c.ChainID(), c.Genesis.Hash}}
	var hasPolicy, hasNetwork bool
	head, err := c.Chain.Get(ctx,
		client.Read{Store: storekey.Attestation, Key: storekey.Policy(int32(role)), Into: r.policy, Found: &hasPolicy},
		client.Read{Store: storekey.Attestation, Key: storekey.Network(), Into: r.network, Found: &hasNetwork})
	if err != nil {
		return nil, fmt.Errorf("reading the chain's policy: %w", err)
	}
	if !hasPolicy || !hasNetwork {
		return nil, &absent{fmt.Sprintf("governance of %s has approved no program for %s yet", clean(c.ChainID()), role)}
	}
	r.height = head.Height
	r.from = fmt.Sprintf("the policy of %s for %s at height %d", c.ChainID(), strings.ToLower(strings.TrimPrefix(role.String(), "ROLE_")), r.height)
	return r, nil
}

// whole judges a worker's evidence as the chain does, with its identity, age and recorded configuration. The chain itself has checked the
// nonce when it took the evidence.
func (r *rules) whole(l *loaded, v *verdict) int {
	out := attest.Verify(attest.Input{
		Evidence: l.Worker, Policy: r.policy, Network: r.network, ChainID: r.chain.chainID, Height: r.height, GenesisHash: r.chain.genesis,
		NonceChecked: true, Time: l.time, Roots: attest.RootsOf(r.network), Stored: l.kept,
	})
	v.Reasons = append(v.Reasons, out.Reasons...)
	return out.Level
}
