package contract

import (
	"encoding/json"
	"fmt"
)

// ReplyOn is when a contract wants to hear what has become of a message.
type ReplyOn string

// The times to reply. Where a contract replies to an error, the failure of the
// message is not the failure of the call: what the message did is undone, what
// the contract did stays.
const (
	Never     ReplyOn = "never"
	Always    ReplyOn = "always"
	OnSuccess ReplyOn = "success"
	OnError   ReplyOn = "error"
)

// Submessage is a message with a reply.
type Submessage struct {
	ID      uint64 // comes back in the reply, as does Payload
	Payload []byte
	ReplyOn ReplyOn
	Msg     any // a CosmWasm message
}

// Submessage adds a message and says when to reply; these are carried out in
// order, once the call has succeeded.
func (c *Context) Submessage(s Submessage) {
	b, err := json.Marshal(s.Msg)
	if err != nil {
		c.fail(fmt.Errorf("encoding a message: %w", err))
	}
	c.response.Messages = append(c.response.Messages, subMessage{ID: s.ID, Msg: b, ReplyOn: s.ReplyOn, Payload: s.Payload})
}

// Reply is what has become of a Submessage.
type Reply struct {
	ID      uint64
	Payload []byte
	Failure string // why it failed; empty if it did not
	// What a message to a contract has given: its events, and its answer in
	// protobuf as a chain would have it.
	Events []Event
	Data   []byte
}

// Event is a typed list of attributes.
type Event struct {
	Type       string      `json:"type"`
	Attributes []Attribute `json:"attributes"`
}

// Find gives the first attribute with a key in the events of a type, such as
// _contract_address of instantiate.
func (r Reply) Find(kind, key string) (value string, ok bool) {
	for _, e := range r.Events {
		if e.Type != kind {
			continue
		}
		for _, a := range e.Attributes {
			if a.Key == key {
				return a.Value, true
			}
		}
	}
	return "", false
}

// ReplyHandler is the entry point for replies. Its error refuses the call that
// sent the message, whole.
type ReplyHandler func(ctx *Context, r Reply) error

type replyJSON struct {
	ID      uint64 `json:"id"`
	Payload []byte `json:"payload"`
	Result  struct {
		OK *struct {
			Events []Event `json:"events"`
			Data   []byte  `json:"data"`
		} `json:"ok"`
		Error string `json:"error"`
	} `json:"result"`
}

func (f ReplyHandler) handler() Handler {
	if f == nil {
		return nil
	}
	return func(ctx *Context, raw []byte) error {
		var in replyJSON
		if err := json.Unmarshal(raw, &in); err != nil {
			return fmt.Errorf("reading the reply: %w", err)
		}
		r := Reply{ID: in.ID, Payload: in.Payload, Failure: in.Result.Error}
		if ok := in.Result.OK; ok != nil {
			r.Events, r.Data = ok.Events, ok.Data
		} else if r.Failure == "" {
			r.Failure = "no reason given"
		}
		return f(ctx, r)
	}
}
