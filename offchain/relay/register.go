package relay

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	attestation "github.com/phala-go/phala/chain/x/attestation/types"
	worker "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/metrics"
)

// checkEvery is how many blocks pass at most between two looks at the worker's record.
const checkEvery = 50

// register keeps the worker's record on the chain that of this boot, and its evidence young.
func (s *session) register() error {
	const soon = 100 * time.Millisecond
	registered, wait, last, refused := false, soon, "", map[string]bool{}
	var told warned
	var age span
	for s.ctx.Err() == nil {
		w, tip, err := s.recordOnChain()
		if err == nil && w != nil && registered && !s.mine(w) {
			s.log.Error("another enclave has registered under this worker's name: stop one of the two", "worker", s.cfg.Worker.Name())
			<-s.ctx.Done()
			return s.ctx.Err()
		}
		if err == nil && (s.mustRegister(w, tip, &age) || s.watchCollateral(w, &told)) {
			err = s.registerOnce()
			registered = registered || err == nil
			s.cfg.Metrics.Add(metrics.Registrations, 1, outcomeOf(err))
			if err == nil {
				if w, tip, err = s.recordOnChain(); err == nil {
					s.lookAtWorker(w, tip)
				}
			}
		} else if err == nil && !registered {
			// The record is of this boot: the enclave was told its name by whoever made it, and is told again.
			_, _, err = s.evidence()
			registered = err == nil
		}
		if s.ctx.Err() != nil {
			break
		}
		if err != nil {
			var no *refusedEvidence
			if errors.As(err, &no) {
				s.tellRefusal(no, refused, w, tip)
			} else if msg := err.Error(); msg != last {
				s.notRegistered(w, tip, err)
				last = msg
			}
			wait = backOff(err, wait)
			pause(s.ctx, wait)
			continue
		}
		wait, last = soon, ""
		clear(refused)
		every := uint64(checkEvery)
		if w != nil {
			every = min(every, max(1, age.of(w, tip)/4))
		}
		s.waitTip(max(tip, s.height()) + every)
	}
	return s.ctx.Err()
}

// mine is whether a record is of this boot of the enclave.
func (s *session) mine(w *wire.Worker) bool {
	return w != nil && bytes.Equal(w.IdentityKey, s.identity.IdentityKey)
}

// outcomeOf is what a registration has come to, as it is counted.
func outcomeOf(err error) string {
	var no *refusedEvidence
	if errors.As(err, &no) {
		return "refused"
	}
	return result(err)
}

// notRegistered says what stands in the way, and how long a registration in force still counts.
func (s *session) notRegistered(w *wire.Worker, tip uint64, err error) {
	left := s.left(w, tip)
	if left == 0 {
		s.log.Warn("the worker is not registered yet", "worker", s.cfg.Worker.Name(), "error", err)
		return
	}
	s.log.Warn("the worker's registration is not renewed yet", "worker", s.cfg.Worker.Name(), "expires", w.ExpiryHeight, "blocks", left, "error", err)
}

func (s *session) height() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tip
}

// recordOnChain gives the worker's record, nil if it has none, and a height to judge its age by.
func (s *session) recordOnChain() (*wire.Worker, uint64, error) {
	var nonce attestation.QueryNonceResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.attestation.v1.Query/Nonce", &attestation.QueryNonceRequest{}, &nonce); err != nil {
		return nil, 0, err
	}
	var resp worker.QueryWorkerResponse
	req := &worker.QueryWorkerRequest{Operator: s.cfg.Worker.Operator, Slot: s.cfg.Worker.Slot}
	err := s.cfg.Chain.Query(s.ctx, "/phala.worker.v1.Query/Worker", req, &resp)
	if errors.Is(err, node.ErrNotFound) {
		return nil, nonce.Height, nil
	}
	return resp.Worker, nonce.Height, err
}

func (s *session) mustRegister(w *wire.Worker, tip uint64, age *span) bool {
	if !s.mine(w) || w.Endpoint != s.cfg.Endpoint {
		return true
	}
	life := age.of(w, tip)
	return tip+max(life/5, min(2*checkEvery, life/2)) >= w.ExpiryHeight
}

// span is how long the newest evidence lasts, in blocks. The record does not say: a boot that is renewed keeps its first height.
type span struct{ expiry, blocks uint64 }

// of is that of w, counted from the height at which its end was first seen.
func (p *span) of(w *wire.Worker, tip uint64) uint64 {
	if p.expiry != w.ExpiryHeight {
		*p = span{w.ExpiryHeight, w.ExpiryHeight - min(max(tip, w.RegisteredHeight), w.ExpiryHeight)}
	}
	return p.blocks
}

// evidence has the enclave attest over the newest nonce, which it gives too; by the first one of a boot it learns its name.
func (s *session) evidence() (*wire.WorkerEvidence, *attestation.QueryNonceResponse, error) {
	var nonce attestation.QueryNonceResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.attestation.v1.Query/Nonce", &attestation.QueryNonceRequest{}, &nonce); err != nil {
		return nil, nil, err
	}
	out, err := s.call(&wire.In{Body: &wire.In_Attest{Attest: &wire.Attest{Worker: s.cfg.Worker, NonceHeight: nonce.Height, NonceHash: nonce.Hash}}})
	if err != nil {
		return nil, nil, fmt.Errorf("asking the enclave for evidence: %w", err)
	}
	ev := out.GetEvidence()
	if ev == nil || ev.Evidence == nil || ev.Identity == nil {
		return nil, nil, errors.New("asking the enclave for evidence: it gave none")
	}
	select {
	case <-s.named:
	default:
		close(s.named)
	}
	return ev, &nonce, nil
}

func (s *session) registerOnce() error {
	ev, nonce, err := s.evidence()
	if err != nil {
		return err
	}
	if err := s.complete(ev, nonce); err != nil {
		return fmt.Errorf("registering the worker: %w", err)
	}
	res, err := s.cfg.Sender.Send(s.ctx, &worker.MsgRegisterWorker{Operator: s.cfg.Worker.Operator, Evidence: ev, Endpoint: s.cfg.Endpoint})
	if err != nil {
		return fmt.Errorf("registering the worker: %w", err)
	}
	var r worker.MsgRegisterWorkerResponse
	if err := res.Response(0, &r); err != nil {
		return err
	}
	if r.ExpiryHeight == 0 {
		return fmt.Errorf("registering the worker: %w", &refusedEvidence{reasons: refusals(res.Events), paid: true})
	}
	s.log.Info("registered the worker", "worker", s.cfg.Worker.Name(), "height", res.Height, "expires", r.ExpiryHeight, "endpoint", s.cfg.Endpoint)
	return nil
}

// refusals are the reasons that the chain's events give.
func refusals(events []node.Event) (out []claims.Reason) {
	for _, e := range events {
		if e.Type != worker.EventRefused {
			continue
		}
		attr := func(name string) string { v, _ := e.Attr(name); return v }
		out = append(out, claims.Reason{
			Code: attr(worker.AttributeCode), Field: attr(worker.AttributeField), Got: attr(worker.AttributeGot),
			Want: attr(worker.AttributeWant), Advice: attr(worker.AttributeAdvice),
		})
	}
	return out
}
