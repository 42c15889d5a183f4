package relay

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	attestation "github.com/phala-go/phala/chain/x/attestation/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/collateral"
	"github.com/phala-go/phala/offchain/metrics"
)

// How long before its end collateral is fetched anew without haste, and how often its operator is told.
const (
	warnBefore = 7 * 24 * time.Hour
	warnEvery  = 12 * time.Hour
)

// keptSpare is for how many blocks the chain must still keep a piece; the registration itself then keeps it longer.
const keptSpare = 100

// warned is what the operator was last told of, and the chain's time of that.
type warned struct {
	what string
	at   time.Time
}

// complete puts the operator's collateral into the evidence, judges both as the chain will, and has the chain keep what many share,
// which the evidence then names by hash.
func (s *session) complete(worker *wire.WorkerEvidence, nonce *attestation.QueryNonceResponse) error {
	ev := worker.Evidence
	if err := s.cfg.Collateral.Add(ev); err != nil {
		return err
	}
	now, height, err := s.chainTime()
	if err != nil {
		return err
	}
	var network attestation.QueryNetworkResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.attestation.v1.Query/Network", &attestation.QueryNetworkRequest{}, &network); err != nil {
		return err
	}
	if err := s.cfg.Collateral.Judge(ev, attest.RootsOf(network.Network), now); err != nil {
		return err
	}
	if err := s.foresee(worker, nonce, network.Network, now, height); err != nil || s.cfg.Collateral == "" {
		return err
	}
	var whole wire.Collateral
	if err := wire.Unmarshal(ev.Collateral, &whole); err != nil {
		return fmt.Errorf("reading the collateral: %w", err)
	}
	short, pieces := attest.Share(&whole)
	if err := s.store(pieces, height); err != nil {
		return err
	}
	ev.Collateral = wire.Marshal(short)
	return nil
}

// store has the chain keep the pieces that it does not say it holds.
func (s *session) store(pieces [][]byte, height uint64) error {
	var missing [][]byte
	size, asked := 0, map[string]bool{}
	for _, p := range pieces {
		h := sha256.Sum256(p)
		if asked[string(h[:])] {
			continue
		}
		asked[string(h[:])] = true
		kept, err := s.kept(h[:], p, height)
		if err != nil {
			return fmt.Errorf("asking the chain for collateral: %w", err)
		}
		if !kept {
			missing = append(missing, p)
			size += len(p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := s.cfg.Sender.Send(s.ctx, &attestation.MsgStoreCollateral{Sender: s.cfg.Sender.Address(), Items: missing}); err != nil {
		return fmt.Errorf("storing collateral: %w", err)
	}
	s.log.Info("stored collateral on the chain", "pieces", len(missing), "bytes", size)
	return nil
}

// kept is whether the chain holds a piece, and for long enough.
func (s *session) kept(hash, piece []byte, height uint64) (bool, error) {
	var r attestation.QueryCollateralResponse
	err := s.cfg.Chain.Query(s.ctx, "/phala.attestation.v1.Query/Collateral", &attestation.QueryCollateralRequest{Hash: hash}, &r)
	if errors.Is(err, node.ErrNotFound) {
		return false, nil
	}
	return err == nil && bytes.Equal(r.Data, piece) && r.KeptUntil > height+keptSpare, err
}

// chainTime is the time by which the chain judges, that of a block which is already committed, and that block's height.
func (s *session) chainTime() (time.Time, uint64, error) {
	var nonce attestation.QueryNonceResponse
	if err := s.cfg.Chain.Query(s.ctx, "/phala.attestation.v1.Query/Nonce", &attestation.QueryNonceRequest{}, &nonce); err != nil {
		return time.Time{}, 0, err
	}
	lb, err := s.cfg.Chain.LightBlock(s.ctx, nonce.Height)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("asking for the chain's time: %w", err)
	}
	return lb.Time, nonce.Height, nil
}

// watchCollateral warns of what ends, and says whether newer files make the registration last longer.
func (s *session) watchCollateral(w *wire.Worker, told *warned) (renew bool) {
	if w == nil || w.NotAfter <= 0 {
		return false
	}
	now, _, err := s.chainTime()
	if err != nil {
		return false // whoever asks the chain next says so
	}
	end := time.Unix(w.NotAfter, 0)
	s.cfg.Metrics.Put(metrics.RegistrationEnds, float64(w.NotAfter))
	if s.cfg.Collateral == "" {
		s.warn(told, collateral.End{What: "the collateral or a certificate that the registration rests on", At: end}, now, "Start offchaind with --collateral and files that last longer")
		return false
	}
	fresh := &wire.Evidence{Kind: s.identity.Kind}
	if err := s.cfg.Collateral.Add(fresh); err != nil {
		s.warn(told, collateral.End{What: "the registration", At: end}, now, "It cannot be renewed: "+err.Error())
		return false
	}
	items, err := attest.ParseCollateral(fresh.Collateral)
	first := collateral.Ends(items)
	if err != nil || len(first) == 0 {
		return false
	}
	s.cfg.Metrics.Put(metrics.CollateralEnds, float64(first[0].At.Unix()))
	s.warn(told, first[0], now, collateral.Fetch(s.identity.Kind)+". Put the files in the place of the old ones; no restart is needed")
	return end.Sub(now) < warnBefore && first[0].At.After(end.Add(time.Hour))
}

// warn tells the operator of an end that is near, again and again but not at every look.
func (s *session) warn(told *warned, e collateral.End, now time.Time, advice string) {
	left := e.At.Sub(now)
	if left > warnBefore || (told.what == e.What && now.Sub(told.at) < min(warnEvery, max(left/4, time.Minute))) {
		return
	}
	*told = warned{e.What, now}
	s.log.Warn("what the worker's registration rests on ends soon", "worker", s.cfg.Worker.Name(), "what", e.What, "ends", e.At.UTC().Format(time.RFC3339), "left", left.Round(time.Minute).String(),
		"files", string(s.cfg.Collateral), "do", advice)
}
