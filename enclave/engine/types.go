package engine

import (
	"encoding/json"
	"slices"
)

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

	IBCChannelOpen    Entry = "ibc_channel_open"
	IBCChannelConnect Entry = "ibc_channel_connect"
	IBCChannelClose   Entry = "ibc_channel_close"
	IBCPacketReceive  Entry = "ibc_packet_receive"
	IBCPacketAck      Entry = "ibc_packet_ack"
	IBCPacketTimeout  Entry = "ibc_packet_timeout"
	IBCSource         Entry = "ibc_source_callback"
	IBCDestination    Entry = "ibc_destination_callback"
	IBC2PacketReceive Entry = "ibc2_packet_receive"
	IBC2PacketAck     Entry = "ibc2_packet_ack"
	IBC2PacketTimeout Entry = "ibc2_packet_timeout"
	IBC2PacketSend    Entry = "ibc2_packet_send"
)

// entries are all there are.
func entries() []Entry {
	return []Entry{
		Instantiate, Execute, Query, Migrate, Sudo, Reply,
		IBCChannelOpen, IBCChannelConnect, IBCChannelClose, IBCPacketReceive, IBCPacketAck, IBCPacketTimeout,
		IBCSource, IBCDestination, IBC2PacketReceive, IBC2PacketAck, IBC2PacketTimeout, IBC2PacketSend,
	}
}

func (e Entry) known() bool { return slices.Contains(entries(), e) }

// raw is whether the entry point answers with something of its own and not
// with a Response.
func (e Entry) raw() bool { return e == Query || e == IBCChannelOpen }

// params is how many regions the entry point is given. Migrate may ask for a
// third, MigrateInfo.
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
	// Query may use as much gas as is given and says how much it has used,
	// which the asker pays.
	Query(request []byte, gas uint64) (answer []byte, used uint64, err error)
}

// Call is one call of a contract.
type Call struct {
	Entry       Entry
	Env         Env
	Info        *Info       // required by Instantiate and Execute, ignored by the others
	MigrateInfo MigrateInfo // Migrate passes it to a contract that asks for it
	Msg         []byte      // JSON
	// Store is written as the contract goes along: pass an overlay and drop it
	// when Run returns an error. In queries a write is a trap.
	Store    Store
	Querier  Querier // nil: every query is answered unsupported_request
	GasLimit uint64  // 0: Config.GasLimit

	Extensions Extensions
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

// MigrateInfo is who migrates a contract, and from which version of its own
// state (Contract.MigrateVersion), if the former code said so.
type MigrateInfo struct {
	Sender     string  `json:"sender"`
	OldVersion *uint64 `json:"old_migrate_version"`
}

// Coin is an amount of a denomination, the amount in decimal.
type Coin struct {
	Denom  string `json:"denom"`
	Amount string `json:"amount"`
}

// Outcome is what a call has left; of one that failed, only GasUsed counts.
type Outcome struct {
	Response *Response // of all entry points but Query and IBCChannelOpen
	Query    []byte    // of Query; of IBCChannelOpen the JSON of its answer
	Private  []PrivateEvent
	GasUsed  uint64
}

// Response is what a contract wants to happen and to be known.
type Response struct {
	Messages   []SubMsg    `json:"messages"`
	Attributes []Attribute `json:"attributes"`
	Events     []Event     `json:"events"`
	Data       []byte      `json:"data"`
	// Acknowledgement is that of IBCPacketReceive; nil is none.
	Acknowledgement []byte `json:"acknowledgement"`
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
