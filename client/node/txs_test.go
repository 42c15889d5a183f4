package node_test

import (
	"context"
	"errors"
	"testing"

	"github.com/phala-go/phala/client/node"
)

func TestTxsByEvent(t *testing.T) {
	f, c := start(t)
	code := 0
	f.calls["tx_search"] = func(p map[string]any) (any, *node.RPCError) {
		if p["query"] != "key_request.cluster='1'" || p["per_page"] != "100" || p["order_by"] != "desc" {
			return nil, &node.RPCError{Message: "another question"}
		}
		return map[string]any{"txs": []any{map[string]any{"hash": "ab", "height": "9", "tx_result": map[string]any{
			"code": code, "log": "why", "gas_used": "5",
			"events": []any{map[string]any{"type": "key_request", "attributes": []any{map[string]any{"key": "epoch", "value": "3"}}}},
		}}}}, nil
	}
	txs, err := c.Txs(context.Background(), "key_request.cluster='1'", 1000)
	if err != nil || len(txs) != 1 || txs[0].Height != 9 || txs[0].Hash != "AB" {
		t.Fatalf("%+v, %v", txs, err)
	}
	ev, ok := txs[0].Event("key_request")
	if v, _ := ev.Attr("epoch"); !ok || v != "3" {
		t.Errorf("events %v", txs[0].Events)
	}
	code = 4
	var refused *node.TxError
	if _, err := c.Txs(context.Background(), "key_request.cluster='1'", 100); !errors.As(err, &refused) {
		t.Errorf("one that failed: %v", err)
	}
	if _, err := c.Txs(context.Background(), "other", 1); err == nil {
		t.Error("a node's refusal is no error")
	}
}
