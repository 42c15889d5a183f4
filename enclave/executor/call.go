package executor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
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
}

// userError ends a call as a failure that its caller is told.
type userError struct{ failure *wire.Failure }

func (e *userError) Error() string { return e.failure.Code + ": " + e.failure.Message }

func fail(code, next, format string, args ...any) error {
	return &userError{&wire.Failure{Code: code, Message: fmt.Sprintf(format, args...), Next: next}}
}

// do consumes the input whatever it holds. Funds are credited before anything can fail.
func (c *call) do(ctx context.Context) (outcome, error) {
	out := outcome{result: &wire.Result{Cluster: c.item.Cluster, Index: c.item.Index}}
	if funds := parseAmount(c.item.Context.Funds); funds.Sign() > 0 {
		credit(c.ed, balanceKey(c.item.Context.Sender), funds)
	}
	err := c.opened(ctx, &out)
	var failed *userError
	switch {
	case err == nil:
	case errors.As(err, &failed):
		out.result.Failure = failed.failure
		out.result.Data, out.result.Attributes = nil, nil
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
	cl := c.job.cluster
	if c.item.Epoch != cl.Epoch {
		return fail("wrong-epoch", "seal the message again to the cluster's present key", "sealed for epoch %d, the cluster is in %d", c.item.Epoch, cl.Epoch)
	}
	at := seal.Context{Domain: seal.DomainInput, ChainID: c.x.cfg.ChainID, Cluster: cl.Id, Epoch: cl.Epoch, Roster: cl.Roster}
	plain, reply, err := seal.Open(c.job.keys.Input, at, wire.Marshal(c.item.Context), c.item.Sealed)
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
	effects := len(c.effects)
	if err := c.dispatch(ctx, step, &msg, out.result); err != nil {
		c.effects = c.effects[:effects]
		return err
	}
	c.ed.Commit(step)
	return nil
}

func (c *call) dispatch(ctx context.Context, step *state.Editor, msg *wire.Call, result *wire.Result) error {
	instantiation := c.item.Context.Kind == wire.INPUT_KIND_INSTANTIATE
	switch b := msg.Body.(type) {
	case *wire.Call_Instantiate:
		if !instantiation {
			break
		}
		return c.instantiate(ctx, step, b.Instantiate, result)
	case *wire.Call_Execute:
		if instantiation {
			break
		}
		meta, err := contractMeta(step, b.Execute.Contract)
		if err != nil {
			return err
		}
		result.Contract = meta.Address
		return c.run(ctx, step, meta, engine.Execute, b.Execute.Msg, b.Execute.Funds, result)
	case *wire.Call_Withdraw:
		if instantiation {
			break
		}
		amount := parseAmount(b.Withdraw.Amount)
		if amount.Sign() <= 0 {
			return fail("bad-amount", "withdraw a positive number of ppha", "cannot withdraw %q ppha", b.Withdraw.Amount)
		}
		return c.pay(step, balanceKey(c.item.Context.Sender), c.item.Context.Sender, amount)
	}
	return fail("malformed", "use a client of this version", "the message is not of the kind under which it was submitted")
}

func (c *call) instantiate(ctx context.Context, step *state.Editor, msg *wire.Instantiate, result *wire.Result) error {
	in := c.item.Context
	meta := &wire.Contract{
		Address:    c.item.Address,
		Cluster:    c.item.Cluster,
		CodeId:     in.CodeId,
		Label:      in.Label,
		Creator:    in.Sender,
		Query:      in.Query,
		State:      wire.CONTRACT_STATE_LIVE,
		InboxIndex: c.item.Index,
	}
	if want := settle.ContractAddress(c.item.Cluster, in.CodeId, c.item.Index); string(want) != string(meta.Address) {
		return fail("malformed", "use another node", "address %x is not the one of inbox item %d", meta.Address, c.item.Index)
	}
	result.Contract = meta.Address
	step.Set(contractKey(meta.Address), wire.Marshal(meta))
	return c.run(ctx, step, meta, engine.Instantiate, msg.Msg, msg.Funds, result)
}

// run calls the contract and carries out what it asks for.
func (c *call) run(ctx context.Context, step *state.Editor, meta *wire.Contract, entry engine.Entry, msg []byte, funds string, result *wire.Result) error {
	code, err := c.x.code(ctx, meta.CodeId)
	if err != nil {
		return err
	}
	info := &engine.Info{Sender: c.item.Context.Sender, Funds: []engine.Coin{}}
	if amount := parseAmount(funds); funds != "" {
		if amount.Sign() <= 0 {
			return fail("bad-amount", "attach a positive number of ppha, or none", "cannot attach %q ppha", funds)
		}
		if err := debit(step, balanceKey(info.Sender), amount); err != nil {
			return err
		}
		credit(step, balanceKey(address.Encode(meta.Address)), amount)
		info.Funds = []engine.Coin{{Denom: denom, Amount: amount.String()}}
	}
	if c.job.slow[c.item.Index] {
		return contractFailure(meta, &engine.TrapError{Entry: entry, Timeout: true})
	}
	place := c.place
	out, err := c.x.engine.Run(ctx, code, engine.Call{
		Entry: entry,
		Env: engine.Env{
			ChainID:   c.x.cfg.ChainID,
			Height:    c.job.at.Height,
			TimeNanos: uint64(c.job.at.Time.UnixNano()),
			TxIndex:   &place,
			Contract:  address.Encode(meta.Address),
		},
		Info:  info,
		Msg:   msg,
		Store: step.Space(storageKey(meta.Address)),
	})
	if err != nil {
		var trap *engine.TrapError
		if errors.As(err, &trap) && trap.Timeout && c.job.slow != nil {
			c.job.slow[c.item.Index] = true
		}
		return contractFailure(meta, err)
	}
	for _, m := range out.Response.Messages {
		if err := c.message(step, meta, m); err != nil {
			return err
		}
	}
	result.Data = out.Response.Data
	for _, a := range out.Response.Attributes {
		result.Attributes = append(result.Attributes, &wire.Attribute{Key: a.Key, Value: a.Value})
	}
	for _, e := range out.Response.Events {
		for _, a := range e.Attributes {
			result.Attributes = append(result.Attributes, &wire.Attribute{Key: e.Type + "." + a.Key, Value: a.Value})
		}
	}
	return nil
}

// contractFailure turns what the engine says into what the caller is told. Members agree on the fact of a trap, not on its words.
func contractFailure(meta *wire.Contract, err error) error {
	var said *engine.ContractError
	var trap *engine.TrapError
	switch {
	case errors.As(err, &said):
		return fail("contract-error", "change the message as the contract asks", "%s", said.Message)
	case errors.As(err, &trap):
		return fail("contract-trap", "tell the contract's author; the state is as it was before the call", "contract %s trapped in %s", address.Encode(meta.Address), trap.Entry)
	}
	return fmt.Errorf("running contract %x: %w", meta.Address, err)
}

// pay takes amount from a private balance and pays it out of the cluster's escrow when the batch is final.
func (c *call) pay(step *state.Editor, from []byte, to string, amount *big.Int) error {
	if err := debit(step, from, amount); err != nil {
		return err
	}
	c.effects = append(c.effects, &wire.Effect{Body: &wire.Effect_Payout{Payout: &wire.Payout{To: to, Amount: amount.String()}}})
	return nil
}

func contractMeta(ed interface {
	Get([]byte) ([]byte, bool)
}, addr []byte) (*wire.Contract, error) {
	v, ok := ed.Get(contractKey(addr))
	if !ok {
		return nil, fail("no-such-contract", "see `phala contract list`", "this cluster runs no contract %s", address.Encode(addr))
	}
	var m wire.Contract
	if err := wire.Unmarshal(v, &m); err != nil {
		return nil, fmt.Errorf("reading contract %x: %w", addr, err)
	}
	return &m, nil
}

// The parts of the state's key space (docs/protocol.md, State).
func storageKey(contract []byte) []byte { return append([]byte{1}, contract...) }
func balanceKey(account string) []byte  { return append([]byte{2}, account...) }
func contractKey(addr []byte) []byte    { return append([]byte{3}, addr...) }
func blindKey() []byte                  { return []byte{5} }
func replayKey(enc []byte) []byte {
	h := sha256.Sum256(enc)
	return append([]byte{4}, h[:]...)
}
