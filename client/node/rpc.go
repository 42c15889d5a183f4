// Package node is access to a chain node over CometBFT's JSON-RPC: light blocks, proven values, queries, transactions and word of
// new heights. It believes the node only where the caller can verify (light blocks and values come with what core/light
// checks); queries and transaction results are the node's word. It must never hold a key but an Account's.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/types"
)

// Bounds on what a node may send, bytes.
const (
	maxAnswer = 64 << 20
	maxEvent  = 16 << 20
)

// callTimeout bounds one request; a context may end it sooner.
const callTimeout = 15 * time.Second

// Client speaks to one node. All methods may be called at the same time.
type Client struct {
	base *url.URL // http or https
	http *http.Client

	validators atomic.Pointer[types.ValidatorSet] // the last one: sets seldom change, headers come every block
	heights    heightHub
}

// Dial reads the URL (http, https or tcp); it does not yet speak to the node.
func Dial(rawURL string) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("reading the node's URL: %w", err)
	}
	switch u.Scheme {
	case "tcp":
		u.Scheme = "http"
	case "http", "https":
	default:
		return nil, fmt.Errorf("reading the node's URL %q: want http://host:port", rawURL)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("reading the node's URL %q: want http://host:port", rawURL)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 64, 64
	t.DisableCompression = true // the node is near; its answers are hashes and signatures
	c := &Client{base: u, http: &http.Client{Transport: t}}
	c.heights.client = c
	return c, nil
}

// RPCError is a node's refusal of a call.
type RPCError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data"`
}

func (e *RPCError) Error() string {
	if e.Data != "" {
		return e.Message + ": " + e.Data
	}
	return e.Message
}

// rpcResult keeps the result as it came: some parts want CometBFT's own JSON.
type rpcResult struct {
	Result json.RawMessage `json:"result"`
	Error  *RPCError       `json:"error"`
}

func (c *Client) call(ctx context.Context, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(struct {
		Version string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}{"2.0", 1, method, params})
	if err != nil {
		return fmt.Errorf("calling %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("calling %s: %w", method, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("calling %s: %w", method, err)
	}
	if len(raw) > maxAnswer {
		return fmt.Errorf("calling %s: the answer is longer than %d bytes", method, maxAnswer)
	}
	var r rpcResult
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("calling %s: status %s, and no JSON-RPC answer: %w", method, res.Status, err)
	}
	if r.Error != nil {
		return fmt.Errorf("calling %s: %w", method, r.Error)
	}
	if err := json.Unmarshal(r.Result, result); err != nil {
		return fmt.Errorf("calling %s: reading the answer: %w", method, err)
	}
	return nil
}

// Status is what a node says about itself.
type Status struct {
	ChainID    string
	Version    string
	Height     uint64
	Time       time.Time
	CatchingUp bool
}

// Status asks the node how it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var r struct {
		NodeInfo struct {
			Network string `json:"network"`
			Version string `json:"version"`
		} `json:"node_info"`
		SyncInfo struct {
			Height     uint64    `json:"latest_block_height,string"`
			Time       time.Time `json:"latest_block_time"`
			CatchingUp bool      `json:"catching_up"`
		} `json:"sync_info"`
	}
	if err := c.call(ctx, "status", struct{}{}, &r); err != nil {
		return Status{}, err
	}
	return Status{r.NodeInfo.Network, r.NodeInfo.Version, r.SyncInfo.Height, r.SyncInfo.Time, r.SyncInfo.CatchingUp}, nil
}

// WaitReady returns once the node answers, has caught up and has a block.
func (c *Client) WaitReady(ctx context.Context) (Status, error) {
	for {
		s, err := c.Status(ctx)
		if err == nil && !s.CatchingUp && s.Height > 0 {
			return s, nil
		}
		if e := sleep(ctx, 100*time.Millisecond); e != nil {
			if err == nil {
				err = errors.New("it is still catching up")
			}
			return Status{}, fmt.Errorf("waiting for the node at %s: %w (%v)", c.base, e, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// URL is the node's address, as http or https.
func (c *Client) URL() string { return strings.TrimSuffix(c.base.String(), "/") }
