package channel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/wire"
)

// Conn is a channel to an enclave that was accepted. It is a client.Gateway and a client.SessionGateway. Its methods may be called at the same time and take
// turns. After an error other than a *client.Failure it is of no more use: dial anew.
type Conn struct {
	verdict channel.Verdict
	now     func() time.Time

	mu   sync.Mutex
	nc   net.Conn
	last uint64
	dead error
}

// ErrEnded: the certificate has run out, and with it what is known of the other end.
var ErrEnded = errors.New("the channel's certificate has run out: dial anew")

func newConn(nc net.Conn, v channel.Verdict, now func() time.Time) *Conn {
	return &Conn{nc: nc, verdict: v, now: now}
}

// Verdict is what the other end was accepted for.
func (c *Conn) Verdict() channel.Verdict { return c.verdict }

// Identity is the identity that its evidence vouches for.
func (c *Conn) Identity() *wire.WorkerIdentity { return c.verdict.Certificate.Evidence.Identity }

// Close ends the channel.
func (c *Conn) Close() error { return c.nc.Close() }

// Hello asks the enclave who it is and how far it has followed the chain.
func (c *Conn) Hello(ctx context.Context) (*wire.Identity, error) {
	out, err := c.call(ctx, &wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})
	if err != nil {
		return nil, err
	}
	id := out.GetIdentity()
	if id == nil || string(id.IdentityKey) != string(c.Identity().IdentityKey) {
		return nil, c.end(errors.New("asking the enclave who it is: it answered as another"))
	}
	return id, nil
}

// Query asks a contract. A refusal is a *client.Failure.
func (c *Conn) Query(ctx context.Context, q *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	r, err := c.sealed(ctx, &wire.In{Body: &wire.In_Query{Query: &wire.QueryCall{Cluster: q.GetCluster(), Envelope: q.GetEnvelope()}}})
	if err != nil {
		return nil, err
	}
	return &wire.QueryCallResponse{Reply: r}, nil
}

// OpenSession opens a session. A refusal is a *client.Failure.
func (c *Conn) OpenSession(ctx context.Context, o *wire.SessionOpen) (*wire.SessionOpened, error) {
	out, err := c.call(ctx, &wire.In{Body: &wire.In_SessionOpen{SessionOpen: o}})
	if err == nil && out.GetSessionOpened() == nil {
		err = c.end(fmt.Errorf("opening a session: the enclave answered with %T", out.Body))
	}
	return out.GetSessionOpened(), err
}

// AskSession asks in a session. A refusal is a *client.Failure.
func (c *Conn) AskSession(ctx context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	out, err := c.call(ctx, &wire.In{Body: &wire.In_SessionCall{SessionCall: r}})
	if err == nil && out.GetSessionReply() == nil {
		err = c.end(fmt.Errorf("asking in a session: the enclave answered with %T", out.Body))
	}
	return out.GetSessionReply(), err
}

// Result asks for the result of an input, and again until it is final or the request's wait is over. A refusal is a *client.Failure.
func (c *Conn) Result(ctx context.Context, q *wire.ResultRequest) (*wire.ResultResponse, error) {
	until := time.Now().Add(time.Duration(min(q.GetWaitMs(), 30_000)) * time.Millisecond)
	for {
		r, err := c.sealed(ctx, &wire.In{Body: &wire.In_Result{Result: &wire.ResultCall{Cluster: q.GetCluster(), Index: q.GetIndex()}}})
		var f *client.Failure
		if !errors.As(err, &f) || f.Code != "not-final" || !time.Now().Before(until) {
			return &wire.ResultResponse{Reply: r}, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (c *Conn) sealed(ctx context.Context, in *wire.In) (*wire.SealedReply, error) {
	out, err := c.call(ctx, in)
	if err != nil {
		return nil, err
	}
	if out.GetReply() == nil {
		return nil, c.end(fmt.Errorf("asking the enclave: it answered with %T", out.Body))
	}
	return out.GetReply(), nil
}

// call sends one In and reads the one Out that answers it.
func (c *Conn) call(ctx context.Context, in *wire.In) (*wire.Out, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead != nil {
		return nil, c.dead
	}
	if !c.now().Before(c.verdict.Certificate.NotAfter) {
		return nil, c.ended(ErrEnded)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("asking the enclave: %w", err) // nothing is on its way: the connection is as good as before
	}
	c.last++
	in.Id = c.last
	// A context that ends leaves an answer on its way, so that the connection is of no more use.
	stop := context.AfterFunc(ctx, func() { c.nc.Close() })
	out, err := c.exchange(wire.Marshal(in))
	if !stop() && err != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, c.ended(fmt.Errorf("asking the enclave: %w", err))
	}
	f := out.GetFailure()
	switch {
	case f != nil && out.ReplyTo == 0:
		return nil, c.ended(&client.Failure{Failure: f})
	case out.ReplyTo != in.Id:
		return nil, c.ended(fmt.Errorf("asking the enclave: an answer to request %d came for request %d", out.ReplyTo, in.Id))
	case f != nil:
		return nil, &client.Failure{Failure: f}
	}
	return out, nil
}

func (c *Conn) exchange(b []byte) (*wire.Out, error) {
	if len(b) > channel.MaxRequest {
		return nil, fmt.Errorf("a request of %d bytes: at most %d go through a channel", len(b), channel.MaxRequest)
	}
	if _, err := c.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(c.nc, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > channel.MaxAnswer {
		return nil, fmt.Errorf("an answer of %d bytes: at most %d go through a channel", n, channel.MaxAnswer)
	}
	b, err := io.ReadAll(io.LimitReader(c.nc, int64(n)))
	if err != nil {
		return nil, err
	}
	if len(b) != int(n) {
		return nil, io.ErrUnexpectedEOF
	}
	out := new(wire.Out)
	if err := wire.Unmarshal(b, out); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Conn) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended(err)
}

// ended makes err the answer to every later call. Holds mu.
func (c *Conn) ended(err error) error {
	c.dead = err
	c.nc.Close()
	return err
}
