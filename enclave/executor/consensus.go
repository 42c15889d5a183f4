package executor

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

const (
	maxProposalAge = 64  // blocks; the chain's own limit is not larger
	maxItems       = 256 // inputs in one batch
)

// tally collects signatures on the batch that this worker proposed.
type tally struct {
	signatures []*wire.BatchSignature
	sent       bool
}

// advance does whatever the cluster's facts now allow.
func (x *Executor) advance(ctx context.Context, c *cluster) {
	if c.height == 0 || c.me < 0 || c.broken != nil {
		return
	}
	x.keep(c)
	if err := errors.Join(x.deal(c), x.rescued(c)); err != nil {
		x.complain(fmt.Errorf("escrow of cluster %d at height %d: %w", c.id, c.height, err))
	}
	if len(c.keys)+len(c.archive) == 0 {
		return
	}
	err := x.catchUp(ctx, c)
	x.preserve(c)
	c.closeArchive()
	if err == nil && c.final.number == c.head.Number {
		err = x.propose(ctx, c)
		for _, p := range c.release() {
			err = errors.Join(err, x.vote(ctx, c, p))
		}
	}
	var code *needCode
	var drawn *needBeacon
	switch {
	case errors.As(err, &drawn): // asked for
	case errors.Is(err, errNoKey): // asked for, or the next epoch makes void what needs it
	case errors.As(err, &code):
		x.emit(&wire.Out{Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{Id: code.id}}})
	case err != nil:
		x.complain(fmt.Errorf("serving cluster %d at height %d: %w", c.id, c.height, err))
	}
}

// propose makes the next batch if it is this worker's turn and there is input.
func (x *Executor) propose(ctx context.Context, c *cluster) error {
	number, view := c.head.Number+1, settle.View(c.head, c.height)
	if c.keys[c.now()] == nil || settle.Leader(c.info, number, view) != c.me || c.signed[view] != nil || c.height <= x.quiet || c.inbox.Next == c.head.InboxNext {
		return nil
	}
	count := uint32(min(c.inbox.Next-c.head.InboxNext, maxItems))
	items, ok := x.gather(c, c.head.InboxNext, count)
	if !ok {
		return nil
	}
	at, ok := x.cfg.Light.Header(c.height)
	if !ok {
		return fmt.Errorf("height %d is not kept any more", c.height)
	}
	var cand *candidate
	for cand == nil {
		if items = x.ready(c, items, at.Height); len(items) == 0 {
			return nil
		}
		var err error
		cand, err = x.run(ctx, c, job{cluster: c.info, prev: c.final, at: at, view: view, first: c.head.InboxNext, items: items, slow: c.slow})
		if n := (*needBeacon)(nil); errors.As(err, &n) {
			continue // without that one, and those behind it
		}
		if err != nil {
			return err
		}
	}
	s := x.sign(c, cand)
	c.votes[string(cand.hash)] = &tally{signatures: []*wire.BatchSignature{s}}
	for i, m := range c.info.Members {
		if i != c.me {
			x.send(m, &wire.PeerMessage{Body: &wire.PeerMessage_Proposal{Proposal: &wire.Proposal{Batch: cand.batch, Signature: s}}})
		}
	}
	x.count(c, cand)
	return nil
}

func (x *Executor) send(to *wire.WorkerRef, m *wire.PeerMessage) {
	m.To = to
	x.emit(&wire.Out{Body: &wire.Out_Peer{Peer: m}})
}

// sign signs a candidate; the caller has seen to it that nothing else was signed in its view.
func (x *Executor) sign(c *cluster, cand *candidate) *wire.BatchSignature {
	c.signed[cand.batch.View] = cand.hash
	for hash, old := range c.candidates { // a head may stand still for long, and the chain takes none so old
		if old.batch.ChainHeight+maxProposalAge < c.height {
			delete(c.candidates, hash)
			delete(c.votes, hash)
		}
	}
	c.candidates[string(cand.hash)] = cand
	return &wire.BatchSignature{Member: uint32(c.me), Signature: ed25519.Sign(x.cfg.Identity, settle.BatchBytes(cand.batch))}
}

// Peer takes a message of another enclave.
func (x *Executor) Peer(ctx context.Context, m *wire.PeerMessage) []*wire.Out {
	var err error
	switch b := m.Body.(type) {
	case *wire.PeerMessage_Proposal:
		err = x.proposal(ctx, b.Proposal)
	case *wire.PeerMessage_Vote:
		err = x.voted(b.Vote)
	case *wire.PeerMessage_KeyPart:
		err = x.part(ctx, b.KeyPart)
	default:
		err = fmt.Errorf("taking a peer's message: an executor takes no %T", b)
	}
	if err != nil {
		x.complain(err)
	}
	return x.drain()
}

// proposal checks that the leader says so and votes, now or once this worker has seen as much of the chain.
func (x *Executor) proposal(ctx context.Context, p *wire.Proposal) error {
	b := p.GetBatch()
	c := x.clusters[b.GetCluster()]
	if c == nil || c.me < 0 || c.height == 0 {
		return fmt.Errorf("taking a proposal for cluster %d: this worker is no member", b.GetCluster())
	}
	if b.ChainHeight > c.height+maxProposalAge || b.Number <= c.final.number {
		return fmt.Errorf("taking a proposal: batch %d at height %d, this worker is at batch %d and height %d", b.Number, b.ChainHeight, c.final.number, c.height)
	}
	if p.Signature == nil || int(p.Signature.Member) != settle.Leader(c.info, b.Number, b.View) {
		return fmt.Errorf("taking a proposal of batch %d: it is not its leader's", b.Number)
	}
	if err := settle.VerifyMember(c.info, c.members[p.Signature.Member], p.Signature, settle.BatchBytes(b), b.ChainHeight); err != nil {
		return fmt.Errorf("taking a proposal of batch %d: %w", b.Number, err)
	}
	// One waits for each member, so that no member crowds out another's.
	c.held = slices.DeleteFunc(c.held, func(h *wire.Proposal) bool { return h.Signature.Member == p.Signature.Member })
	c.held = append(c.held, p)
	x.advance(ctx, c)
	return nil
}

// release takes the held proposals whose height this worker has seen; those of the past are dropped.
func (c *cluster) release() (ready []*wire.Proposal) {
	c.held = slices.DeleteFunc(c.held, func(p *wire.Proposal) bool {
		if p.Batch.Number <= c.final.number {
			return true
		}
		if p.Batch.Number == c.final.number+1 && p.Batch.ChainHeight <= c.height {
			ready = append(ready, p)
			return true
		}
		return false
	})
	return ready
}

// vote executes what the leader executed and signs it if it comes to the same.
func (x *Executor) vote(ctx context.Context, c *cluster, p *wire.Proposal) error {
	b := p.Batch
	if err := x.follows(c, b); err != nil {
		return fmt.Errorf("voting on batch %d: %w", b.Number, err)
	}
	if b.ChainHeight <= x.quiet {
		return fmt.Errorf("voting on batch %d of height %d: this worker has forgotten what it signed up to height %d", b.Number, b.ChainHeight, x.quiet)
	}
	if before, done := c.signed[b.View]; done {
		if bytes.Equal(before, settle.BatchHash(b)) {
			return nil
		}
		return fmt.Errorf("voting on batch %d: another one was judged in view %d", b.Number, b.View)
	}
	if b.InboxCount > maxItems {
		return fmt.Errorf("voting on batch %d: %d inputs, at most %d", b.Number, b.InboxCount, maxItems)
	}
	items, ok := x.gather(c, b.InboxFirst, b.InboxCount)
	if !ok {
		c.held = append(c.held, p) // until they have come
		return nil
	}
	if last := items[len(items)-1]; last.Height >= b.ChainHeight {
		return fmt.Errorf("voting on batch %d: item %d was ordered at height %d, the batch executes at %d", b.Number, last.Index, last.Height, b.ChainHeight)
	}
	at, ok := x.cfg.Light.Header(b.ChainHeight)
	if !ok {
		return fmt.Errorf("voting on batch %d: height %d is not kept any more", b.Number, b.ChainHeight)
	}
	cand, err := x.run(ctx, c, job{cluster: c.under(b.Epoch, b.Roster), prev: c.final, at: at, view: b.View, first: b.InboxFirst, items: items, slow: c.slow})
	if err != nil {
		var code *needCode
		var drawn *needBeacon
		if errors.As(err, &code) || errors.As(err, &drawn) || errors.Is(err, errNoKey) {
			c.held = append(c.held, p)
		}
		return err
	}
	if !bytes.Equal(cand.hash, settle.BatchHash(b)) {
		c.signed[b.View] = []byte{} // a liar gets one execution a view
		return fmt.Errorf("voting on batch %d of member %d: this worker comes to another result; not signed", b.Number, p.Signature.Member)
	}
	s := x.sign(c, cand)
	x.send(c.info.Members[p.Signature.Member], &wire.PeerMessage{Body: &wire.PeerMessage_Vote{
		Vote: &wire.Vote{Cluster: c.id, BatchHash: cand.hash, Signature: s},
	}})
	return nil
}

// voted takes a vote on this worker's own proposal.
func (x *Executor) voted(v *wire.Vote) error {
	c := x.clusters[v.Cluster]
	if c == nil {
		return fmt.Errorf("taking a vote for cluster %d: this worker is no member", v.Cluster)
	}
	t, cand := c.votes[string(v.BatchHash)], c.candidates[string(v.BatchHash)]
	if t == nil || cand == nil {
		return nil // decided meanwhile
	}
	s := v.Signature
	if s == nil || int(s.Member) >= len(c.members) {
		return errors.New("taking a vote: it is of no member")
	}
	if err := settle.VerifyMember(c.info, c.members[s.Member], s, settle.BatchBytes(cand.batch), cand.batch.ChainHeight); err != nil {
		return fmt.Errorf("taking a vote: %w", err)
	}
	at, double := slices.BinarySearchFunc(t.signatures, s.Member, func(a *wire.BatchSignature, m uint32) int { return int(a.Member) - int(m) })
	if !double {
		t.signatures = slices.Insert(t.signatures, at, s)
	}
	x.count(c, cand)
	return nil
}

// count gives out the batch once a quorum has signed.
func (x *Executor) count(c *cluster, cand *candidate) {
	t := c.votes[string(cand.hash)]
	if t.sent || uint32(len(t.signatures)) < c.info.Quorum {
		return
	}
	t.sent = true
	x.emit(&wire.Out{Body: &wire.Out_Batch{Batch: &wire.SignedBatch{Batch: cand.batch, Signatures: t.signatures}}})
}

// catchUp takes the worker's state to the chain's head: by what it executed itself, by the sealed log after a boot, or by
// executing what others have settled.
func (x *Executor) catchUp(ctx context.Context, c *cluster) error {
	if c.restoring && !x.fetched(c) {
		return nil
	}
	for c.final.number < c.head.Number {
		n := c.final.number + 1
		if n == c.head.Number {
			if cand := c.candidates[string(c.head.BatchHash)]; cand != nil {
				x.finalize(c, cand)
				continue
			}
		}
		committed := c.batches[n]
		if committed == nil {
			for i := n; i <= c.head.Number && i < n+restoreWindow; i++ {
				if c.batches[i] == nil {
					x.want(c, inCluster(storekey.BatchKey(c.id, i)))
				}
			}
			return nil
		}
		b := committed.Signed.Batch
		if !bytes.Equal(b.PrevBatchHash, c.final.hash) {
			c.broken = fmt.Errorf("batch %d of the chain does not follow this worker's batch %d", n, c.final.number)
			return c.broken
		}
		if cand := c.candidates[string(settle.BatchHash(b))]; cand != nil {
			x.finalize(c, cand)
			continue
		}
		if c.restoring {
			done, err := x.restore(c, b)
			if err != nil {
				x.complain(err)
			}
			if done {
				continue
			}
			if c.restoring {
				return nil
			}
		}
		done, err := x.repeat(ctx, c, b)
		if err != nil && c.broken == nil && c.height >= c.fetch.since+3*repeatAfter {
			c.restoring, c.fetch = true, nil // others may have written more meanwhile
		}
		if err != nil || !done {
			return err
		}
	}
	c.restoring = false
	return nil
}

// repeat executes a final batch that this worker has not executed.
func (x *Executor) repeat(ctx context.Context, c *cluster, b *wire.Batch) (bool, error) {
	items, ok := x.gather(c, b.InboxFirst, b.InboxCount)
	if !ok {
		return false, nil
	}
	at, ok := x.cfg.Light.Header(b.ChainHeight)
	if !ok || !bytes.Equal(at.Hash, b.ChainHash) {
		return false, fmt.Errorf("repeating batch %d: its block %d is not among the last verified headers and nobody has its record", b.Number, b.ChainHeight)
	}
	cand, err := x.run(ctx, c, job{cluster: c.under(b.Epoch, b.Roster), prev: c.final, at: at, view: b.View, first: b.InboxFirst, items: items})
	if errors.Is(err, errNoKey) {
		c.restoring = true // another member has sealed what it came to under keys that this one has
		return false, err
	}
	if err != nil {
		return false, err
	}
	if !bytes.Equal(cand.hash, settle.BatchHash(b)) {
		c.broken = fmt.Errorf("batch %d is final on the chain and this worker comes to another result: it stops serving cluster %d", b.Number, c.id)
		return false, c.broken
	}
	x.finalize(c, cand)
	return true, nil
}

// finalize takes a batch that the chain has proven to be final, and lets out what depends on it.
func (x *Executor) finalize(c *cluster, cand *candidate) {
	b := cand.batch
	c.moveTo(cand.snapshot(), b)
	c.results.add(c, cand)
	if r := x.sealRecord(c, cand); r != nil {
		c.logged += len(r.Ciphertext)
		x.emit(&wire.Out{Body: &wire.Out_Record{Record: r}})
	}
	x.emit(&wire.Out{Body: &wire.Out_ResultReady{ResultReady: &wire.ResultReady{
		Cluster: c.id, First: b.InboxFirst, Count: b.InboxCount, Number: b.Number,
	}}})
	if o := openings(cand); len(o) > 0 {
		x.emit(&wire.Out{Body: &wire.Out_Effects{Effects: &wire.Effects{Cluster: c.id, Number: b.Number, Openings: o}}})
	}
}

// moveTo makes s the final state and forgets what was only about getting there.
func (c *cluster) moveTo(s snapshot, b *wire.Batch) {
	c.final = s
	clear(c.candidates)
	clear(c.signed)
	clear(c.votes)
	delete(c.batches, b.Number)
	for i := b.InboxFirst; i < b.InboxFirst+uint64(b.InboxCount); i++ {
		delete(c.items, i)
		delete(c.draws, i)
		delete(c.slow, i)
	}
}
