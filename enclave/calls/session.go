package calls

import (
	"context"
	"errors"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// What one input, or one query, may set off. Gas alone does not bound it:
// each level holds memory of the enclave's.
const (
	maxDepth      = 32  // messages of messages
	maxQueryDepth = 10  // queries of queries, each with a live instance
	maxCalls      = 256 // of contracts, by message, reply or query
	maxPayload    = 128 << 10
	maxEvents     = 1 << 20 // bytes of all events, since each reply above them tells them again
)

// World is what contracts see and use besides the state.
type World struct {
	Engine *engine.Engine
	// Code gives compiled code. An error that is not an Error means that the
	// node lacks it, and ends the input.
	Code    func(ctx context.Context, id []byte) (*engine.Contract, error)
	ChainID string
	Cluster uint64
	Height  uint64
	Nanos   uint64  // block time
	TxIndex *uint32 // nil in a query
	Index   uint64  // of the inbox item, for the record of contracts that are made
	Sources
}

// Session is the execution of one input or query. Its editor is written as it
// goes along: on an error the caller drops that, and the effects with it.
type Session struct {
	World
	Gas     uint64         // that contracts may use; 0 is none
	Effects []*wire.Effect // in the order in which they were caused
	// Slow says that the wall-clock guard has stopped something of this input;
	// if it is set before the call, that is not run again.
	Slow bool

	calls int
	said  int    // bytes of events
	gas   uint64 // used

	sender  string // of the input; "" in a query
	private []*wire.PrivateEvent

	deploy uint64 // charges, which no limit bounds: who instantiates has not chosen the code's size
}

// Used is the gas that all calls have used, with the deploy charges of what was
// brought to life.
func (s *Session) Used() uint64 { return s.gas + s.deploy }

// Result is what the sender of an input is told.
type Result struct {
	Data       []byte
	Attributes []*wire.Attribute
	Private    []*wire.PrivateEvent
}

// Execute calls a contract for an account.
func (s *Session) Execute(ctx context.Context, ed *state.Editor, meta *wire.Contract, sender string, msg []byte, funds string) (Result, error) {
	return s.enter(ctx, ed, meta, engine.Execute, sender, msg, funds)
}

// Instantiate brings the contract meta to life for an account, whom the last
// attribute tells the number by which contracts name the code.
func (s *Session) Instantiate(ctx context.Context, ed *state.Editor, meta *wire.Contract, sender string, msg []byte, funds string) (Result, error) {
	ed.Set(ContractKey(meta.Address), wire.Marshal(meta))
	s.endow(ed, meta.Address)
	number := enrol(ed, meta.CodeId, sender)
	r, err := s.enter(ctx, ed, meta, engine.Instantiate, sender, msg, funds)
	if err != nil {
		return Result{}, err
	}
	r.Attributes = append(r.Attributes, &wire.Attribute{Key: "instantiate.code_id", Value: decimal(number)})
	return r, nil
}

func (s *Session) enter(ctx context.Context, ed *state.Editor, meta *wire.Contract, entry engine.Entry, sender string, msg []byte, funds string) (Result, error) {
	s.sender = sender
	coins, err := attach(ed, sender, address.Encode(meta.Address), funds)
	if err != nil {
		return Result{}, err
	}
	var out outcome
	first := engine.Call{Entry: entry, Info: &engine.Info{Sender: sender, Funds: coins}, Msg: msg}
	if !s.Slow {
		out, err = s.run(ctx, ed, meta, 0, first)
	}
	var late *timeout
	if s.Slow = s.Slow || errors.As(err, &late); s.Slow {
		return Result{}, trapped(meta, first) // whichever contract it was
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{Data: out.data, Private: s.private}
	for i, e := range out.events {
		for j, a := range e.Attributes {
			key := e.Type + "." + a.Key
			switch {
			case i >= out.own: // of a call that this one caused
			case j == 0: // the contract called, whom the sender knows
				continue
			case e.Type == "wasm":
				key = a.Key
			default:
				key = e.Type[len("wasm-"):] + "." + a.Key
			}
			r.Attributes = append(r.Attributes, &wire.Attribute{Key: key, Value: a.Value})
		}
	}
	return r, nil
}

// Query asks a contract for caller, who has been admitted already.
func (s *Session) Query(ctx context.Context, ed *state.Editor, meta *wire.Contract, caller string, msg []byte) ([]byte, error) {
	out, err := s.ask(ctx, ed, meta, 0, caller, msg, 0)
	return out.Query, err
}

// call runs an entry point, without what follows from it.
func (s *Session) call(ctx context.Context, ed *state.Editor, meta *wire.Contract, depth int, c engine.Call) (engine.Outcome, error) {
	if s.calls++; s.calls > maxCalls {
		return engine.Outcome{}, Fail("too-many-calls", "split the work over several messages", "the message sets off more than %d calls of contracts", maxCalls)
	}
	code, err := s.Code(ctx, meta.CodeId)
	if err != nil {
		return engine.Outcome{}, err
	}
	self := address.Encode(meta.Address)
	c.Env.ChainID, c.Env.Height, c.Env.TimeNanos = s.ChainID, s.Height, s.Nanos
	c.Env.TxIndex, c.Env.Contract = s.TxIndex, self
	c.Store = ed.Space(StorageKey(meta.Address))
	q := &querier{ctx: ctx, s: s, ed: ed, asker: self, depth: 1}
	if c.Entry == engine.Query {
		q.depth = depth + 1
	}
	c.Querier = q
	if code.Extended() {
		if c.Extensions, err = s.extensions(ed, meta); err != nil {
			return engine.Outcome{}, err
		}
	}
	asked := c.GasLimit > 0 // by another contract, which pays
	if !asked {
		c.GasLimit = s.Gas - s.gas
	}
	if c.GasLimit == 0 {
		return engine.Outcome{}, spent(self, c)
	}
	out, err := s.Engine.Run(ctx, code, c)
	if !asked {
		s.gas += out.GasUsed
	}
	if c.Entry == engine.Instantiate {
		s.deploy += code.DeployGas()
	}
	if err != nil {
		return out, failed(meta, depth, c, err)
	}
	s.keep(meta, out.Private)
	return out, nil
}

// ask runs a query; depth counts queries. With a gas of its own, which a
// contract gives that asks, it counts as that contract's.
func (s *Session) ask(ctx context.Context, ed *state.Editor, meta *wire.Contract, depth int, caller string, msg []byte, gas uint64) (engine.Outcome, error) {
	if depth > maxQueryDepth {
		return engine.Outcome{}, Fail("too-deep", "ask the contract's author", "more than %d queries within each other", maxQueryDepth)
	}
	return s.call(ctx, ed, meta, depth, engine.Call{Entry: engine.Query, Env: engine.Env{Caller: caller}, Msg: msg, GasLimit: gas})
}

// outcome is what a call and all that followed from it has come to.
type outcome struct {
	data   []byte
	events []engine.Event
	own    int // how many events are of the call itself, at the front
}

// run calls a contract and carries out what it asks for.
func (s *Session) run(ctx context.Context, ed *state.Editor, meta *wire.Contract, depth int, c engine.Call) (outcome, error) {
	if depth > maxDepth {
		return outcome{}, Fail("too-deep", "ask the contract's author", "more than %d messages within each other", maxDepth)
	}
	ran, err := s.call(ctx, ed, meta, depth, c)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{data: ran.Response.Data}
	if out.events, err = told(address.Encode(meta.Address), ran.Response); err != nil {
		return outcome{}, err
	}
	out.own = len(out.events)
	if s.said += size(out.events); s.said > maxEvents {
		return outcome{}, Fail("contract-events", "tell the contract's author", "the message sets off more than %d bytes of events", maxEvents)
	}
	for _, m := range ran.Response.Messages {
		data, events, err := s.submessage(ctx, ed, meta, depth, m)
		if err != nil {
			return outcome{}, err
		}
		out.events = append(out.events, events...)
		if data != nil {
			out.data = data
		}
	}
	return out, nil
}
