package gatewayrpc

import (
	"context"

	"connectrpc.com/connect"

	"github.com/phala-go/phala/core/wire"
)

// Flood sends so many requests in one message, which Stream never does, and gives the error that ends the stream.
func Flood(ctx context.Context, http connect.HTTPClient, url string, calls int) error {
	s := NewClient(http, url).sessions.CallBidiStream(ctx)
	m := &wire.SessionCalls{}
	for range calls {
		m.Calls = append(m.Calls, &wire.SessionCall{})
	}
	if err := s.Send(m); err != nil {
		return err
	}
	for {
		if _, err := s.Receive(); err != nil {
			return fromConnect(err)
		}
	}
}
