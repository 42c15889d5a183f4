package enclavetest

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Escrow is MsgConsentEscrow of the owner and MsgSetEscrow of governance in one block.
func (c *Chain) Escrow(t *wire.EscrowTerms) {
	c.Tx("escrow", func() error {
		if err := escrow.CheckTerms(t); err != nil {
			return err
		}
		cl := c.Cluster(t.Cluster)
		cl.EscrowConsent, cl.EscrowHeight = escrow.TermsHash(t), c.Height
		c.Put(storekey.Cluster, storekey.ClusterKey(t.Cluster), cl)
		c.Put(storekey.Cluster, storekey.KeyEscrowKey(t.Cluster), &wire.KeyEscrow{Terms: t, ApprovedHeight: c.Height, FromHeight: c.Height})
		return nil
	})
}

// KeyEscrow reads a cluster's escrow; nil: there is none.
func (c *Chain) KeyEscrow(cluster uint64) *wire.KeyEscrow {
	e := &wire.KeyEscrow{}
	if !c.Get(storekey.Cluster, storekey.KeyEscrowKey(cluster), e) {
		return nil
	}
	return e
}

// Deals reads what was dealt of a label.
func (c *Chain) Deals(cluster, epoch, roster uint64) (out []*wire.EscrowDeal) {
	for n := range uint32(escrow.MaxDeals) {
		d := &wire.EscrowDeal{}
		if c.Get(storekey.Cluster, storekey.EscrowDealKey(cluster, epoch, roster, n), d) {
			out = append(out, d)
		}
	}
	return out
}

// Asked reads a member's newest request to the custodians; nil: it has made none.
func (c *Chain) Asked(cluster uint64, w *wire.WorkerRef) *wire.EscrowRequest {
	r := &wire.EscrowRequest{}
	if !c.Get(storekey.Cluster, storekey.EscrowRequestKey(cluster, w.Operator, w.Slot), r) {
		return nil
	}
	return r
}

// Deal is MsgEscrowStateKey.
func (c *Chain) Deal(d *wire.EscrowDeal) {
	c.Tx("deal", func() error {
		e, cl, w := c.KeyEscrow(d.Cluster), c.Cluster(d.Cluster), c.Worker(d.Worker)
		if e == nil {
			return fmt.Errorf("cluster %d has no escrow", d.Cluster)
		}
		if err := escrow.CheckDeal(e.Terms, d); err != nil {
			return err
		}
		if w == nil || !slices.ContainsFunc(cl.Members, d.Worker.Is) || !ed25519.Verify(w.IdentityKey, escrow.DealBytes(ChainID, d), d.Signature) {
			return fmt.Errorf("deal of %s, who is no member or has not signed it", d.Worker.Name())
		}
		if d.Epoch != cl.Epoch || d.Roster != cl.Roster {
			return fmt.Errorf("deal of epoch %d roster %d", d.Epoch, d.Roster)
		}
		return c.PutDeal(e, d)
	})
}

// PutDeal stores a deal as the chain does, whoever has signed it.
func (c *Chain) PutDeal(e *wire.KeyEscrow, d *wire.EscrowDeal) error {
	i := slices.IndexFunc(e.Labels, func(l *wire.EscrowLabel) bool { return l.Epoch == d.Epoch && l.Roster == d.Roster })
	if i < 0 {
		i = len(e.Labels)
		e.Labels = append(e.Labels, &wire.EscrowLabel{Epoch: d.Epoch, Roster: d.Roster})
	}
	for _, b := range c.Deals(d.Cluster, d.Epoch, d.Roster) {
		if escrow.Same(b, d) {
			return fmt.Errorf("%s has dealt the same", b.Worker.Name())
		}
	}
	d.Height = c.Height
	c.Put(storekey.Cluster, storekey.EscrowDealKey(d.Cluster, d.Epoch, d.Roster, e.Labels[i].Deals), d)
	e.Labels[i].Deals++
	c.Put(storekey.Cluster, storekey.KeyEscrowKey(d.Cluster), e)
	return nil
}

// RequestEscrow is MsgRequestEscrow.
func (c *Chain) RequestEscrow(r *wire.EscrowRequest) {
	c.Tx("request to custodians", func() error {
		if err := escrow.CheckRequest(ChainID, r); err != nil {
			return err
		}
		if w := c.Worker(r.Worker); w == nil || string(w.IdentityKey) != string(r.IdentityKey) || !slices.ContainsFunc(c.Cluster(r.Cluster).Members, r.Worker.Is) {
			return fmt.Errorf("request of %s, who is no member", r.Worker.Name())
		}
		r.Height = c.Height
		c.Put(storekey.Cluster, storekey.EscrowRequestKey(r.Cluster, r.Worker.Operator, r.Worker.Slot), r)
		return nil
	})
}

// EscrowShare is MsgEscrowShare.
func (c *Chain) EscrowShare(s *wire.EscrowShare) {
	c.Tx("share", func() error {
		e, deals := c.KeyEscrow(s.Cluster), c.Deals(s.Cluster, s.Epoch, s.Roster)
		if e == nil || int(s.Deal) >= len(deals) {
			return fmt.Errorf("share of what was not dealt")
		}
		if err := escrow.CheckShare(ChainID, e.Terms, deals[s.Deal], c.Asked(s.Cluster, s.Worker), s); err != nil {
			return err
		}
		s.Height = c.Height
		c.Put(storekey.Cluster, storekey.EscrowShareKey(s.Cluster, s.Worker.Operator, s.Worker.Slot, s.Epoch, s.Roster, s.Deal, s.Custodian), s)
		return nil
	})
}
