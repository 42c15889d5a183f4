package relay

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	attestation "github.com/phala-go/phala/chain/x/attestation/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// refusedEvidence is evidence that the chain refuses, or would refuse.
type refusedEvidence struct {
	reasons []claims.Reason
	paid    bool              // it was sent and has cost a fee
	about   [sha256.Size]byte // of policy, network, program and collateral: when one changes, the reasons are news
}

// Error has every reason with what to do about it.
func (r *refusedEvidence) Error() string {
	lines := make([]string, len(r.reasons))
	for i, x := range r.reasons {
		lines[i] = x.String()
	}
	return "evidence refused: " + strings.Join(lines, "; ")
}

// foresee judges evidence as the next block would, by the policy in force, so that no fee is paid for a refusal. The collateral must be
// written out. What it cannot foresee is what changes between the two blocks.
func (s *session) foresee(ev *wire.WorkerEvidence, nonce *attestation.QueryNonceResponse, network *wire.NetworkParams, now time.Time, height uint64) error {
	role := ev.GetIdentity().GetRole()
	var r attestation.QueryPolicyResponse
	err := s.cfg.Chain.Query(s.ctx, "/phala.attestation.v1.Query/Policy", &attestation.QueryPolicyRequest{Role: role}, &r)
	if errors.Is(err, node.ErrNotFound) {
		return &refusedEvidence{reasons: []claims.Reason{{Code: "no-policy", Field: "policy", Got: "none", Want: "one of governance for " + role.String(),
			Advice: "propose a policy: until it is in force no worker of this role registers"}}}
	}
	if err != nil {
		return fmt.Errorf("asking the chain for its policy: %w", err)
	}
	v := attest.Verify(attest.Input{
		Evidence: ev, Policy: r.Policy, Network: network, ChainID: s.identity.ChainId, GenesisUnknown: true, NonceHash: nonce.Hash,
		Height: height + 1, Time: now, Roots: attest.RootsOf(network),
	})
	if v.Accepted {
		return nil
	}
	h := sha256.New()
	h.Write(wire.Marshal(r.Policy))
	h.Write(wire.Marshal(network))
	h.Write(v.Measurement)
	h.Write(ev.Evidence.GetCollateral())
	return &refusedEvidence{reasons: v.Reasons, about: [sha256.Size]byte(h.Sum(nil))}
}

// tellRefusal gives each reason once, until policy, program or collateral are others.
func (s *session) tellRefusal(no *refusedEvidence, told map[string]bool, w *wire.Worker, tip uint64) {
	for _, r := range no.reasons {
		key := fmt.Sprintf("%x %s %s", no.about, r.Code, r.Field)
		if told[key] {
			continue
		}
		told[key] = true
		what := "the chain would refuse the worker's evidence: nothing is sent or paid, and policy and evidence are looked at again"
		if no.paid {
			what = "the chain has refused the worker's evidence"
		}
		s.log.Warn(what, "worker", s.cfg.Worker.Name(), "code", r.Code, "field", r.Field, "is", r.Got, "want", r.Want, "do", r.Advice, "registered for", s.left(w, tip))
	}
}

// left is for how many blocks this boot is still registered.
func (s *session) left(w *wire.Worker, tip uint64) uint64 {
	if !s.mine(w) || w.ExpiryHeight <= tip {
		return 0
	}
	return w.ExpiryHeight - tip
}

// Longest waits between two attempts: at what costs nothing and may be over at once, at a policy that refuses, and at what costs a fee each
// time.
const (
	waitUndecided = 5 * time.Second
	waitRefused   = 10 * time.Second
	waitPaid      = 10 * time.Minute
)

// backOff is the wait after err, which follows one of last.
func backOff(err error, last time.Duration) time.Duration {
	var no *refusedEvidence
	var tx *node.TxError
	switch {
	case errors.As(err, &no) && no.paid, errors.As(err, &tx) && tx.Height > 0:
		return min(max(2*last, waitUndecided), waitPaid)
	case no != nil:
		return min(2*last, waitRefused)
	default:
		return min(2*last, waitUndecided)
	}
}
