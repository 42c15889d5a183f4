package executor

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/phala-go/phala/core/gas"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/calls"
	"github.com/phala-go/phala/enclave/state"
)

// call is the execution of one input.
type call struct {
	x       *Executor
	job     *job
	item    *wire.InboxItem
	place   uint32 // in the batch
	ed      *state.Editor
	effects []*wire.Effect
	gas     uint64 // that its contracts have used
}

// userError ends a call as a failure that its caller is told.
type userError = calls.Error

func fail(code, next, format string, args ...any) error {
	return calls.Fail(code, next, format, args...)
}

// do consumes the input whatever it holds. Funds are credited before anything can fail, or go back if it is void.
func (c *call) do(ctx context.Context) (outcome, error) {
	out := outcome{result: &wire.Result{Cluster: c.item.Cluster, Index: c.item.Index}}
	if c.item.Context.Kind == wire.INPUT_KIND_ROTATE {
		return out, c.rotate(ctx)
	}
	var err error
	funds := calls.ParseAmount(c.item.Context.Funds)
	if out.void = !settle.Opens(c.job.cluster, c.item.Epoch, c.item.Roster); out.void {
		if funds.Sign() > 0 {
			c.effects = append(c.effects, &wire.Effect{Body: &wire.Effect_Payout{Payout: &wire.Payout{To: c.item.Context.Sender, Amount: funds.String()}}})
		}
		err = fail("wrong-epoch", "seal the message again to the cluster's present key", "sealed for epoch %d roster %d, whose grace is over", c.item.Epoch, c.item.Roster)
	} else {
		if funds.Sign() > 0 {
			calls.Credit(c.ed, c.item.Context.Sender, funds)
		}
		err = c.opened(ctx, &out)
	}
	var failed *userError
	switch {
	case err == nil:
	case errors.As(err, &failed):
		out.result.Failure, out.trace = failed.Failure, failed.Trace()
		out.result.Data, out.result.Attributes, out.result.PrivateEvents = nil, nil, nil
	default:
		return outcome{}, err
	}
	if c.item.Context.Kind == wire.INPUT_KIND_INSTANTIATE {
		c.effects = append(c.effects, &wire.Effect{Body: &wire.Effect_Contract{
			Contract: &wire.ContractStatus{Address: c.item.Address, Live: err == nil},
		}})
	}
	return out, nil
}

// opened opens the envelope and runs what is inside as one step: an error leaves nothing of it but the replay mark.
func (c *call) opened(ctx context.Context, out *outcome) error {
	keys := c.job.keys[label{c.item.Epoch, c.item.Roster}]
	if keys == nil {
		return errNoKey
	}
	at := seal.Context{Domain: seal.DomainInput, ChainID: c.x.cfg.ChainID, Cluster: c.item.Cluster, Epoch: c.item.Epoch, Roster: c.item.Roster}
	plain, reply, err := seal.Open(keys.Input, at, wire.Marshal(c.item.Context), c.item.Sealed)
	out.reply = reply
	if err != nil {
		return fail("does-not-open", "seal the message again, as its sender, to the cluster's present key", "%v", err)
	}
	mark := replayKey(c.item.Sealed.Enc)
	if _, seen := c.ed.Get(mark); seen {
		return fail("replay", "nothing: the message has been executed before", "this envelope was executed before")
	}
	c.ed.Set(mark, []byte{1})

	var msg wire.Call
	if err := wire.Unmarshal(plain, &msg); err != nil {
		return fail("malformed", "use a client of this version", "%v", err)
	}
	step := c.ed.Step()
	session := c.session()
	if session.Gas == 0 {
		return fail("malformed", "choose a gas class from 0 to 7", "no gas class %d", c.item.Context.GasClass)
	}
	err = c.dispatch(ctx, session, step, &msg, out.result)
	c.gas += session.Used()
	if session.Slow && c.job.slow != nil {
		c.job.slow[c.item.Index] = true
	}
	if err != nil {
		return err
	}
	c.ed.Commit(step)
	c.effects = append(c.effects, session.Effects...)
	return nil
}

// session is what the contracts of this input see.
func (c *call) session() *calls.Session {
	place := c.place
	return &calls.Session{World: calls.World{
		Engine: c.x.engine, Code: c.x.codes.get, ChainID: c.x.cfg.ChainID, Cluster: c.item.Cluster,
		Height: c.job.at.Height, Nanos: uint64(c.job.at.Time.UnixNano()), TxIndex: &place, Index: c.item.Index, Sources: c.sources(),
	}, Gas: gas.Limit(c.item.Context.GasClass), Slow: c.job.slow[c.item.Index]}
}

// hash names the input.
func (c *call) hash() [32]byte { return sha256.Sum256(wire.SignBytes("phala/input-hash/v1", c.item)) }

func (c *call) dispatch(ctx context.Context, s *calls.Session, step *state.Editor, msg *wire.Call, result *wire.Result) error {
	instantiation := c.item.Context.Kind == wire.INPUT_KIND_INSTANTIATE
	sender := c.item.Context.Sender
	var out calls.Result
	var err error
	switch b := msg.Body.(type) {
	case *wire.Call_Instantiate:
		if !instantiation {
			return misplaced()
		}
		meta := c.contract()
		if want := settle.ContractAddress(c.item.Cluster, meta.CodeId, c.item.Index); string(want) != string(meta.Address) {
			return fail("malformed", "use another node", "address %x is not the one of inbox item %d", meta.Address, c.item.Index)
		}
		result.Contract = meta.Address
		out, err = s.Instantiate(ctx, step, meta, sender, b.Instantiate.Msg, b.Instantiate.Funds)
	case *wire.Call_Execute:
		if instantiation {
			return misplaced()
		}
		meta, missing := calls.Contract(step, b.Execute.Contract)
		if missing != nil {
			return missing
		}
		result.Contract = meta.Address
		out, err = s.Execute(ctx, step, meta, sender, b.Execute.Msg, b.Execute.Funds)
	case *wire.Call_Withdraw:
		if instantiation {
			return misplaced()
		}
		return s.Withdraw(step, sender, b.Withdraw.Amount)
	default:
		return misplaced()
	}
	result.Data, result.Attributes, result.PrivateEvents = out.Data, out.Attributes, out.Private
	return err
}

func misplaced() error {
	return fail("malformed", "use a client of this version", "the message is not of the kind under which it was submitted")
}

// contract is the one that an instantiation is to bring to life.
func (c *call) contract() *wire.Contract {
	in := c.item.Context
	return &wire.Contract{
		Address:    c.item.Address,
		Cluster:    c.item.Cluster,
		CodeId:     in.CodeId,
		Label:      in.Label,
		Creator:    in.Sender,
		Query:      in.Query,
		State:      wire.CONTRACT_STATE_LIVE,
		InboxIndex: c.item.Index,
	}
}

// The parts of the state's key space that are no contract's (docs/protocol.md, State).
func blindKey() []byte { return []byte{5} }
func replayKey(enc []byte) []byte {
	h := sha256.Sum256(enc)
	return append([]byte{4}, h[:]...)
}
