// Package contracttest runs a contract natively, over state in memory, so that
// its author can test and debug it as any Go program.
//
// It promises the rules of a call (state undone on refusal, no writes in a
// query, JSON on the way in and out), not the enclave's limits.
package contracttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/phala-go/phala/sdk/contract"
)

// Contract is one contract with its state. The fields are what its calls see
// and may be changed between them.
type Contract struct {
	Address string
	ChainID string
	Height  uint64
	Time    time.Time
	// Answers, if set, answers the contract's queries to others: a CosmWasm
	// QueryRequest, answered by a SystemResult.
	Answers func(request []byte) []byte
	// Secret, 32 bytes, is what the contract's keys come from; nil: it has none.
	Secret []byte
	// Random, 32 bytes, is what the calls to come draw from; nil: they cannot.
	Random []byte

	code   contract.Contract
	state  map[string][]byte
	origin string // who sent the input that is being carried out
}

// Result is what a call wants to happen and to be known.
type Result struct {
	Messages   []json.RawMessage
	Replies    []contract.ReplyOn // to each message, when
	Attributes []contract.Attribute
	Events     []Event
	Data       []byte
	Private    [][]byte // private events, to the sender of the input
}

// Event is a typed list of attributes.
type Event struct {
	Type       string
	Attributes []contract.Attribute
}

// New gives a contract without state.
func New(c contract.Contract) *Contract {
	return &Contract{
		Address: Address("contract"), ChainID: "phala-test", Height: 1,
		Time:   time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		Secret: expand(make([]byte, 32), "contracttest"),
		code:   c, state: map[string][]byte{},
	}
}

// Instantiate makes the first call. The message is encoded as JSON, unless it
// is a json.RawMessage already.
func (c *Contract) Instantiate(sender string, msg any, funds ...contract.Coin) (*Result, error) {
	return c.change("instantiate", sender, msg, funds)
}

// Execute makes a call.
func (c *Contract) Execute(sender string, msg any, funds ...contract.Coin) (*Result, error) {
	return c.change("execute", sender, msg, funds)
}

// Migrate calls as if other code had become this one's.
func (c *Contract) Migrate(msg any) (*Result, error) { return c.change("migrate", "", msg, nil) }

// Sudo calls as the chain does.
func (c *Contract) Sudo(msg any) (*Result, error) { return c.change("sudo", "", msg, nil) }

// Reply tells the contract what has become of one of its messages.
func (c *Contract) Reply(r contract.Reply) (*Result, error) {
	result := map[string]any{"error": r.Failure}
	if r.Failure == "" {
		result = map[string]any{"ok": map[string]any{"events": append([]contract.Event{}, r.Events...), "data": r.Data, "msg_responses": []any{}}}
	}
	return c.change("reply", "", map[string]any{"id": r.ID, "payload": r.Payload, "gas_used": 0, "result": result}, nil)
}

// Query asks, with the permit of caller (or nobody's, if empty), and decodes
// the answer.
func (c *Contract) Query(caller string, msg, answer any) error {
	var raw []byte
	if err := c.call(&host{c: c, query: true}, "query", caller, nil, msg, &raw); err != nil {
		return err
	}
	return json.Unmarshal(raw, answer)
}

func (c *Contract) change(entry, sender string, msg any, funds []contract.Coin) (*Result, error) {
	info, err := json.Marshal(map[string]any{"sender": sender, "funds": append([]contract.Coin{}, funds...)})
	if err != nil {
		return nil, err
	}
	var r struct {
		Messages []struct {
			Msg     json.RawMessage  `json:"msg"`
			ReplyOn contract.ReplyOn `json:"reply_on"`
		} `json:"messages"`
		Attributes []contract.Attribute `json:"attributes"`
		Events     []Event              `json:"events"`
		Data       []byte               `json:"data"`
	}
	if sender != "" {
		c.origin = sender
	}
	before, h := maps.Clone(c.state), &host{c: c}
	if err := c.call(h, entry, "", info, msg, &r); err != nil {
		c.state = before
		return nil, err
	}
	out := &Result{Attributes: r.Attributes, Events: r.Events, Data: r.Data, Private: h.private}
	for _, m := range r.Messages {
		out.Messages = append(out.Messages, m.Msg)
		out.Replies = append(out.Replies, m.ReplyOn)
	}
	return out, nil
}

// call runs an entry point; a panic is an error, as a trap would be.
func (c *Contract) call(h *host, entry, caller string, info []byte, msg, ok any) (err error) {
	raw, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("encoding the message: %w", err)
	}
	env, err := json.Marshal(map[string]any{
		"block": map[string]any{
			"height": c.Height, "time": strconv.FormatInt(c.Time.UnixNano(), 10), "chain_id": c.ChainID,
		},
		"contract": map[string]any{"address": c.Address},
		"caller":   caller,
	})
	if err != nil {
		return err
	}
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("panic: %v", why)
		}
	}()
	var result struct {
		OK    json.RawMessage `json:"ok"`
		Error *string         `json:"error"`
	}
	if err := json.Unmarshal(c.code.Run(h, entry, env, info, raw), &result); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if result.Error != nil {
		return errors.New(*result.Error)
	}
	return json.Unmarshal(result.OK, ok)
}
