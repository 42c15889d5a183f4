package node

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// pollEvery is how often the node is asked for its height while there is no subscription.
const pollEvery = 50 * time.Millisecond

// quietLimit ends a subscription over which nothing came, not even the node's ping (every 27 s).
const quietLimit = 60 * time.Second

// heightHub shares one subscription among all who wait for heights; it runs while somebody waits.
type heightHub struct {
	client *Client

	mu     sync.Mutex
	newest uint64
	subs   map[chan uint64]struct{}
	stop   context.CancelFunc
}

// NewHeights tells of each new height as soon as it is committed, the present one first. Who reads slowly gets the newest and
// misses those between. The channel is closed when ctx ends.
func (c *Client) NewHeights(ctx context.Context) <-chan uint64 {
	ch := make(chan uint64, 1)
	c.heights.add(ch)
	context.AfterFunc(ctx, func() { c.heights.remove(ch) })
	return ch
}

func (h *heightHub) add(ch chan uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = make(map[chan uint64]struct{})
	}
	if h.newest > 0 {
		ch <- h.newest
	}
	h.subs[ch] = struct{}{}
	if h.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop = cancel
		go h.run(ctx)
	}
}

func (h *heightHub) remove(ch chan uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, ch)
	close(ch)
	if len(h.subs) == 0 {
		h.stop()
		h.stop, h.newest = nil, 0
	}
}

func (h *heightHub) publish(ctx context.Context, height uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil || height == h.newest || height == 0 {
		return
	}
	h.newest = height // lower than before only if the node was replaced: the reader decides
	for ch := range h.subs {
		select {
		case <-ch:
		default:
		}
		ch <- height
	}
}

// run follows the node by subscription, and by asking while that fails.
func (h *heightHub) run(ctx context.Context) {
	retry := time.Second
	for ctx.Err() == nil {
		began := time.Now()
		h.subscribe(ctx)
		if time.Since(began) > 10*time.Second {
			retry = time.Second
		}
		h.poll(ctx, retry)
		retry = min(2*retry, 10*time.Second)
	}
}

func (h *heightHub) poll(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(d); ctx.Err() == nil && time.Now().Before(end); {
		if s, err := h.client.Status(ctx); err == nil {
			h.publish(ctx, s.Height)
		}
		if sleep(ctx, pollEvery) != nil {
			return
		}
	}
}

// subscribe returns when the connection has ended, for whatever reason: run asks on.
func (h *heightHub) subscribe(ctx context.Context) {
	u := *h.client.base
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	u.Path += "/websocket"
	dialer := websocket.Dialer{HandshakeTimeout: 5 * time.Second}
	conn, _, err := dialer.DialContext(ctx, u.String(), nil)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetReadLimit(maxEvent)
	heard := func() { _ = conn.SetReadDeadline(time.Now().Add(quietLimit)) }
	heard()
	answer := conn.PingHandler()
	conn.SetPingHandler(func(data string) error { heard(); return answer(data) })
	const subscribe = `{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlockHeader'"}}`
	if err := conn.WriteMessage(websocket.TextMessage, []byte(subscribe)); err != nil {
		return
	}
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		heard()
		height, err := eventHeight(raw)
		if err != nil {
			return
		}
		if height == 0 { // the subscription stands: what came before it?
			if s, err := h.client.Status(ctx); err == nil {
				height = s.Height
			}
		}
		h.publish(ctx, height)
	}
}

// eventHeight reads a NewBlockHeader event; 0 is the answer to the subscription itself.
func eventHeight(raw []byte) (uint64, error) {
	var r rpcResult
	if err := json.Unmarshal(raw, &r); err != nil {
		return 0, fmt.Errorf("reading an event: %w", err)
	}
	if r.Error != nil {
		return 0, r.Error
	}
	var ev struct {
		Data struct {
			Value struct {
				Header struct {
					Height uint64 `json:"height,string"`
				} `json:"header"`
			} `json:"value"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.Result, &ev); err != nil {
		return 0, fmt.Errorf("reading an event: %w", err)
	}
	return ev.Data.Value.Header.Height, nil
}
