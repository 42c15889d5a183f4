package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// Gateway is what a client asks of a member. A refusal is a *Failure.
type Gateway interface {
	Query(context.Context, *wire.QueryCallRequest) (*wire.QueryCallResponse, error)
	Result(context.Context, *wire.ResultRequest) (*wire.ResultResponse, error)
}

// newGateway speaks to a member at its endpoint.
func newGateway(url string) Gateway { return gateway{gatewayrpc.NewClient(http.DefaultClient, url)} }

type gateway struct{ c *gatewayrpc.Client }

func (g gateway) Query(ctx context.Context, r *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	res, err := g.c.Query(ctx, r)
	return res, failure(err)
}

func (g gateway) Result(ctx context.Context, r *wire.ResultRequest) (*wire.ResultResponse, error) {
	res, err := g.c.Result(ctx, r)
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
