package executor

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// rescue is a member's getting of state keys from the custodians: nobody else has them.
type rescue struct {
	number, chunk uint64 // how far the state had come
	since         uint64 // at which height: nothing has moved from then on

	key     hpke.PrivateKey // opens the answers; erased with the need for them
	request *wire.EscrowRequest
	said    uint64

	now    inquiry
	deals  map[string]*wire.EscrowDeal
	shares map[string]map[uint32]*escrow.Share // by deal and custodian
	judged map[string]bool                     // shares that were told to be false, deals that came to a key or to none
	found  map[label]*found
}

// found is the state keys that the deals of one label have come to: two where a member has lied, and only what is sealed tells which is
// right.
type found struct {
	keys []*keytree.Secret
	used int    // which of them lies in the archive
	at   uint64 // since which height
}

// wipe ends a rescue.
func (r *rescue) wipe() {
	for _, d := range r.shares {
		for _, s := range d {
			s.Wipe()
		}
	}
	for _, f := range r.found {
		for _, k := range f.keys {
			k.Wipe()
		}
	}
	*r = rescue{}
}

// patience is how many blocks a member looks for its state elsewhere before it asks people.
const patience = 3 * repeatAfter

// rescued asks the custodians for state keys where this worker's state does not move and the chain has dealt keys that it lacks.
func (x *Executor) rescued(c *cluster) error {
	r := &c.rescue
	if c.info.EscrowHeight == 0 || c.final.number == c.head.Number {
		r.wipe()
		return nil
	}
	chunk := uint64(0)
	if c.fetch != nil {
		chunk = uint64(c.fetch.next)
	}
	if r.since == 0 || c.final.number != r.number || chunk != r.chunk {
		r.number, r.chunk, r.since = c.final.number, chunk, c.height
	}
	if c.height < r.since+patience && r.key == nil {
		return nil
	}
	me := x.cfg.Worker()
	record, asked := inCluster(storekey.KeyEscrowKey(c.id)), inCluster(storekey.EscrowRequestKey(c.id, me.Operator, me.Slot))
	r.now.renew(c.height)
	if !x.inquire(&r.now, record, asked) {
		return nil
	}
	var e wire.KeyEscrow
	if there, err := r.now.read(record, &e); err != nil || !there {
		return err
	}
	var lacking []*wire.EscrowLabel
	for _, l := range e.Labels {
		if at := (label{l.Epoch, l.Roster}); c.stateKey(at) == nil || r.found[at] != nil {
			lacking = append(lacking, l)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	if err := x.askCustodians(c, asked); err != nil {
		return err
	}
	if !x.inquire(&r.now, r.wanted(c, e.Terms, lacking, me)...) {
		return nil
	}
	var all error
	for _, l := range lacking {
		for n := range min(l.Deals, escrow.MaxDeals) {
			all = errors.Join(all, x.collect(c, e.Terms, label{l.Epoch, l.Roster}, n))
		}
		x.try(c, label{l.Epoch, l.Roster})
	}
	return all
}

// try puts the key that was found for a label into the archive, and another in its place where nothing has opened with it for a while.
func (x *Executor) try(c *cluster, l label) {
	r := &c.rescue
	f := r.found[l]
	if f == nil || f.at != 0 && (len(f.keys) == 1 || c.height < max(f.at, r.since)+2*repeatAfter) {
		return
	}
	if f.at != 0 {
		f.used = (f.used + 1) % len(f.keys)
		c.archive[l].Wipe()
		delete(c.archive, l)
	}
	f.at = c.height
	copied := *f.keys[f.used] // the archive wipes its own
	x.arrived(c, l, &copied)
}

// askCustodians puts the request on the chain, and again until it is there.
func (x *Executor) askCustodians(c *cluster, at *wire.StoreKey) error {
	r := &c.rescue
	if r.key == nil {
		key, err := hpke.MLKEM768X25519().GenerateKey()
		if err != nil {
			return fmt.Errorf("drawing a one-time key: %w", err)
		}
		r.key = key
		r.deals, r.shares, r.judged, r.found = map[string]*wire.EscrowDeal{}, map[string]map[uint32]*escrow.Share{}, map[string]bool{}, map[label]*found{}
		r.request = &wire.EscrowRequest{Cluster: c.id, Worker: x.cfg.Worker(), OneTimeKey: key.PublicKey().Bytes(), IdentityKey: x.public()}
		r.request.Signature = ed25519.Sign(x.cfg.Identity, escrow.RequestBytes(x.cfg.ChainID, r.request))
	}
	var there wire.EscrowRequest
	if _, err := r.now.read(at, &there); err != nil {
		return err
	}
	if !bytes.Equal(there.OneTimeKey, r.request.OneTimeKey) && (r.said == 0 || c.height >= r.said+repeatAfter) {
		r.said = c.height
		x.emit(&wire.Out{Body: &wire.Out_EscrowRequest{EscrowRequest: r.request}})
	}
	return nil
}

// wanted lists what to ask of the labels: their deals once, and the shares of custodians who have given none yet.
func (r *rescue) wanted(c *cluster, t *wire.EscrowTerms, labels []*wire.EscrowLabel, me *wire.WorkerRef) (keys []*wire.StoreKey) {
	for _, l := range labels {
		for n := range min(l.Deals, escrow.MaxDeals) {
			at := dealAt(c.id, label{l.Epoch, l.Roster}, n)
			if r.deals[string(at.Key)] == nil {
				keys = append(keys, at)
			}
			for i := range t.GetCustodians() {
				if r.shares[string(at.Key)][uint32(i)] == nil {
					keys = append(keys, shareAt(c.id, me, label{l.Epoch, l.Roster}, n, uint32(i)))
				}
			}
		}
	}
	return keys
}

func shareAt(cluster uint64, me *wire.WorkerRef, l label, n, custodian uint32) *wire.StoreKey {
	return inCluster(storekey.EscrowShareKey(cluster, me.Operator, me.Slot, l.epoch, l.roster, n, custodian))
}

// collect takes the shares of one deal that the chain has. A false one is told with its custodian's name; a threshold of right ones is the
// key of the label.
func (x *Executor) collect(c *cluster, t *wire.EscrowTerms, l label, n uint32) (all error) {
	r := &c.rescue
	at := dealAt(c.id, l, n)
	id := string(at.Key)
	d := r.deals[id]
	if d == nil {
		d = &wire.EscrowDeal{}
		if there, err := r.now.read(at, d); err != nil || !there {
			return err
		}
		if err := escrow.CheckDeal(t, d); err != nil {
			return fmt.Errorf("reading deal %d of cluster %d: %w", n, c.id, err)
		}
		r.deals[id], r.shares[id] = d, map[uint32]*escrow.Share{}
	}
	for i := range uint32(len(t.Custodians)) {
		var s wire.EscrowShare
		there, err := r.now.read(shareAt(c.id, x.cfg.Worker(), l, n, i), &s)
		if err != nil || !there || r.shares[id][i] != nil || r.judged[string(wire.Hash(&s))] {
			all = errors.Join(all, err)
			continue
		}
		err = escrow.CheckShare(x.cfg.ChainID, t, d, r.request, &s)
		if err == nil {
			var share *escrow.Share
			if share, err = escrow.OpenAnswer(x.cfg.ChainID, t, d, r.key, &s); err == nil {
				r.shares[id][i] = share
				continue
			}
		}
		r.judged[string(wire.Hash(&s))] = true
		all = errors.Join(all, err)
	}
	if r.judged[id] {
		return all
	}
	state, err := escrow.Combine(x.cfg.ChainID, t, d, r.shares[id])
	if errors.Is(err, escrow.ErrFew) {
		return all
	}
	r.judged[id] = true
	if err == nil {
		if r.found[l] == nil {
			r.found[l] = &found{}
		}
		r.found[l].keys = append(r.found[l].keys, state)
	}
	return errors.Join(all, err)
}
