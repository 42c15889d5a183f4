package contract

import "encoding/json"

// Host is what a contract's calls end in: the enclave, or contracttest.
type Host interface {
	Get(key []byte) (value []byte, ok bool)
	Set(key, value []byte)
	Delete(key []byte)
	// Scan gives the pairs with start <= key < end one by one, nil being an
	// open bound.
	Scan(start, end []byte, descending bool) (next func() (key, value []byte, ok bool))
	CheckAddress(address string) error
	// Query passes a CosmWasm QueryRequest and gives the SystemResult.
	Query(request []byte) []byte
	Extensions
}

// Coin is an amount of a denomination, the amount in decimal digits.
type Coin struct {
	Denom  string `json:"denom"`
	Amount string `json:"amount"`
}

// Attribute is one key and value of an event.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Attr is short for an Attribute.
func Attr(key, value string) Attribute { return Attribute{key, value} }

type env struct {
	Block struct {
		Height  uint64 `json:"height"`
		Time    int64  `json:"time,string"`
		ChainID string `json:"chain_id"`
	} `json:"block"`
	Contract struct {
		Address string `json:"address"`
	} `json:"contract"`
	Caller string `json:"caller"`
}

type info struct {
	Sender string `json:"sender"`
	Funds  []Coin `json:"funds"`
}

type result struct {
	OK    any     `json:"ok,omitempty"`
	Error *string `json:"error,omitempty"`
}

type event struct {
	Type       string      `json:"type"`
	Attributes []Attribute `json:"attributes"`
}

type subMessage struct {
	ID       uint64          `json:"id"`
	Msg      json.RawMessage `json:"msg"`
	GasLimit *uint64         `json:"gas_limit"`
	ReplyOn  ReplyOn         `json:"reply_on"`
	Payload  []byte          `json:"payload,omitempty"`
}

type response struct {
	Messages   []subMessage `json:"messages"`
	Attributes []Attribute  `json:"attributes"`
	Events     []event      `json:"events"`
	Data       []byte       `json:"data"`
}

// finish makes empty lists of absent ones, as the ABI wants.
func (r response) finish() response {
	r.Messages = append([]subMessage{}, r.Messages...)
	r.Attributes = append([]Attribute{}, r.Attributes...)
	r.Events = append([]event{}, r.Events...)
	return r
}
