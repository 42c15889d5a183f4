package node_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protowire"

	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/cosmostx"
	"github.com/phala-go/phala/core/wire"
)

// fake is a node: method -> result or error.
type fake struct {
	t      *testing.T
	mu     sync.Mutex
	height int
	events chan int // heights pushed over the subscription
	ws     bool
	calls  map[string]func(params map[string]any) (any, *node.RPCError)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/websocket" {
		f.subscription(w, r)
		return
	}
	var req struct {
		Method string
		Params map[string]any
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	call := f.calls[req.Method]
	if req.Method == "status" {
		h := f.height
		call = func(map[string]any) (any, *node.RPCError) {
			return map[string]any{
				"node_info": map[string]any{"network": "test-1"},
				"sync_info": map[string]any{"latest_block_height": fmt.Sprint(h), "catching_up": h < 3, "latest_block_time": time.Now()},
			}, nil
		}
	}
	f.mu.Unlock()
	if call == nil {
		f.t.Errorf("nobody expected %s", req.Method)
		return
	}
	res, rpcErr := call(req.Params)
	answer := map[string]any{"jsonrpc": "2.0", "id": 1}
	if rpcErr != nil {
		answer["error"] = rpcErr
	} else {
		answer["result"] = res
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fake) subscription(w http.ResponseWriter, r *http.Request) {
	if !f.ws {
		http.Error(w, "no", http.StatusNotFound)
		return
	}
	c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	if _, _, err := c.ReadMessage(); err != nil {
		return
	}
	_ = c.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": 1, "result": map[string]any{}})
	for h := range f.events {
		if h == 0 {
			return // the connection breaks
		}
		_ = c.WriteJSON(map[string]any{"id": 1, "result": map[string]any{"data": map[string]any{
			"type": "tendermint/event/NewBlockHeader", "value": map[string]any{"header": map[string]any{"height": fmt.Sprint(h)}},
		}}})
	}
}

func (f *fake) setHeight(h int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.height = h
}

func start(t *testing.T) (*fake, *node.Client) {
	t.Helper()
	f := &fake{t: t, height: 5, events: make(chan int), calls: map[string]func(map[string]any) (any, *node.RPCError){}}
	s := httptest.NewServer(f)
	t.Cleanup(func() { close(f.events); s.Close() })
	c, err := node.Dial("tcp" + strings.TrimPrefix(s.URL, "http"))
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

func next(t *testing.T, ch <-chan uint64) uint64 {
	t.Helper()
	select {
	case h := <-ch:
		return h
	case <-time.After(5 * time.Second):
		t.Fatal("no height came")
		return 0
	}
}

func TestDial(t *testing.T) {
	for _, u := range []string{"", "ftp://x", "http://", "127.0.0.1:26657", "::"} {
		if _, err := node.Dial(u); err == nil {
			t.Errorf("%q was accepted", u)
		}
	}
}

func TestHeightsBySubscription(t *testing.T) {
	f, c := start(t)
	f.ws = true
	ctx, cancel := context.WithCancel(context.Background())
	ch := c.NewHeights(ctx)
	if h := next(t, ch); h != 5 {
		t.Errorf("first %d", h)
	}
	f.events <- 6
	if h := next(t, ch); h != 6 {
		t.Errorf("then %d", h)
	}
	second := c.NewHeights(ctx) // shares it
	if h := next(t, second); h != 6 {
		t.Errorf("second begins with %d", h)
	}
	f.events <- 0 // it breaks; by asking the next is found
	f.setHeight(7)
	if h := next(t, ch); h != 7 {
		t.Errorf("after the break %d", h)
	}
	cancel()
	for range ch { // closed
	}
	for range second {
	}
	again, stop := context.WithCancel(context.Background())
	defer stop()
	if h := next(t, c.NewHeights(again)); h != 7 {
		t.Errorf("begun anew %d", h)
	}
}

func TestHeightsByAsking(t *testing.T) {
	f, c := start(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ch := c.NewHeights(ctx)
	next(t, ch)
	f.setHeight(6)
	if h := next(t, ch); h != 6 {
		t.Errorf("got %d", h)
	}
}

func TestWaitReady(t *testing.T) {
	f, c := start(t)
	f.setHeight(1) // catching up
	go func() { time.Sleep(50 * time.Millisecond); f.setHeight(3) }()
	s, err := c.WaitReady(context.Background())
	if err != nil || s.Height != 3 || s.ChainID != "test-1" {
		t.Errorf("%v, %v", s, err)
	}
	f.setHeight(1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestValue(t *testing.T) {
	f, c := start(t)
	ops := []map[string]any{{"type": "ics23:iavl", "data": []byte("inner")}, {"type": "ics23:simple", "data": []byte("outer")}}
	f.calls["abci_query"] = func(p map[string]any) (any, *node.RPCError) {
		if p["path"] != "/store/worker/key" || p["data"] != "0201" || p["height"] != "9" || p["prove"] != true {
			t.Errorf("asked %v", p)
		}
		return map[string]any{"response": map[string]any{"height": "9", "value": []byte("v"), "proofOps": map[string]any{"ops": ops}}}, nil
	}
	key := &wire.StoreKey{Store: "worker", Key: []byte{2, 1}}
	v, err := c.Value(context.Background(), 10, key)
	if err != nil || string(v.Value) != "v" || string(v.IavlProof) != "inner" || string(v.StoreProof) != "outer" {
		t.Errorf("%v, %v", v, err)
	}
	ops = ops[:1]
	if _, err := c.Value(context.Background(), 10, key); err == nil {
		t.Error("half a proof was accepted")
	}
	if _, err := c.Value(context.Background(), 1, key); err == nil {
		t.Error("header 1 proves nothing")
	}
}

func TestQuery(t *testing.T) {
	f, c := start(t)
	f.calls["abci_query"] = func(p map[string]any) (any, *node.RPCError) {
		if p["data"] == hex.EncodeToString([]byte("\x0a\x04pha1")) {
			return map[string]any{"response": map[string]any{"height": "0", "value": []byte("\x0a\x02\x10\x02")}}, nil
		}
		return map[string]any{"response": map[string]any{"height": "0", "code": 22, "codespace": "sdk", "log": "no such worker: key not found"}}, nil
	}
	var resp workertypes.QueryWorkerResponse
	const method = "/phala.worker.v1.Query/Worker"
	if err := c.Query(context.Background(), method, &workertypes.QueryWorkerRequest{Operator: "pha1"}, &resp); err != nil || resp.Worker.Role != wire.ROLE_GATEKEEPER {
		t.Errorf("%v, %v", resp.Worker, err)
	}
	err := c.Query(context.Background(), method, &workertypes.QueryWorkerRequest{Operator: "pha2"}, &resp)
	if !errors.Is(err, node.ErrNotFound) || !strings.Contains(err.Error(), "no such worker") {
		t.Errorf("got %v", err)
	}
}

// ledger plays the chain's check of sequences.
type ledger struct {
	mu       sync.Mutex
	sequence uint64 // of the mempool's view
	stored   uint64 // of the newest block
	seen     map[string]bool
	refuse   uint32
}

func (l *ledger) install(f *fake) {
	f.calls["abci_query"] = func(map[string]any) (any, *node.RPCError) {
		l.mu.Lock()
		defer l.mu.Unlock()
		info := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 9)
		info = protowire.AppendVarint(protowire.AppendTag(info, 4, protowire.VarintType), l.stored)
		v := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), info)
		return map[string]any{"response": map[string]any{"height": "0", "value": v}}, nil
	}
	f.calls["broadcast_tx_sync"] = func(p map[string]any) (any, *node.RPCError) {
		l.mu.Lock()
		defer l.mu.Unlock()
		tx, _ := base64.StdEncoding.DecodeString(p["tx"].(string))
		got := sequenceOf(f.t, tx)
		switch {
		case l.refuse != 0:
			return map[string]any{"code": l.refuse, "codespace": "sdk", "log": "no funds"}, nil
		case got != l.sequence:
			return map[string]any{"code": 32, "codespace": "sdk", "log": fmt.Sprintf("account sequence mismatch, expected %d, got %d: incorrect account sequence", l.sequence, got)}, nil
		}
		l.sequence++
		l.seen[cosmostx.Hash(tx)] = true
		return map[string]any{"code": 0}, nil
	}
}

// sequenceOf digs it out of TxRaw.auth_info_bytes.signer_infos[0].sequence.
func sequenceOf(t *testing.T, tx []byte) (seq uint64) {
	dig := func(b []byte, want protowire.Number) (val []byte, num uint64) {
		for len(b) > 0 {
			n, typ, l := protowire.ConsumeTag(b)
			if l < 0 {
				t.Fatal("no transaction")
			}
			b = b[l:]
			size := protowire.ConsumeFieldValue(n, typ, b)
			if n == want {
				if typ == protowire.VarintType {
					num, _ = protowire.ConsumeVarint(b)
				} else {
					val, _ = protowire.ConsumeBytes(b)
				}
				return val, num
			}
			b = b[size:]
		}
		return nil, 0
	}
	auth, _ := dig(tx, 2)
	signer, _ := dig(auth, 1)
	_, seq = dig(signer, 3)
	return seq
}

func account(t *testing.T, c *node.Client) *node.Account {
	t.Helper()
	k, err := cosmostx.ParseKey(strings.Repeat("11", 32))
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Account(node.AccountConfig{Key: k})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAccountNumbersItsTransactions(t *testing.T) {
	f, c := start(t)
	l := &ledger{sequence: 7, stored: 4, seen: map[string]bool{}} // three are in the mempool already
	l.install(f)
	a := account(t, c)
	msg := &workertypes.MsgUnregisterWorker{Operator: a.Address()}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := a.Post(context.Background(), msg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(l.seen) != 10 || l.sequence != 17 {
		t.Errorf("%d transactions, sequence %d", len(l.seen), l.sequence)
	}
	l.sequence = 12 // the mempool lost some
	if _, err := a.Post(context.Background(), msg); err != nil || l.sequence != 13 {
		t.Errorf("sequence %d, %v", l.sequence, err)
	}
	l.refuse = 5
	_, err := a.Post(context.Background(), msg)
	var refused *node.TxError
	if !errors.As(err, &refused) || refused.Code != 5 || refused.Log != "no funds" {
		t.Errorf("got %v", err)
	}
	l.refuse = 0
	if _, err := a.Post(context.Background(), msg); err != nil || l.sequence != 14 {
		t.Errorf("after a refusal: sequence %d, %v", l.sequence, err)
	}
}

func TestSendWaitsForTheBlock(t *testing.T) {
	f, c := start(t)
	l := &ledger{seen: map[string]bool{}}
	l.install(f)
	a := account(t, c)
	var asked, code int
	f.calls["tx"] = func(p map[string]any) (any, *node.RPCError) {
		if asked++; asked < 8 {
			return nil, &node.RPCError{Code: -32603, Message: "Internal error", Data: "tx (…) not found"}
		}
		res, _ := cosmostx.MsgOf(&workertypes.MsgRegisterWorkerResponse{ExpiryHeight: 99})
		anyOf := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), res.TypeURL)
		anyOf = protowire.AppendBytes(protowire.AppendTag(anyOf, 2, protowire.BytesType), res.Value)
		data := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), anyOf)
		return map[string]any{"height": "6", "tx_result": map[string]any{
			"code": code, "codespace": "worker", "log": "why", "data": data, "gas_used": "77",
			"events": []any{map[string]any{"type": "worker_registered", "attributes": []any{map[string]any{"key": "slot", "value": "1"}}}},
		}}, nil
	}
	go func() {
		for h := 6; h < 20; h++ {
			time.Sleep(20 * time.Millisecond)
			f.setHeight(h)
		}
	}()
	msg := &workertypes.MsgUnregisterWorker{Operator: a.Address()}
	res, err := a.Send(context.Background(), msg)
	if err != nil || res.Height != 6 || res.GasUsed != 77 {
		t.Fatalf("%+v, %v", res, err)
	}
	var r workertypes.MsgRegisterWorkerResponse
	if err := res.Response(0, &r); err != nil || r.ExpiryHeight != 99 {
		t.Errorf("%v, %v", r, err)
	}
	if err := res.Response(0, &workertypes.MsgUnregisterWorkerResponse{}); err == nil {
		t.Error("a response of another type was decoded")
	}
	if err := res.Response(1, &r); err == nil {
		t.Error("there is no second response")
	}
	ev, ok := res.Event("worker_registered")
	if v, _ := ev.Attr("slot"); !ok || v != "1" {
		t.Errorf("events %v", res.Events)
	}
	code = 3
	_, err = a.Send(context.Background(), msg)
	var refused *node.TxError
	if !errors.As(err, &refused) || refused.Code != 3 || refused.Codespace != "worker" || refused.Height != 6 {
		t.Errorf("got %v", err)
	}
}

func TestAnAccountThatIsNotThere(t *testing.T) {
	f, c := start(t)
	f.calls["abci_query"] = func(map[string]any) (any, *node.RPCError) {
		return map[string]any{"response": map[string]any{"height": "0", "code": 22, "codespace": "sdk", "log": "account not found"}}, nil
	}
	a := account(t, c)
	if _, err := a.Post(context.Background(), &workertypes.MsgUnregisterWorker{}); !errors.Is(err, node.ErrNotFound) || !strings.Contains(err.Error(), a.Address()) {
		t.Errorf("got %v", err)
	}
}
