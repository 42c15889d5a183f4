package client

import (
	"bytes"
	"context"
	"fmt"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/escrow"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// Escrow is how a cluster's state keys are in escrow, proven.
type Escrow struct {
	Height   uint64
	Cluster  *wire.Cluster
	Record   *wire.KeyEscrow // nil: there is none
	Deals    []*Dealt
	Requests []*EscrowAsk // the newest of each member that has asked
}

// Dealt is a deal with its number among those of its label.
type Dealt struct {
	Number uint32
	Deal   *wire.EscrowDeal
}

// EscrowAsk is a member's request to the custodians.
type EscrowAsk struct {
	Request  *wire.EscrowRequest
	Worker   *wire.Worker        // as registered; nil: it is not
	Refused  error               // why nobody may answer it; nil: it is the custodians' to decide
	Answered map[EscrowSlot]bool // by whom and with what
}

// EscrowSlot is a custodian's share of a deal.
type EscrowSlot struct {
	Deal      int // place in Escrow.Deals
	Custodian uint32
}

// Escrow reads a cluster's escrow with its deals and requests.
func (c *Client) Escrow(ctx context.Context, id uint64) (*Escrow, error) {
	v, err := c.Cluster(ctx, id)
	if err != nil {
		return nil, err
	}
	e := &Escrow{Height: v.Height, Cluster: v.Cluster}
	record, ok := &wire.KeyEscrow{}, false
	if _, err := c.Chain.Get(ctx, Read{storekey.Cluster, storekey.KeyEscrowKey(id), record, &ok}); err != nil || !ok {
		return e, err
	}
	e.Record = record
	if err := e.readDeals(ctx, c); err != nil {
		return nil, fmt.Errorf("reading the escrow of cluster %d: %w", id, err)
	}
	if err := e.readRequests(ctx, c); err != nil {
		return nil, fmt.Errorf("reading requests to the custodians of cluster %d: %w", id, err)
	}
	return e, nil
}

func (e *Escrow) readDeals(ctx context.Context, c *Client) error {
	var reads []Read
	var all []*Dealt
	for _, l := range e.Record.Labels {
		for n := range min(l.Deals, escrow.MaxDeals) {
			d := &Dealt{Number: n, Deal: &wire.EscrowDeal{}}
			all = append(all, d)
			reads = append(reads, Read{storekey.Cluster, storekey.EscrowDealKey(e.Cluster.Id, l.Epoch, l.Roster, n), d.Deal, new(bool)})
		}
	}
	if len(reads) == 0 {
		return nil
	}
	_, err := c.Chain.Get(ctx, reads...)
	for i, r := range reads {
		if *r.Found { // or it was dropped meanwhile
			e.Deals = append(e.Deals, all[i])
		}
	}
	return err
}

// readRequests reads what members ask at one height, and then what answers it.
func (e *Escrow) readRequests(ctx context.Context, c *Client) error {
	id := e.Cluster.Id
	var reads []Read
	for _, m := range e.Cluster.Members {
		reads = append(reads,
			Read{storekey.Cluster, storekey.EscrowRequestKey(id, m.Operator, m.Slot), &wire.EscrowRequest{}, new(bool)},
			Read{storekey.Worker, storekey.WorkerKey(m.Operator, m.Slot), &wire.Worker{}, new(bool)})
	}
	s, err := c.Chain.Get(ctx, reads...)
	if err != nil {
		return err
	}
	e.Height = s.Height
	for i := 0; i < len(reads); i += 2 {
		if !*reads[i].Found {
			continue
		}
		a := &EscrowAsk{Request: reads[i].Into.(*wire.EscrowRequest), Answered: map[EscrowSlot]bool{}}
		if *reads[i+1].Found {
			a.Worker = reads[i+1].Into.(*wire.Worker)
		}
		a.Refused = clustertypes.CheckEscrowRequest(c.ChainID(), e.Cluster, a.Worker, a.Request, s.Height)
		e.Requests = append(e.Requests, a)
		if err := e.readAnswers(ctx, c, a); err != nil {
			return err
		}
	}
	return nil
}

func (e *Escrow) readAnswers(ctx context.Context, c *Client, a *EscrowAsk) error {
	var reads []Read
	var slots []EscrowSlot
	w := a.Request.Worker
	for i, d := range e.Deals {
		for k := range e.Record.Terms.GetCustodians() {
			slots = append(slots, EscrowSlot{i, uint32(k)})
			at := storekey.EscrowShareKey(e.Cluster.Id, w.Operator, w.Slot, d.Deal.Epoch, d.Deal.Roster, d.Number, uint32(k))
			reads = append(reads, Read{storekey.Cluster, at, &wire.EscrowShare{}, new(bool)})
		}
	}
	if len(reads) == 0 {
		return nil
	}
	if _, err := c.Chain.Get(ctx, reads...); err != nil {
		return err
	}
	for i, r := range reads {
		a.Answered[slots[i]] = *r.Found && bytes.Equal(r.Into.(*wire.EscrowShare).Request, escrow.RequestID(a.Request.OneTimeKey))
	}
	return nil
}

// Custodian is a key's index among the custodians; false: it is none of them.
func (e *Escrow) Custodian(k *escrow.Key) (uint32, bool) {
	me := k.Custodian("")
	for i, c := range e.Record.GetTerms().GetCustodians() {
		if bytes.Equal(c.IdentityKey, me.IdentityKey) && bytes.Equal(c.SealingKey, me.SealingKey) {
			return uint32(i), true
		}
	}
	return 0, false
}

// Open opens a custodian's own share of a deal, having held the deal against the terms.
func (e *Escrow) Open(chainID string, k *escrow.Key, d *Dealt) (*escrow.Share, error) {
	index, ok := e.Custodian(k)
	if !ok {
		return nil, fmt.Errorf("this key is of no custodian of cluster %d", e.Cluster.Id)
	}
	if err := escrow.CheckDeal(e.Record.Terms, d.Deal); err != nil {
		return nil, err
	}
	return k.OpenDealt(chainID, d.Deal, index)
}

// Answer makes a custodian's answers to a request: a share of each deal that it has not given yet. Failed are
// those that it cannot open, with who dealt them.
func (e *Escrow) Answer(chainID string, k *escrow.Key, a *EscrowAsk) (shares []*wire.EscrowShare, failed []error) {
	if a.Refused != nil {
		return nil, []error{a.Refused}
	}
	index, _ := e.Custodian(k)
	for i, d := range e.Deals {
		if a.Answered[EscrowSlot{i, index}] {
			continue
		}
		s, err := e.Open(chainID, k, d)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		out, err := k.Answer(chainID, d.Deal, d.Number, index, s, a.Request)
		s.Wipe()
		if err != nil {
			return nil, []error{err}
		}
		shares = append(shares, out)
	}
	return shares, failed
}

// ConsentEscrow is the owner's word on an escrow under terms; nil withdraws it, and ends what there is.
func (c *Client) ConsentEscrow(ctx context.Context, cluster uint64, terms *wire.EscrowTerms) (tx node.TxResult, err error) {
	if c.account == nil {
		return tx, ErrNoKey
	}
	m := &clustertypes.MsgConsentEscrow{Owner: c.Address(), Cluster: cluster}
	if terms != nil {
		m.Terms = escrow.TermsHash(terms)
	}
	if tx, err = c.account.Send(ctx, m); err != nil {
		return tx, fmt.Errorf("consenting to an escrow of the state keys of cluster %d: %w", cluster, err)
	}
	_, err = c.Chain.WaitHeight(ctx, uint64(tx.Height)+1) // that header proves it to whoever proposes next
	return tx, err
}

// SendEscrowShare brings a custodian's share to the chain; any account may.
func (c *Client) SendEscrowShare(ctx context.Context, s *wire.EscrowShare) (tx node.TxResult, err error) {
	if c.account == nil {
		return tx, ErrNoKey
	}
	if tx, err = c.account.Send(ctx, &clustertypes.MsgEscrowShare{Sender: c.Address(), Share: s}); err != nil {
		return tx, fmt.Errorf("giving a share of epoch %d roster %d to %s: %w", s.Epoch, s.Roster, s.Worker.Name(), err)
	}
	return tx, nil
}
