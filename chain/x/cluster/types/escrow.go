package types

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/wire"
)

// CheckConsent refuses what names no terms.
func CheckConsent(c *wire.Cluster, m *MsgConsentEscrow) error {
	if m.Owner != c.Owner {
		return ErrKeyEscrow.Wrapf("the state of cluster %d is its owner's: only %s may consent to an escrow of its keys, not %s", c.Id, c.Owner, m.Owner)
	}
	if n := len(m.Terms); n != 0 && n != sha256.Size {
		return ErrKeyEscrow.Wrapf("consent to terms of %d bytes: want their SHA-256, or nothing to withdraw it", n)
	}
	return nil
}

// CheckEscrowTerms refuses terms that no escrow may have, or that the cluster's owner has not consented to.
func CheckEscrowTerms(c *wire.Cluster, t *wire.EscrowTerms) error {
	if err := escrow.CheckTerms(t); err != nil {
		return ErrKeyEscrow.Wrapf("%v", err)
	}
	if hash := escrow.TermsHash(t); !bytes.Equal(hash, c.EscrowConsent) {
		return ErrKeyEscrow.Wrapf("the owner of cluster %d has not consented to these terms, %x: it consents with `phala escrow consent`", c.Id, hash)
	}
	return nil
}

// checkMember refuses who does not speak for a member: w is who is registered, nil if nobody is.
func checkMember(c *wire.Cluster, ref *wire.WorkerRef, w *wire.Worker, height uint64) error {
	switch {
	case !slices.ContainsFunc(c.Members, ref.Is):
		return ErrKeyEscrow.Wrapf("worker %s is no member of cluster %d", ref.Name(), c.Id)
	case w == nil || w.ExpiryHeight <= height:
		return ErrKeyEscrow.Wrapf("worker %s is not registered, or its registration has ended", ref.Name())
	}
	return nil
}

// CheckDeal refuses a deal of the cluster's state key at height. Only the key of the label in force is dealt; w is the dealer's record,
// before are the label's deals so far.
func CheckDeal(chainID string, c *wire.Cluster, e *wire.KeyEscrow, w *wire.Worker, d *wire.EscrowDeal, before []*wire.EscrowDeal, height uint64) error {
	if e == nil || height < e.FromHeight {
		return ErrKeyEscrow.Wrapf("the state keys of cluster %d are not in escrow at height %d", c.Id, height)
	}
	if err := escrow.CheckDeal(e.Terms, d); err != nil {
		return ErrKeyEscrow.Wrapf("%v", err)
	}
	if err := checkMember(c, d.Worker, w, height); err != nil {
		return err
	}
	if !ed25519.Verify(w.IdentityKey, escrow.DealBytes(chainID, d), d.Signature) {
		return ErrKeyEscrow.Wrapf("the deal is not signed by the identity of worker %s", d.Worker.Name())
	}
	if d.Epoch == 0 || d.Epoch != c.Epoch || d.Roster != c.Roster {
		return ErrKeyEscrow.Wrapf("deal of epoch %d roster %d, cluster %d has %d and %d", d.Epoch, d.Roster, c.Id, c.Epoch, c.Roster)
	}
	if len(before) >= escrow.MaxDeals {
		return ErrKeyEscrow.Wrapf("%d members have dealt this key already", len(before))
	}
	for _, b := range before {
		if b.Worker.Is(d.Worker) || escrow.Same(b, d) {
			return ErrKeyEscrow.Wrapf("%s has dealt the same key, or this worker has: one deal is enough", b.Worker.Name())
		}
	}
	return nil
}

// CheckEscrowRequest refuses a request at height that is not a member's.
func CheckEscrowRequest(chainID string, c *wire.Cluster, w *wire.Worker, r *wire.EscrowRequest, height uint64) error {
	if c.EscrowHeight == 0 {
		return ErrKeyEscrow.Wrapf("the state keys of cluster %d are in no escrow", c.Id)
	}
	if err := escrow.CheckRequest(chainID, r); err != nil {
		return ErrKeyEscrow.Wrapf("%v", err)
	}
	return CheckEscrowAsker(c, w, r, height)
}

// CheckEscrowAsker refuses a request of one who is no member at height, or of another boot than the one registered: nobody may answer it.
func CheckEscrowAsker(c *wire.Cluster, w *wire.Worker, r *wire.EscrowRequest, height uint64) error {
	if err := checkMember(c, r.Worker, w, height); err != nil {
		return err
	}
	if !bytes.Equal(r.IdentityKey, w.IdentityKey) {
		return ErrKeyEscrow.Wrapf("identity %x is not the registered one of worker %s", r.IdentityKey, r.Worker.Name())
	}
	return nil
}

// KeptLabels says whose deals are kept, the newest label being the last of the list, and whose are dropped: the newest two, and the one
// that the newest batch was made under, since the state may be sealed under nothing newer.
func KeptLabels(labels []*wire.EscrowLabel, newest *wire.Batch) (keep, drop []*wire.EscrowLabel) {
	for i, l := range labels {
		if i+escrow.MaxLabels-1 >= len(labels) || l.Epoch == newest.GetEpoch() && l.Roster == newest.GetRoster() {
			keep = append(keep, l)
		} else {
			drop = append(drop, l)
		}
	}
	return keep, drop
}
