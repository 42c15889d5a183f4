package story

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

const label = "auction of a painting"

func (s *story) bid(ctx context.Context) error {
	var err error
	if s.contract, err = s.deploy(ctx, "a painting", label); err != nil {
		return err
	}
	s.fact(s.contract, "%s put a painting up for auction, in a confidential contract", s.seller.name)
	for i, p := range s.bidders {
		msg := bidMsg(s.Bids[i].Amount)
		in, err := s.call(ctx, p, s.contract, msg)
		if err != nil {
			return err
		}
		s.inputs = append(s.inputs, in)
		s.fact(string(msg), "%s sealed a bid of %s on this machine; block %d ordered it as input %d", p.name, s.Bids[i].Amount, in.Ordered, in.Index)
	}
	s.finals = make([]*client.Final, len(s.inputs))
	g, gctx := errgroup.WithContext(ctx)
	for i, in := range s.inputs {
		g.Go(func() (err error) {
			s.finals[i], err = done(gctx, s.bidders[i], in)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	last := s.finals[len(s.finals)-1]
	s.fact("", "all %d bids were taken and are final: the last was ordered in block %d and final in block %d", len(s.bidders), s.inputs[len(s.inputs)-1].Ordered, last.Committed.Height)
	return nil
}

func (s *story) sealed(ctx context.Context) error {
	in := s.inputs[s.winner]
	item, err := s.stranger.Item(ctx, in.Cluster, in.Index)
	if err != nil {
		return err
	}
	if item == nil || item.Context.Sender != s.bidders[s.winner].key.Address() {
		return errors.New("the input is not in the inbox under its sender's name")
	}
	ct := item.Sealed.Ciphertext
	s.fact(hex.EncodeToString(ct[:32])+"…", "the chain holds %d sealed bytes of %s's bid, and their sender; they begin", len(item.Sealed.Enc)+len(ct), s.bidders[s.winner].name)
	var secrets [][]byte
	for _, b := range s.Bids {
		secrets = append(secrets, bidMsg(b.Amount), []byte(`"amount":"`+b.Amount+`"`))
	}
	head, err := s.stranger.Chain.Head(ctx)
	if err != nil {
		return err
	}
	blocks, found, control, err := searchBlocks(ctx, s.Network.RPC, head.Height, secrets, []byte(label))
	if err != nil {
		return err
	}
	if found != "" {
		return fmt.Errorf("a bid stands in clear in %s", found)
	}
	if !control {
		return errors.New("the search does not even find the auction's public name")
	}
	s.fact("", "no bid stands in any of the %d blocks; the same search does find the auction's public name", blocks)
	files, found, err := searchFiles(s.Network.Home, secrets)
	if err != nil {
		return err
	}
	if found != "" {
		return fmt.Errorf("a bid stands in clear in %s", found)
	}
	s.fact("", "no bid stands in any of the %d files that the chain, the hosts and their logs have written", files)
	return nil
}

func (s *story) batch(ctx context.Context) error {
	f := s.finals[s.winner]
	v, err := s.stranger.Cluster(ctx, s.Network.Cluster)
	if err != nil {
		return err
	}
	b := f.Committed.Signed.Batch
	msg := settle.BatchBytes(b)
	for _, sig := range f.Committed.Signed.Signatures {
		ref := v.Cluster.Members[sig.Member]
		w, err := s.stranger.Worker(ctx, ref)
		if err != nil {
			return err
		}
		if err := settle.VerifyMember(v.Cluster, w, sig, msg, b.ChainHeight); err != nil {
			return err
		}
		ev, err := s.stranger.Evidence(ctx, ref)
		if err != nil {
			return err
		}
		if ev == nil || !bytes.Equal(wire.Hash(ev), w.EvidenceHash) || !bytes.Equal(ev.Identity.IdentityKey, w.IdentityKey) {
			return fmt.Errorf("the evidence on the chain is not that of member %d", sig.Member)
		}
		kind := strings.ToLower(strings.TrimPrefix(ev.Evidence.Kind.String(), "TEE_KIND_"))
		s.fact("program "+hex.EncodeToString(w.Measurement), "member %d signed; its evidence (%s) vouches for the signing key and the program", sig.Member, kind)
	}
	if n := len(f.Committed.Signed.Signatures); n < int(v.Cluster.Quorum) {
		return fmt.Errorf("%d signatures, and the quorum is %d", n, v.Cluster.Quorum)
	}
	s.fact("state "+hex.EncodeToString(b.NewRoot), "block %d took batch %d: %d of %d members agree on inputs, outputs and the new state", f.Committed.Height, b.Number, len(f.Committed.Signed.Signatures), len(v.Cluster.Members))
	return nil
}

func (s *story) close(ctx context.Context) error {
	var early standing
	_, err := s.ask(ctx, s.seller, s.contract, map[string]empty{"winner": {}}, &early)
	if code := refusal(err); code != "contract-error" {
		return fmt.Errorf("the winner of the open auction was asked for: got %v, %w", early, err)
	}
	s.fact("", "before the end not even the seller learns who leads")
	in, err := s.call(ctx, s.seller, s.contract, mustJSON(map[string]empty{"close": {}}))
	if err != nil {
		return err
	}
	f, err := done(ctx, s.seller, in)
	if err != nil {
		return err
	}
	s.fact("", "%s closed the auction; that is final in block %d", s.seller.name, f.Committed.Height)
	return s.wins(ctx, s.contract, f.Committed.Height)
}

// wins asks who has won and compares with the file of bids.
func (s *story) wins(ctx context.Context, contract string, after uint64) error {
	var got standing
	a, err := s.ask(ctx, s.seller, contract, map[string]empty{"winner": {}}, &got)
	if err != nil {
		return err
	}
	want := standing{s.bidders[s.winner].key.Address(), s.Bids[s.winner].Amount}
	if got != want {
		return fmt.Errorf("the contract says %v has won, the bids say %v", got, want)
	}
	if a.Height < after {
		return fmt.Errorf("the answer is of height %d, and the auction closed at %d", a.Height, after)
	}
	s.fact(got.Bidder, "the winner is %s with %s", s.bidders[s.winner].name, got.Amount)
	return nil
}

// loser is some bidder who has not won.
func (s *story) loser() int { return (s.winner + 1) % len(s.bidders) }

func (s *story) own(ctx context.Context) error {
	who := s.bidders[s.loser()]
	var got standing
	if _, err := s.ask(ctx, who, s.contract, map[string]any{"bid": map[string]string{"bidder": who.key.Address()}}, &got); err != nil {
		return err
	}
	if got.Bidder != who.key.Address() || got.Amount != s.Bids[s.loser()].Amount {
		return fmt.Errorf("%s is told %v", who.name, got)
	}
	s.fact("", "%s's wallet signed a permit, and %s reads its own bid: %s", who.name, who.name, got.Amount)
	return nil
}

func (s *story) refused(ctx context.Context) error {
	victim := s.bidders[s.loser()]
	msg := map[string]any{"bid": map[string]string{"bidder": victim.key.Address()}}
	var got standing
	_, err := s.ask(ctx, s.stranger, s.contract, msg, &got)
	if code := refusal(err); code != "query-denied" {
		return fmt.Errorf("a stranger with a permit of its own asked for another's bid: got %v, %w", got, err)
	}
	s.fact(err.Error(), "a stranger with a permit of its own asks for %s's bid: refused", victim.name)
	_, err = s.stranger.Query(ctx, s.Network.Cluster, s.contract, mustJSON(msg), nil)
	if code := refusal(err); code != "permit-missing" {
		return fmt.Errorf("nobody in particular asked for a bid: %w", err)
	}
	s.fact(err.Error(), "one without a permit: refused")
	p, err := victim.Permit(s.Network.Cluster+1, 0, s.contract)
	if err != nil {
		return err
	}
	_, err = s.stranger.Query(ctx, s.Network.Cluster, s.contract, mustJSON(msg), p)
	if code := refusal(err); code != "permit-scope" {
		return fmt.Errorf("a permit for another cluster was used: %w", err)
	}
	s.fact(err.Error(), "one with %s's permit for another cluster: refused", victim.name)
	return nil
}

func (s *story) killed(ctx context.Context) error {
	contract, err := s.deploy(ctx, "another painting", "second auction")
	if err != nil {
		return err
	}
	half := len(s.bidders) / 2
	if err := s.place(ctx, contract, 0, half); err != nil {
		return err
	}
	v, err := s.stranger.Cluster(ctx, s.Network.Cluster)
	if err != nil {
		return err
	}
	gone := settle.Leader(v.Cluster, v.Head.Number+1, 0)
	s.gone = gone
	for _, program := range []string{"pruntime", "offchaind"} {
		if err := s.Network.Kill(fmt.Sprintf("%s-executor%d", program, gone+1)); err != nil {
			return err
		}
	}
	s.fact("", "%d of %d bids are in; the next leader, member %d, is killed with its host", half, len(s.bidders), gone)
	if err := s.place(ctx, contract, half, len(s.bidders)); err != nil {
		return err
	}
	in, err := s.call(ctx, s.seller, contract, mustJSON(map[string]empty{"close": {}}))
	if err != nil {
		return err
	}
	f, err := done(ctx, s.seller, in)
	if err != nil {
		return err
	}
	var views uint64
	for n := v.Head.Number + 1; n <= f.Batch.Number; n++ {
		b, err := s.stranger.Batch(ctx, s.Network.Cluster, n)
		if err != nil {
			return err
		}
		if b == nil {
			return fmt.Errorf("batch %d is not on the chain", n)
		}
		batch := b.Signed.Batch
		if leader := settle.Leader(v.Cluster, batch.Number, batch.View); leader == gone {
			return fmt.Errorf("batch %d is led by member %d, which is dead", n, gone)
		}
		for _, sig := range b.Signed.Signatures {
			if int(sig.Member) == gone {
				return fmt.Errorf("batch %d carries a signature of member %d, which is dead", n, gone)
			}
		}
		views += batch.View
	}
	if views == 0 {
		return errors.New("no leader was passed over")
	}
	s.fact("", "batches %d to %d are led and signed by the other two; %d times a leader was passed over", v.Head.Number+1, f.Batch.Number, views)
	return s.wins(ctx, contract, f.Committed.Height)
}

// place places bids from..to and waits until they are final.
func (s *story) place(ctx context.Context, contract string, from, to int) error {
	g, gctx := errgroup.WithContext(ctx)
	for i := from; i < to; i++ {
		in, err := s.call(ctx, s.bidders[i], contract, bidMsg(s.Bids[i].Amount))
		if err != nil {
			return err
		}
		g.Go(func() error {
			_, err := done(gctx, s.bidders[i], in)
			return err
		})
	}
	return g.Wait()
}
