package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
)

// Failure is a refusal with its code and the next step.
type Failure struct{ *wire.Failure }

// Error names the code and the reason.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// Final is a result together with what makes it final.
type Final struct {
	*wire.FinalResult
	Committed *wire.CommittedBatch // as proven against the chain
	Proven    uint64               // height of the header it was proven against
	Gateway   string               // who gave the reply
}

// Err is the input's failure, if it failed.
func (f *Final) Err() error {
	if f.Result.Failure == nil {
		return nil
	}
	return &Failure{f.Result.Failure}
}

// gateways gives the endpoints to ask about a cluster.
func (c *Client) gateways(ctx context.Context, cluster *wire.Cluster) ([]string, error) {
	if len(c.cfg.Gateways) > 0 {
		return slices.Clone(c.cfg.Gateways), nil
	}
	var all []string
	for _, m := range cluster.Members {
		w, err := c.Worker(ctx, m)
		if err != nil {
			return nil, err
		}
		if w != nil && w.Endpoint != "" {
			all = append(all, w.Endpoint)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no member of cluster %d has an endpoint on the chain", cluster.Id)
	}
	return all, nil
}

// Result waits until the input's batch is final, asking one member after another, and checks all that the reply says: it opens
// with the input's key, its output stands in its batch, and the chain has that batch. An input that the chain proves to be void is
// sealed again, once, and p is then the new one. A *Failure means that no member can ever give the result: the input did not open,
// or the result is older than what they keep.
func (c *Client) Result(ctx context.Context, p *Pending) (*Final, error) {
	v, err := c.Cluster(ctx, p.Cluster)
	if err != nil {
		return nil, err
	}
	all, err := c.gateways(ctx, v.Cluster)
	if err != nil {
		return nil, err
	}
	// Start with another member for each input, so that one that is slow or gone does not slow all of them.
	start := int(p.Index % uint64(len(all)))
	var last error
	lost := 0 // members in a row that will never have it
	for i := start; ; i++ {
		url := all[i%len(all)]
		f, err := c.resultFrom(ctx, url, p)
		if err == nil {
			return f, nil
		}
		var refused *Failure
		if errors.As(err, &refused) && (refused.Code == "does-not-open" || refused.Code == "unknown-item" || refused.Code == "wrong-epoch") {
			if lost++; lost == len(all) { // one alone may lie or have just started
				if refused.Code != "wrong-epoch" {
					return nil, refused
				}
				again, err := c.placeAgain(ctx, p)
				if err != nil || !again {
					return nil, errors.Join(refused, err)
				}
				lost = 0
			}
		} else {
			lost = 0
		}
		if !errors.Is(err, errNotFinal) {
			last = fmt.Errorf("asking %s: %w", url, err)
		}
		if ctx.Err() != nil {
			return nil, waitError(ctx, p, last)
		}
		if (i-start+1)%len(all) == 0 {
			if sleep(ctx, 200*time.Millisecond) != nil {
				return nil, waitError(ctx, p, last)
			}
		}
	}
}

func waitError(ctx context.Context, p *Pending, last error) error {
	if last == nil {
		last = errNotFinal
	}
	return fmt.Errorf("waiting for the result of input %d of cluster %d: %w: %w", p.Index, p.Cluster, ctx.Err(), last)
}

var errNotFinal = errors.New("its batch is not final yet")

const resultWait = 5 * time.Second

func (c *Client) resultFrom(ctx context.Context, url string, p *Pending) (*Final, error) {
	ctx, cancel := context.WithTimeout(ctx, resultWait+3*time.Second)
	defer cancel()
	res, err := c.gateway(url).Result(ctx, &wire.ResultRequest{Cluster: p.Cluster, Index: p.Index, WaitMs: uint32(resultWait.Milliseconds())})
	var refused *Failure
	if errors.As(err, &refused) && refused.Code == "not-final" || err == nil && res.Reply == nil {
		return nil, errNotFinal
	}
	if err != nil {
		return nil, err
	}
	plain, err := p.replyKey.OpenReply(res.Reply)
	if err != nil {
		return nil, err
	}
	var f wire.FinalResult
	if err := wire.Unmarshal(plain, &f); err != nil {
		return nil, err
	}
	if err := settle.VerifyResult(&f); err != nil {
		return nil, err
	}
	if f.Result.Cluster != p.Cluster || f.Result.Index != p.Index || f.Batch.ChainId != p.ChainID {
		return nil, fmt.Errorf("the reply is about input %d of cluster %d on %s", f.Result.Index, f.Result.Cluster, f.Batch.ChainId)
	}
	proven, at, err := c.waitBatch(ctx, p.Cluster, f.Batch.Number)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(settle.BatchHash(proven.Signed.Batch), settle.BatchHash(f.Batch)) {
		return nil, fmt.Errorf("the chain has another batch %d than the reply claims", f.Batch.Number)
	}
	return &Final{&f, proven, at, url}, nil
}

// waitBatch waits until the chain proves a batch.
func (c *Client) waitBatch(ctx context.Context, cluster, number uint64) (*wire.CommittedBatch, uint64, error) {
	for {
		b, at, err := c.provenBatch(ctx, cluster, number)
		if err != nil || b != nil {
			return b, at, err
		}
		if _, err := c.Chain.WaitHeight(ctx, at+1); err != nil {
			return nil, 0, fmt.Errorf("waiting for batch %d on the chain: %w", number, err)
		}
	}
}

// Answer is a contract's answer to a query, with the state it was given on.
type Answer struct {
	*wire.QueryReply
	Gateway string // its URL; empty if the caller has named it
}

// Query asks a contract. The answer is of a state at least as new as the newest header at the time of asking, and that
// state's root is the chain's. Without a permit the asker is unknown.
func (c *Client) Query(ctx context.Context, cluster uint64, contract string, msg []byte, p *wire.Permit) (*Answer, error) {
	addr, err := contractBytes(contract)
	if err != nil {
		return nil, err
	}
	v, err := c.Cluster(ctx, cluster)
	if err != nil {
		return nil, err
	}
	all, err := c.gateways(ctx, v.Cluster)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req := &wire.QueryRequest{Contract: addr, Msg: msg, MinHeight: v.Height, Permit: p}
	var last error
	moved := false
	for i := 0; ; i++ {
		url := all[i%len(all)]
		a, err := c.queryFrom(ctx, url, v, req)
		var f *Failure
		stale := errors.As(err, &f) && f.Code == "does-not-open" && !moved
		if err == nil || f != nil && !passing(f.Code) && !stale {
			return a, err
		}
		if stale || (i+1)%len(all) == 0 { // the cluster may have another key by now
			moved = moved || stale
			if newer, err := c.Cluster(ctx, cluster); err == nil {
				v = newer
			}
		}
		last = fmt.Errorf("asking %s: %w", url, err)
		if ctx.Err() != nil || (i+1)%len(all) == 0 && sleep(ctx, 150*time.Millisecond) != nil {
			return nil, last
		}
	}
}

// passing failures go away by waiting or by asking another member.
func passing(code string) bool {
	return slices.Contains([]string{"not-serving", "stale", "height-not-reached", "unavailable", "unknown-cluster", "not-final", "enclave-down", "unreachable", "timeout", "internal", "malformed", "unknown-item", "wrong-epoch"}, code)
}

// QueryThrough asks a contract through a gateway of the caller's choice, as an attested channel is one; once, and with all the
// checks of Query.
func (c *Client) QueryThrough(ctx context.Context, g Gateway, cluster uint64, contract string, msg []byte, p *wire.Permit) (*Answer, error) {
	addr, err := contractBytes(contract)
	if err != nil {
		return nil, err
	}
	v, err := c.Cluster(ctx, cluster)
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, g, v, &wire.QueryRequest{Contract: addr, Msg: msg, MinHeight: v.Height, Permit: p})
}

func (c *Client) queryFrom(ctx context.Context, url string, v *View, req *wire.QueryRequest) (*Answer, error) {
	a, err := c.ask(ctx, c.gateway(url), v, req)
	if a != nil {
		a.Gateway = url
	}
	return a, err
}

func (c *Client) ask(ctx context.Context, g Gateway, v *View, req *wire.QueryRequest) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second) // a contract may run for 5 s before it is stopped
	defer cancel()
	env, key, err := c.sealTo(v, "phala/query/v1", nil, req)
	if err != nil {
		return nil, err
	}
	res, err := g.Query(ctx, &wire.QueryCallRequest{Cluster: v.Cluster.Id, Envelope: env})
	if err != nil {
		return nil, err
	}
	plain, err := key.OpenReply(res.Reply)
	if err != nil {
		return nil, err
	}
	var r wire.QueryReply
	if err := wire.Unmarshal(plain, &r); err != nil {
		return nil, err
	}
	if r.Failure != nil {
		return nil, &Failure{r.Failure}
	}
	return &Answer{QueryReply: &r}, c.checkAnswer(ctx, v, req, &r)
}

// checkAnswer binds an answer to the chain (P5).
func (c *Client) checkAnswer(ctx context.Context, v *View, req *wire.QueryRequest, r *wire.QueryReply) error {
	switch {
	case r.Cluster != v.Cluster.Id:
		return fmt.Errorf("the answer is of cluster %d, not %d", r.Cluster, v.Cluster.Id)
	case r.Height < req.MinHeight:
		return fmt.Errorf("the answer is of height %d, older than the %d that was asked for", r.Height, req.MinHeight)
	case r.Number < v.Head.Number:
		return fmt.Errorf("the answer is of batch %d, and batch %d was final before it was asked for", r.Number, v.Head.Number)
	case r.Number == v.Head.Number && bytes.Equal(r.BatchHash, v.Head.BatchHash) && bytes.Equal(r.Root, v.Head.Root):
		return nil
	case r.Number == 0:
		return errors.New("the answer is of no batch's state")
	}
	b, _, err := c.waitBatch(ctx, r.Cluster, r.Number)
	if err != nil {
		return err
	}
	if !bytes.Equal(settle.BatchHash(b.Signed.Batch), r.BatchHash) || !bytes.Equal(b.Signed.Batch.NewRoot, r.Root) {
		return fmt.Errorf("the answer is of another state than the chain's batch %d", r.Number)
	}
	return nil
}
