package node

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cosmos/gogoproto/proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/phala-go/phala/core/cosmostx"
)

// TxError is a transaction that the chain refused: when it was offered (Height 0) or when its block ran.
type TxError struct {
	Code      uint32
	Codespace string
	Log       string
	Hash      string
	Height    uint64
}

func (e *TxError) Error() string {
	return fmt.Sprintf("the chain refused the transaction: %s (%s code %d)", e.Log, e.Codespace, e.Code)
}

// Event is one of a transaction's events.
type Event struct {
	Type       string      `json:"type"`
	Attributes []Attribute `json:"attributes"`
}

// Attribute is a name and a value in an event.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Attr is the value of the first attribute of that name.
func (e Event) Attr(key string) (string, bool) {
	for _, a := range e.Attributes {
		if a.Key == key {
			return a.Value, true
		}
	}
	return "", false
}

// TxResult is what a transaction in a block came to.
type TxResult struct {
	Hash      string
	Height    uint64
	GasUsed   uint64
	Events    []Event
	Responses []cosmostx.Msg // one for each message
}

// Response decodes the response to message i.
func (r TxResult) Response(i int, m proto.Message) error {
	if i < 0 || i >= len(r.Responses) {
		return fmt.Errorf("reading response %d of transaction %s: it has %d", i, r.Hash, len(r.Responses))
	}
	if want := "/" + proto.MessageName(m); r.Responses[i].TypeURL != want {
		return fmt.Errorf("reading response %d of transaction %s: it is a %s, not a %s", i, r.Hash, r.Responses[i].TypeURL, want)
	}
	return proto.Unmarshal(r.Responses[i].Value, m)
}

// Event finds the first event of that type.
func (r TxResult) Event(typ string) (Event, bool) {
	for _, e := range r.Events {
		if e.Type == typ {
			return e, true
		}
	}
	return Event{}, false
}

// Broadcast offers a signed transaction and returns its hash once the node has checked it; a refusal is a *TxError. One that
// the node already has is no error.
func (c *Client) Broadcast(ctx context.Context, tx []byte) (string, error) {
	hash := cosmostx.Hash(tx)
	var r struct {
		Code      uint32 `json:"code"`
		Codespace string `json:"codespace"`
		Log       string `json:"log"`
	}
	params := struct {
		Tx string `json:"tx"`
	}{base64.StdEncoding.EncodeToString(tx)}
	if err := c.call(ctx, "broadcast_tx_sync", params, &r); err != nil {
		var rpc *RPCError
		if errors.As(err, &rpc) && strings.Contains(rpc.Data, "tx already exists in cache") {
			return hash, nil
		}
		return hash, fmt.Errorf("sending a transaction: %w", err)
	}
	if r.Code != 0 {
		return hash, &TxError{Code: r.Code, Codespace: r.Codespace, Log: r.Log, Hash: hash}
	}
	return hash, nil
}

// Tx asks for a transaction; ErrNotFound if it is in no block (yet). One that failed in its block gives a result and a *TxError.
func (c *Client) Tx(ctx context.Context, hash string) (TxResult, error) {
	b, err := hex.DecodeString(hash)
	if err != nil {
		return TxResult{}, fmt.Errorf("asking for transaction %.80q: want its hash in hexadecimal", hash)
	}
	var r txAnswer
	params := struct {
		Hash string `json:"hash"`
	}{base64.StdEncoding.EncodeToString(b)}
	if err := c.call(ctx, "tx", params, &r); err != nil {
		var rpc *RPCError
		if errors.As(err, &rpc) && strings.Contains(rpc.Data, "not found") {
			return TxResult{}, fmt.Errorf("transaction %s: %w", hash, ErrNotFound)
		}
		return TxResult{}, err
	}
	r.Hash = hash
	return r.result()
}

// txAnswer is a transaction as the node's RPC gives it.
type txAnswer struct {
	Hash   string `json:"hash"`
	Height uint64 `json:"height,string"`
	Result struct {
		Code      uint32  `json:"code"`
		Codespace string  `json:"codespace"`
		Log       string  `json:"log"`
		Data      []byte  `json:"data"`
		GasUsed   uint64  `json:"gas_used,string"`
		Events    []Event `json:"events"`
	} `json:"tx_result"`
}

func (r *txAnswer) result() (res TxResult, err error) {
	res = TxResult{Hash: strings.ToUpper(r.Hash), Height: r.Height, GasUsed: r.Result.GasUsed, Events: r.Result.Events}
	if r.Result.Code != 0 {
		return res, &TxError{Code: r.Result.Code, Codespace: r.Result.Codespace, Log: r.Result.Log, Hash: res.Hash, Height: r.Height}
	}
	if res.Responses, err = msgResponses(r.Result.Data); err != nil {
		return res, fmt.Errorf("reading the result of transaction %s: %w", res.Hash, err)
	}
	return res, nil
}

// MaxTxs is how many transactions Txs gives at most.
const MaxTxs = 100

// Txs asks for the transactions with an event, such as "cluster_batch.cluster='1'", newest first and at most limit of them: the node's
// word, as far back as it keeps an index. Those that failed have no events.
func (c *Client) Txs(ctx context.Context, query string, limit int) ([]TxResult, error) {
	var r struct {
		Txs []txAnswer `json:"txs"`
	}
	params := struct {
		Query   string `json:"query"`
		Page    string `json:"page"`
		PerPage string `json:"per_page"`
		Order   string `json:"order_by"`
	}{query, "1", strconv.Itoa(min(limit, MaxTxs)), "desc"}
	if err := c.call(ctx, "tx_search", params, &r); err != nil {
		return nil, fmt.Errorf("asking for transactions with %s: %w", query, err)
	}
	var out []TxResult
	for _, t := range r.Txs {
		res, err := t.result()
		if err != nil {
			return nil, err
		}
		out = append(out, res)
	}
	return out, nil
}

// indexLag is how long after a block its transactions may still be missing from the node's index.
const indexLag = 32 * time.Millisecond

// WaitTx waits until the transaction is in a block, or ctx ends.
func (c *Client) WaitTx(ctx context.Context, hash string) (TxResult, error) {
	hctx, cancel := context.WithCancel(ctx)
	defer cancel()
	heights := c.NewHeights(hctx)
	for {
		for wait := 2 * time.Millisecond; ; wait *= 2 {
			res, err := c.Tx(ctx, hash)
			if err == nil || !errors.Is(err, ErrNotFound) {
				return res, err
			}
			if wait > indexLag {
				break
			}
			if err := sleep(ctx, wait); err != nil {
				return TxResult{}, fmt.Errorf("waiting for transaction %s: %w", hash, err)
			}
		}
		select {
		case <-ctx.Done():
			return TxResult{}, fmt.Errorf("waiting for transaction %s: %w", hash, ctx.Err())
		case <-heights:
		case <-time.After(time.Second):
		}
	}
}

// msgResponses reads cosmos.base.abci.v1beta1.TxMsgData.
func msgResponses(data []byte) ([]cosmostx.Msg, error) {
	var all []cosmostx.Msg
	for len(data) > 0 {
		num, typ, l := protowire.ConsumeTag(data)
		if l < 0 {
			return nil, protowire.ParseError(l)
		}
		data = data[l:]
		size := protowire.ConsumeFieldValue(num, typ, data)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		if num == 2 && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(data)
			url, _, err := field(v, 1)
			if err != nil {
				return nil, err
			}
			val, _, err := field(v, 2)
			if err != nil {
				return nil, err
			}
			all = append(all, cosmostx.Msg{TypeURL: string(url), Value: val})
		}
		data = data[size:]
	}
	return all, nil
}
