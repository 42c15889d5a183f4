package executor

import (
	"context"
	"errors"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/gas"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
)

// Query answers a query; whatever the enclave lacks for it, as a contract's code, it asks for at once.
func (x *Executor) Query(ctx context.Context, q *wire.QueryCall) []*wire.Out {
	return append([]*wire.Out{x.query(ctx, q)}, x.drain()...)
}

// query answers from the newest final state. What cannot be told before the envelope is open comes back in clear; everything
// else is sealed to the asker.
func (x *Executor) query(ctx context.Context, q *wire.QueryCall) *wire.Out {
	c := x.clusters[q.Cluster]
	switch {
	case c == nil || c.height == 0 || c.me < 0:
		return failure("unknown-cluster", "ask a gateway of one of the cluster's members", "this worker does not serve cluster %d", q.Cluster)
	case c.keys[c.now()] == nil || c.final.number != c.head.Number || c.broken != nil:
		return failure("not-serving", "ask again shortly, or ask another member", "this worker has not caught up with cluster %d yet", q.Cluster)
	}
	if err := x.cfg.Light.FreshAt(c.height); err != nil {
		return failure("stale", "ask another member: this one is cut off from the chain", "%v", err)
	}
	if err := seal.Check(q.Envelope); err != nil {
		return failure("malformed", "seal the query with a client of this version", "%v", err)
	}
	plain, reply, err := x.openQuery(c, q.Envelope)
	if err != nil {
		return failure("does-not-open", "take the cluster's present key from the chain and seal the query again", "%v", err)
	}
	answer := &wire.QueryReply{
		Cluster: c.id, Height: c.height, Number: c.final.number, BatchHash: c.final.hash, Root: c.final.root,
	}
	answer.Data, err = x.answer(ctx, c, plain)
	if err != nil {
		var told *userError
		if !errors.As(err, &told) {
			// Not even the host hears more: the error names what was asked for.
			told = fail("internal", "ask another member", "the query could not be run").(*userError)
		}
		answer.Failure, answer.Trace = told.Failure, told.Trace()
	}
	return &wire.Out{Body: &wire.Out_Reply{Reply: reply.Reply(wire.Marshal(answer))}}
}

// openQuery opens with the key in force, or with the one before it unless the members have changed since.
func (x *Executor) openQuery(c *cluster, e *wire.Envelope) (plain []byte, reply *seal.ReplyKey, err error) {
	for _, l := range []label{c.now(), c.before()} {
		if c.keys[l] == nil || !settle.MaySeal(c.info, l.epoch, l.roster) {
			continue
		}
		at := seal.Context{Domain: seal.DomainQuery, ChainID: x.cfg.ChainID, Cluster: c.id, Epoch: l.epoch, Roster: l.roster}
		if plain, reply, err = seal.Open(c.keys[l].Input, at, nil, e); err == nil {
			return plain, reply, nil
		}
	}
	return nil, nil, err
}

func (x *Executor) answer(ctx context.Context, c *cluster, plain []byte) ([]byte, error) {
	var q wire.QueryRequest
	if err := wire.Unmarshal(plain, &q); err != nil {
		return nil, fail("malformed", "use a client of this version", "%v", err)
	}
	if q.MinHeight > c.height {
		return nil, fail("height-not-reached", "ask again shortly, or ask another member", "the query wants height %d, this worker has seen %d", q.MinHeight, c.height)
	}
	step := c.final.state.Edit()
	meta, err := calls.Contract(step, q.Contract)
	if err != nil {
		return nil, err
	}
	caller, err := x.admit(c, meta, &q)
	if err != nil {
		return nil, err
	}
	at, _ := x.cfg.Light.Header(c.height)
	session := &calls.Session{World: calls.World{
		Engine: x.engine, Code: x.code, ChainID: x.cfg.ChainID, Cluster: c.id, Height: at.Height, Nanos: uint64(at.Time.UnixNano()),
	}, Gas: gas.Query}
	data, err := session.Query(ctx, step, meta, caller, q.Msg)
	var need *needCode
	if errors.As(err, &need) {
		x.emit(&wire.Out{Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{Id: need.id}}})
		return nil, fail("not-serving", "ask again shortly, or ask another member", "the code of a contract is still being loaded")
	}
	return data, err
}

// admit decides whether the query may be run at all, by the contract's query policy. It ends in refusal.
func (x *Executor) admit(c *cluster, meta *wire.Contract, q *wire.QueryRequest) (caller string, err error) {
	if q.Permit == nil && meta.Query == wire.QUERY_POLICY_OPEN {
		return "", nil
	}
	caller, err = permit.Verify(q.Permit, x.cfg.Light.Newest().Time, x.cfg.ChainID, c.id, address.Encode(meta.Address))
	if err != nil {
		var p *permit.Error
		if errors.As(err, &p) {
			return "", &userError{Failure: p.Failure()}
		}
		return "", err
	}
	if err := calls.Admit(meta, caller, q.Msg); err != nil {
		return "", err
	}
	return caller, nil
}
