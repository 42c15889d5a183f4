package executor

import (
	"context"
	"errors"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/gas"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
)

// Query answers a query; whatever the enclave lacks for it, as a contract's code, it asks for at once.
func (x *Executor) Query(ctx context.Context, q *wire.QueryCall) []*wire.Out {
	outs := append([]*wire.Out{x.query(ctx, q)}, x.drain()...)
	for _, id := range x.codes.missed() {
		outs = append(outs, (&needCode{id}).out())
	}
	return outs
}

// query answers from the newest final state. What cannot be told before the envelope is open comes back in clear; everything
// else is sealed to the asker.
func (x *Executor) query(ctx context.Context, q *wire.QueryCall) *wire.Out {
	c := x.clusters[q.Cluster]
	if c == nil {
		return stranger(q.Cluster)
	}
	v := x.lookAt(c)
	if no := v.ready(); no != nil {
		return no
	}
	if err := seal.Check(q.Envelope); err != nil {
		return failure("malformed", "seal the query with a client of this version", "%v", err)
	}
	plain, reply, err := x.openQuery(c, v, q.Envelope)
	if err != nil {
		return doesNotOpen(err)
	}
	answer := x.answer(ctx, v, func() (*wire.QueryRequest, *permit.Right, error) {
		var r wire.QueryRequest
		if err := wire.Unmarshal(plain, &r); err != nil {
			return nil, nil, fail("malformed", "use a client of this version", "%v", err)
		}
		if r.Permit == nil {
			return &r, nil, nil
		}
		right, err := permit.Judge(r.Permit, x.cfg.ChainID, v.cluster)
		return &r, right, err
	})
	return &wire.Out{Body: &wire.Out_Reply{Reply: reply.Reply(wire.Marshal(answer))}}
}

func doesNotOpen(err error) *wire.Out {
	return failure("does-not-open", "take the cluster's present key from the chain and seal the query again", "%v", err)
}

// openQuery opens with the key in force, or with the one before it unless the members have changed since.
func (x *Executor) openQuery(c *cluster, v *view, e *wire.Envelope) (plain []byte, reply *seal.ReplyKey, err error) {
	for _, l := range v.labels {
		at := seal.Context{Domain: seal.DomainQuery, ChainID: x.cfg.ChainID, Cluster: c.id, Epoch: l.epoch, Roster: l.roster}
		if plain, reply, err = seal.Open(c.keys[l].Input, at, nil, e); err == nil {
			return plain, reply, nil
		}
	}
	return nil, nil, err
}

// answer runs a query on a view, by whatever goroutine: read gives the request and what its asker's permit reaches.
func (x *Executor) answer(ctx context.Context, v *view, read func() (*wire.QueryRequest, *permit.Right, error)) *wire.QueryReply {
	a := &wire.QueryReply{Cluster: v.cluster, Height: v.height, Number: v.final.number, BatchHash: v.final.hash, Root: v.final.root}
	q, right, err := read()
	if err == nil {
		a.Data, err = x.runQuery(ctx, v, q, right)
	}
	var told *userError
	var p *permit.Error
	switch {
	case err == nil:
		return a
	case errors.As(err, &told):
	case errors.As(err, &p):
		told = &userError{Failure: p.Failure()}
	default:
		// Not even the host hears more: the error names what was asked for.
		told = fail("internal", "ask another member", "the query could not be run").(*userError)
	}
	a.Failure, a.Trace = told.Failure, told.Trace()
	return a
}

func (x *Executor) runQuery(ctx context.Context, v *view, q *wire.QueryRequest, right *permit.Right) ([]byte, error) {
	if q.MinHeight > v.height {
		return nil, fail("height-not-reached", "ask again shortly, or ask another member", "the query wants height %d, this worker has seen %d", q.MinHeight, v.height)
	}
	step := v.final.state.Edit()
	meta, err := calls.Contract(step, q.Contract)
	if err != nil {
		return nil, err
	}
	caller, err := v.admit(meta, q, right)
	if err != nil {
		return nil, err
	}
	at := v.seen.Header()
	session := &calls.Session{World: calls.World{
		Engine: x.engine, Code: x.codes.get, ChainID: x.cfg.ChainID, Cluster: v.cluster, Height: at.Height, Nanos: uint64(at.Time.UnixNano()),
	}, Gas: gas.Query}
	data, err := session.Query(ctx, step, meta, caller, q.Msg)
	var need *needCode
	if errors.As(err, &need) {
		x.codes.miss(need.id)
		return nil, fail("not-serving", "ask again shortly, or ask another member", "the code of a contract is still being loaded")
	}
	return data, err
}

// admit decides whether the query may be run at all, by the contract's query policy. It ends in refusal.
func (v *view) admit(meta *wire.Contract, q *wire.QueryRequest, right *permit.Right) (caller string, err error) {
	if right == nil {
		if meta.Query == wire.QUERY_POLICY_OPEN {
			return "", nil
		}
		return "", permit.Missing()
	}
	if err := right.Covers(v.seen.Newest().Time, address.Encode(meta.Address)); err != nil {
		return "", err
	}
	if err := calls.Admit(meta, right.Signer, q.Msg); err != nil {
		return "", err
	}
	return right.Signer, nil
}
