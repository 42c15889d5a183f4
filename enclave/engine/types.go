package engine

import "encoding/json"

// Entry is one of a contract's entry points.
type Entry string

// The entry points of a contract.
const (
	Instantiate Entry = "instantiate"
	Execute     Entry = "execute"
	Query       Entry = "query"
	Migrate     Entry = "migrate"
	Sudo        Entry = "sudo"
	Reply       Entry = "reply"
)

func (e Entry) known() bool {
	switch e {
	case Instantiate, Execute, Query, Migrate, Sudo, Reply:
		return true
	}
	return false
}

// params is how many regions the entry point is given.
func (e Entry) params() int {
	if e == Instantiate || e == Execute {
		return 3 // env, info, msg
	}
	return 2 // env, msg
}

// Store is a contract's state: an ordered map. The engine passes copies and
// keeps nothing of what it is given. A nil value is never stored.
type Store interface {
	Get(key []byte) (value []byte, ok bool)
	Set(key, value []byte)
	Delete(key []byte)
	// Ascend visits start <= key < end in order, Descend the same range
	// backwards; nil is an open bound; they stop when yield answers false.
	Ascend(start, end []byte, yield func(key, value []byte) bool)
	Descend(start, end []byte, yield func(key, value []byte) bool)
}

// Querier answers a contract's questions to others: a CosmWasm QueryRequest
// in JSON, answered by a SystemResult in JSON. What the contract may see as a
// failure belongs into the answer; an error ends the call and is returned by
// Run as it is, because the node, not the contract, has failed.
type Querier interface {
	Query(request []byte) ([]byte, error)
}

// Call is one call of a contract.
type Call struct {
	Entry Entry
	Env   Env
	Info  *Info  // required by Instantiate and Execute, ignored by the others
	Msg   []byte // JSON
	// Store is written as the contract goes along: pass an overlay and drop it
	// when Run returns an error. In queries a write is a trap.
	Store    Store
	Querier  Querier // nil: every query is answered unsupported_request
	GasLimit uint64  // reserved: not enforced yet
}

// Env is what a contract learns about where it runs.
type Env struct {
	ChainID   string
	Height    uint64
	TimeNanos uint64  // block time, since the Unix epoch
	TxIndex   *uint32 // nil outside of a transaction
	Contract  string  // its own address
	Caller    string  // who signed the permit of a query; only extended contracts see it
}

// Info is who calls and what came along.
type Info struct {
	Sender string
	Funds  []Coin
}

// Coin is an amount of a denomination, the amount in decimal.
type Coin struct {
	Denom  string `json:"denom"`
	Amount string `json:"amount"`
}

// Outcome is what a call that succeeded has left.
type Outcome struct {
	Response *Response // of all entry points but Query
	Query    []byte    // of Query
	GasUsed  uint64    // reserved: always zero yet
}

// Response is what a contract wants to happen and to be known.
type Response struct {
	Messages   []SubMsg    `json:"messages"`
	Attributes []Attribute `json:"attributes"`
	Events     []Event     `json:"events"`
	Data       []byte      `json:"data"`
}

// SubMsg is a message to be carried out after the call. Msg is a CosmosMsg,
// as the contract wrote it.
type SubMsg struct {
	ID       uint64          `json:"id"`
	Msg      json.RawMessage `json:"msg"`
	GasLimit *uint64         `json:"gas_limit"`
	ReplyOn  string          `json:"reply_on"` // always, error, success, never
	Payload  []byte          `json:"payload,omitempty"`
}

// Attribute is one key and value of an event.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Event is a typed list of attributes.
type Event struct {
	Type       string      `json:"type"`
	Attributes []Attribute `json:"attributes"`
}
