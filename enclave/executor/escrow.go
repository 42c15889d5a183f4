package executor

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/lightclient"
)

// inquiry is what was asked at one height and what was proven. It is kept until all has come, so that a slow host delays and stops nothing.
type inquiry struct {
	height uint64
	got    map[string][]byte // nil value: absence; missing: not here yet
	asked  map[string]bool
}

// renew begins anew at height, unless answers are still to come.
func (q *inquiry) renew(height uint64) {
	if q.height == 0 || height > q.height && len(q.got) == len(q.asked) || height >= q.height+repeatAfter {
		*q = inquiry{height: height, got: map[string][]byte{}, asked: map[string]bool{}}
	}
}

func (q *inquiry) take(f lightclient.Facts) {
	if f.Height != q.height {
		return
	}
	for name, b := range f.All() {
		if q.asked[name] {
			q.got[name] = b
		}
	}
}

// inquire asks for what was not asked yet, and says whether all of keys is here.
func (x *Executor) inquire(q *inquiry, keys ...*wire.StoreKey) bool {
	var ask []*wire.StoreKey
	all := true
	for _, k := range keys {
		name := lightclient.ID(k)
		if !q.asked[name] {
			q.asked[name] = true
			ask = append(ask, k)
		}
		_, here := q.got[name]
		all = all && here
	}
	if len(ask) > 0 {
		x.emit(&wire.Out{Body: &wire.Out_NeedValues{NeedValues: &wire.NeedValues{Height: q.height, Keys: ask}}})
	}
	return all
}

// read decodes what was proven; false: it is proven that there is nothing.
func (q *inquiry) read(k *wire.StoreKey, m wire.Message) (bool, error) {
	b := q.got[lightclient.ID(k)]
	if len(b) == 0 {
		return false, nil
	}
	if err := wire.Unmarshal(b, m); err != nil {
		return false, fmt.Errorf("reading %s/%x at height %d: %w", k.Store, k.Key, q.height, err)
	}
	return true, nil
}

// dealing is how far a member has come with putting a state key into escrow.
type dealing struct {
	label
	terms  uint64 // escrow_height
	done   bool   // the chain has the key
	since  uint64 // at which height the terms were proven to count; 0: not yet
	said   uint64 // height of the last deal sent; 0: none
	mine   *wire.EscrowDeal
	warned uint32 // deals of others that were told to be wrong

	now, past inquiry
}

// deal puts the state key in force into escrow, once the terms are proven to count. Only who has the state does: a key under which nothing
// is sealed must not push out one that is needed. Members take turns, and the first of them is enough.
func (x *Executor) deal(c *cluster) error {
	l, info := c.now(), c.info
	if info.EscrowHeight == 0 || c.keys[l] == nil || c.final.number == 0 || c.final.number != c.head.Number {
		return nil
	}
	d := &c.dealing
	if d.label != l || d.terms != info.EscrowHeight {
		*d = dealing{label: l, terms: info.EscrowHeight}
	}
	if d.done {
		return nil
	}
	e, ok, err := x.inForce(c, d)
	if err != nil || !ok {
		return err
	}
	if d.since == 0 {
		d.since = c.height
	}
	if d.mine == nil {
		if d.mine, err = escrow.Deal(x.cfg.ChainID, e.Terms, l.epoch, l.roster, c.keys[l].State); err != nil {
			return fmt.Errorf("dealing the state key of cluster %d: %w", c.id, err)
		}
	}
	for n := range uint32(escrow.MaxDeals) {
		var other wire.EscrowDeal
		there, err := d.now.read(dealAt(c.id, l, n), &other)
		if err != nil {
			return err
		}
		if !there {
			break
		}
		if d.done = escrow.Same(&other, d.mine) || n+1 == escrow.MaxDeals; d.done {
			return nil
		}
		if n >= d.warned {
			d.warned++
			return fmt.Errorf("%s has dealt another state key of cluster %d than its members have in epoch %d roster %d", other.Worker.Name(), c.id, l.epoch, l.roster)
		}
	}
	k := len(info.Members)
	turn := uint64(c.me-settle.Leader(info, l.epoch, l.roster)+k) % uint64(k)
	if c.height < d.since+turn*repeatAfter || d.said != 0 && c.height < d.said+repeatAfter {
		return nil
	}
	d.said = c.height
	d.mine.Worker = x.cfg.Worker()
	d.mine.Signature = ed25519.Sign(x.cfg.Identity, escrow.DealBytes(x.cfg.ChainID, d.mine))
	x.emit(&wire.Out{Body: &wire.Out_EscrowDeal{EscrowDeal: d.mine}})
	return nil
}

func dealAt(cluster uint64, l label, n uint32) *wire.StoreKey {
	return inCluster(storekey.EscrowDealKey(cluster, l.epoch, l.roster, n))
}

// inForce gives the escrow if it counts: the owner's consent and governance's word are proven now and an activation delay ago, whatever the
// chain says about from when it counts (P9).
func (x *Executor) inForce(c *cluster, d *dealing) (*wire.KeyEscrow, bool, error) {
	network := &wire.StoreKey{Store: storekey.Attestation, Key: storekey.Network()}
	record, info := inCluster(storekey.KeyEscrowKey(c.id)), inCluster(storekey.ClusterKey(c.id))
	d.now.renew(c.height)
	keys := []*wire.StoreKey{network, record, info}
	for n := range uint32(escrow.MaxDeals) {
		keys = append(keys, dealAt(c.id, d.label, n))
	}
	if !x.inquire(&d.now, keys...) {
		return nil, false, nil
	}
	var params wire.NetworkParams
	var e wire.KeyEscrow
	var now, past wire.Cluster
	there, err := d.now.read(record, &e)
	if err != nil || !there {
		return nil, false, err
	}
	if _, err := d.now.read(network, &params); err != nil {
		return nil, false, err
	}
	if _, err := d.now.read(info, &now); err != nil {
		return nil, false, err
	}
	if now.EscrowHeight != d.terms || e.ApprovedHeight != d.terms || !bytes.Equal(escrow.TermsHash(e.Terms), now.EscrowConsent) {
		return nil, false, nil
	}
	params.Development = params.Development && x.cfg.Light.Development() // whatever the chain says today
	delay := attest.ActivationDelay(&params)
	if delay == 0 {
		return &e, true, nil
	}
	h, ok := x.cfg.Light.Behind(delay)
	if !ok || h.Height < d.terms {
		return nil, false, nil
	}
	if d.past.height < d.terms { // what was proven of a height stays proven
		d.past.renew(h.Height)
	}
	if !x.inquire(&d.past, info) {
		d.past.renew(h.Height)
		return nil, false, nil
	}
	if _, err := d.past.read(info, &past); err != nil {
		return nil, false, err
	}
	ok = past.EscrowHeight == d.terms && bytes.Equal(past.EscrowConsent, now.EscrowConsent)
	if !ok {
		d.past = inquiry{}
	}
	return &e, ok, nil
}
