package client

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// Gateway is what a client asks of a member. A refusal is a *Failure.
type Gateway interface {
	Query(context.Context, *wire.QueryCallRequest) (*wire.QueryCallResponse, error)
	Result(context.Context, *wire.ResultRequest) (*wire.ResultResponse, error)
}

// newGateway speaks to a member at its endpoint. It is a SessionGateway too.
func newGateway(url string) Gateway {
	return &gateway{url, gatewayrpc.NewClient(http.DefaultClient, url)}
}

type gateway struct {
	url string
	c   *gatewayrpc.Client
}

func (g *gateway) Query(ctx context.Context, r *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	res, err := g.c.Query(ctx, r)
	return res, failure(err)
}

func (g *gateway) Result(ctx context.Context, r *wire.ResultRequest) (*wire.ResultResponse, error) {
	res, err := g.c.Result(ctx, r)
	return res, failure(err)
}

func (g *gateway) OpenSession(ctx context.Context, r *wire.SessionOpen) (*wire.SessionOpened, error) {
	res, err := g.c.OpenSession(ctx, r)
	return res, failure(err)
}

// AskSession asks one by one, for whoever has no Stream.
func (g *gateway) AskSession(ctx context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	res, err := g.c.AskSession(ctx, r)
	return res, failure(err)
}

// Stream gives the same gateway with a stream of its own for requests in sessions, on a connection of its own, until close. Where there is
// no HTTP/2 on the way they go one by one.
func (g *gateway) Stream() (s SessionGateway, close func()) {
	ctx, cancel := context.WithCancel(context.Background())
	t := gatewayrpc.StreamTransport()
	return &streamed{gateway: g, ctx: ctx, streams: gatewayrpc.NewClient(&http.Client{Transport: t}, g.url)}, func() {
		cancel()
		t.CloseIdleConnections()
	}
}

type streamed struct {
	*gateway
	ctx     context.Context
	streams *gatewayrpc.Client

	mu     sync.Mutex
	stream *stream // nil: to be opened
	none   bool    // streams do not get through
}

// AskSession asks on the stream. One that ends is opened anew with the next request.
func (s *streamed) AskSession(ctx context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	s.mu.Lock()
	if s.none {
		s.mu.Unlock()
		return s.gateway.AskSession(ctx, r)
	}
	if s.stream == nil || s.stream.hasEnded() {
		s.stream = newStream(s.ctx, s.streams)
	}
	st := s.stream
	s.mu.Unlock()
	res, err := st.ask(ctx, r)
	if err != nil && st.hasEnded() && !st.answered() && s.ctx.Err() == nil {
		s.mu.Lock()
		s.none = true
		s.mu.Unlock()
		return s.gateway.AskSession(ctx, r) // what has no stream has not seen the request
	}
	return res, failure(err)
}

// failure gives a gateway's refusal the form of an enclave's.
func failure(err error) error {
	var e *gatewayrpc.Error
	if errors.As(err, &e) {
		return &Failure{&wire.Failure{Code: e.Code, Message: e.Message, Next: e.Next}}
	}
	return err
}
