package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Context is one call: who calls, where and when, and what the contract wants
// to happen. It is of no use after the call.
type Context struct {
	host     Host
	rawEnv   []byte
	env      *env // once somebody has asked
	info     info
	readOnly bool
	response response
	err      error // the first fault in what the contract asked for
}

// environment is read when it is first asked for: most calls never do.
func (c *Context) environment() *env {
	if c.env == nil {
		c.env = &env{}
		if err := json.Unmarshal(c.rawEnv, c.env); err != nil {
			panic(fmt.Sprintf("contract: reading the environment: %v", err))
		}
	}
	return c.env
}

// Sender is the account or contract that called; empty where nobody did: in a
// query, a migration, a reply, and what the chain itself calls.
func (c *Context) Sender() string { return c.info.Sender }

// Caller is the account that signed a query's permit, and empty if nobody did.
// Outside of queries it is the sender.
func (c *Context) Caller() string {
	if c.readOnly {
		return c.environment().Caller
	}
	return c.info.Sender
}

// Funds came with the call and are the contract's already.
func (c *Context) Funds() []Coin { return c.info.Funds }

// Self is the contract's own address.
func (c *Context) Self() string { return c.environment().Contract.Address }

// Height is the block the call is executed at.
func (c *Context) Height() uint64 { return c.environment().Block.Height }

// Time is that block's.
func (c *Context) Time() time.Time { return time.Unix(0, c.environment().Block.Time).UTC() }

// ChainID names the chain.
func (c *Context) ChainID() string { return c.environment().Block.ChainID }

// CheckAddress tells what is wrong with an address.
func (c *Context) CheckAddress(address string) error { return c.host.CheckAddress(address) }

// Attribute adds to the call's own event, which its caller finds in the sealed result and nobody else sees.
func (c *Context) Attribute(key, value string) {
	c.response.Attributes = append(c.response.Attributes, Attribute{key, value})
}

// Emit adds an event, for the caller alone like the attributes.
func (c *Context) Emit(kind string, attributes ...Attribute) {
	c.response.Events = append(c.response.Events, event{kind, append([]Attribute{}, attributes...)})
}

// Return sets the data the caller gets back, as JSON.
func (c *Context) Return(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.fail(fmt.Errorf("encoding what is returned: %w", err))
	}
	c.response.Data = b
}

// Send pays from the contract's balance once the call has succeeded. A payment
// that makes no sense fails the call.
func (c *Context) Send(to, amount, denom string) {
	if err := c.CheckAddress(to); err != nil {
		c.fail(fmt.Errorf("sending to %q: %w", to, err))
	}
	if err := checkAmount(amount); err != nil {
		c.fail(fmt.Errorf("sending %q: %w", amount, err))
	}
	if denom == "" {
		c.fail(errors.New("sending: no denomination"))
	}
	type send struct {
		To     string `json:"to_address"`
		Amount []Coin `json:"amount"`
	}
	type bank struct {
		Send send `json:"send"`
	}
	c.Message(struct {
		Bank bank `json:"bank"`
	}{bank{send{to, []Coin{{denom, amount}}}}})
}

// Execute calls another contract once this call has succeeded.
func (c *Context) Execute(address string, msg any, funds ...Coin) {
	b, err := json.Marshal(msg)
	if err != nil {
		c.fail(fmt.Errorf("calling %s: %w", address, err))
	}
	type execute struct {
		Contract string `json:"contract_addr"`
		Msg      []byte `json:"msg"`
		Funds    []Coin `json:"funds"`
	}
	type wasm struct {
		Execute execute `json:"execute"`
	}
	c.Message(struct {
		Wasm wasm `json:"wasm"`
	}{wasm{execute{address, b, append([]Coin{}, funds...)}}})
}

// Message adds any CosmWasm message.
func (c *Context) Message(msg any) { c.Submessage(Submessage{Msg: msg, ReplyOn: Never}) }

// fail refuses the call at its end: so that asking for something is one line.
func (c *Context) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// checkAmount wants a positive whole number of at most 128 bits' digits.
func checkAmount(s string) error {
	if s == "" || s[0] == '0' || len(s) > 39 {
		return errors.New("not a positive whole number")
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return errors.New("not a positive whole number")
		}
	}
	return nil
}
