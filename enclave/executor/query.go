package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
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
	case c.keys == nil || c.final.number != c.head.Number || c.broken != nil:
		return failure("not-serving", "ask again shortly, or ask another member", "this worker has not caught up with cluster %d yet", q.Cluster)
	}
	if err := x.cfg.Light.FreshAt(c.height); err != nil {
		return failure("stale", "ask another member: this one is cut off from the chain", "%v", err)
	}
	if err := seal.Check(q.Envelope); err != nil {
		return failure("malformed", "seal the query with a client of this version", "%v", err)
	}
	at := seal.Context{Domain: seal.DomainQuery, ChainID: x.cfg.ChainID, Cluster: c.id, Epoch: c.epoch, Roster: c.roster}
	plain, reply, err := seal.Open(c.keys.Input, at, nil, q.Envelope)
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
		answer.Failure = told.failure
	}
	return &wire.Out{Body: &wire.Out_Reply{Reply: reply.Reply(wire.Marshal(answer))}}
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
	meta, err := contractMeta(step, q.Contract)
	if err != nil {
		return nil, err
	}
	caller, err := x.admit(c, meta, &q)
	if err != nil {
		return nil, err
	}
	code, err := x.code(ctx, meta.CodeId)
	if err != nil {
		var need *needCode
		if errors.As(err, &need) {
			x.emit(&wire.Out{Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{Id: need.id}}})
			return nil, fail("not-serving", "ask again shortly, or ask another member", "the contract's code is still being loaded")
		}
		return nil, err
	}
	at, _ := x.cfg.Light.Header(c.height)
	out, err := x.engine.Run(ctx, code, engine.Call{
		Entry: engine.Query,
		Env: engine.Env{
			ChainID: x.cfg.ChainID, Height: at.Height, TimeNanos: uint64(at.Time.UnixNano()),
			Contract: address.Encode(meta.Address), Caller: caller,
		},
		Msg:   q.Msg,
		Store: step.Space(storageKey(meta.Address)),
	})
	if err != nil {
		return nil, contractFailure(meta, err)
	}
	return out.Query, nil
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
			return "", &userError{p.Failure()}
		}
		return "", err
	}
	switch meta.Query {
	case wire.QUERY_POLICY_OPEN:
		return caller, nil
	case wire.QUERY_POLICY_OWNER:
		if caller == meta.Creator {
			return caller, nil
		}
		return "", fail("query-denied", "ask the contract's creator", "this contract answers only to its creator")
	case wire.QUERY_POLICY_SELF:
		if other := othersNamed(q.Msg, caller); other != "" {
			return "", fail("query-denied", "ask about your own account, or with a permit of that account", "the query names %s, the permit is of %s", other, caller)
		}
		return caller, nil
	}
	return "", fail("query-denied", "deploy the contract with --query self, owner or open", "the contract has no query policy")
}

// othersNamed finds an address other than caller's anywhere in a JSON message: in values and keys, whatever stands around it, and
// in whichever case it is written. What is not JSON is refused as a whole.
func othersNamed(msg []byte, caller string) string {
	if !json.Valid(msg) { // the decoder below would take half a message
		return "something that is not JSON"
	}
	d := json.NewDecoder(bytes.NewReader(msg))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return "something that is not JSON"
		}
		s, ok := t.(string)
		if !ok {
			continue
		}
		s = strings.ToLower(s)
		for {
			i := strings.Index(s, address.Prefix+"1")
			if i < 0 {
				break
			}
			s = s[i:]
			end := strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
			if end < 0 {
				end = len(s)
			}
			if s[:end] != caller {
				if _, err := address.Decode(s[:end]); err == nil || len(s[:end]) > len(caller) {
					return s[:end]
				}
			}
			s = s[min(len(address.Prefix)+1, len(s)):]
		}
	}
}
