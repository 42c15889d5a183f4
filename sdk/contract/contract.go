// Package contract is what the author of a confidential contract in Go
// imports. A contract is a Go program of plain functions:
//
//	type Say struct{ Text string `json:"text"` }
//
//	var last = contract.NewItem[string]("last")
//
//	func say(ctx *contract.Context, msg Say) error { last.Save(ctx, msg.Text); return nil }
//
//	func init() { contract.Register(contract.Contract{Execute: contract.Handle(say)}) }
//	func main() {}
//
// built with the standard toolchain:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o say.wasm .
//
// It runs the same, natively, under package contracttest.
//
// A contract has no clock but the block's, no files and no network; what it
// prints goes nowhere. crypto/rand and math/rand are not random: they give the
// same bytes at each call, and anyone who has the code can compute them, so no
// secret may come from there; see Context.Random, Context.PublicKey and
// Context.Sign. State is confidential: what a query answers, and to whom
// (Context.Caller), is for the contract to decide.
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Contract is the set of a contract's entry points. One left out refuses every
// call, except that a contract without Instantiate takes any first message.
type Contract struct {
	Instantiate Handler
	Execute     Handler
	Query       Answerer
	Migrate     Handler      // other code becomes this one's, with the former one's state
	Sudo        Handler      // called by the chain itself
	Reply       ReplyHandler // to a Submessage
}

// Handler is an entry point that may change state; Handle makes one.
type Handler func(ctx *Context, msg []byte) error

// Answerer is an entry point that may not; Answer makes one.
type Answerer func(ctx *Context, msg []byte) (any, error)

// Handle makes an entry point of a function that takes a message of type M.
//
// A struct whose fields are all pointers to structs is a choice, as is usual
// with CosmWasm: {"bid":{"amount":"5"}} sets the field bid. The function then
// finds exactly one field set.
//
// An error refuses the call, undoes what it changed, and is shown to the
// sender.
func Handle[M any](f func(ctx *Context, msg M) error) Handler {
	decode := newDecoder[M]()
	return func(ctx *Context, raw []byte) error {
		msg, err := decode(raw)
		if err != nil {
			return err
		}
		return f(ctx, msg)
	}
}

// Answer makes an entry point of a function that answers a message of type M
// with an R, which is sent as JSON. Answers of several types make R any; name
// them in Warm.
func Answer[M, R any](f func(ctx *Context, msg M) (R, error)) Answerer {
	decode := newDecoder[M]()
	Warm[R]()
	return func(ctx *Context, raw []byte) (any, error) {
		msg, err := decode(raw)
		if err != nil {
			return nil, err
		}
		return f(ctx, msg)
	}
}

// Warm encodes and decodes a T once, so that the work encoding/json does on
// first sight of a type is part of the contract's starting image and not of
// each call. Handle, Answer, NewItem and NewMap warm their own types.
func Warm[T any]() {
	var zero T
	b, err := json.Marshal(zero)
	if err == nil {
		err = json.Unmarshal(b, &zero)
	}
	if err != nil {
		panic(fmt.Sprintf("contract: %T cannot be JSON: %v", zero, err))
	}
}

var registered *Contract

// Register says which contract this program is. Call it once, from init.
func Register(c Contract) {
	if registered != nil {
		panic("contract: registered twice")
	}
	for _, warm := range []func(){Warm[env], Warm[info], Warm[result], Warm[replyJSON]} {
		warm()
	}
	registered = &c
}

// Run makes one call: the arguments and the answer are those of the CosmWasm
// ABI, in JSON. It is for those who host contracts, not for contracts.
func (c Contract) Run(h Host, entry string, env, info, msg []byte) []byte {
	answer, err := c.run(h, entry, env, info, msg)
	out := result{OK: answer}
	if err != nil {
		text := err.Error()
		out = result{Error: &text}
	}
	b, err := out.encode()
	if err != nil {
		panic(fmt.Sprintf("contract: the answer cannot be JSON: %v", err))
	}
	return b
}

func (c Contract) run(h Host, entry string, env, info, msg []byte) (any, error) {
	if !json.Valid(env) {
		return nil, errors.New("reading the environment: it is not JSON")
	}
	ctx := &Context{host: h, rawEnv: env}
	handler := c.Execute
	switch entry {
	case "query":
		return c.answer(ctx, msg)
	case "instantiate":
		if handler = c.Instantiate; handler == nil {
			handler = func(*Context, []byte) error { return nil }
		}
	case "migrate":
		handler = c.Migrate
	case "sudo":
		handler = c.Sudo
	case "reply":
		handler = c.Reply.handler()
	}
	if handler == nil {
		return nil, fmt.Errorf("this contract has no %s", entry)
	}
	if entry == "execute" || entry == "instantiate" {
		if err := decodeInfo(info, &ctx.info); err != nil {
			return nil, fmt.Errorf("reading the sender: %w", err)
		}
	}
	if err := handler(ctx, msg); err != nil {
		return nil, err
	}
	return ctx.response.finish(), ctx.err
}

func (c Contract) answer(ctx *Context, msg []byte) (any, error) {
	if c.Query == nil {
		return nil, errors.New("this contract has no query")
	}
	ctx.readOnly = true
	answer, err := c.Query(ctx, msg)
	if err != nil {
		return nil, err
	}
	b, err := encode(answer)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return b, nil // as base64, within the result
}
