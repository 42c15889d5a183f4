package gatewayrpc

import (
	"context"
	"net/http"

	"connectrpc.com/connect"

	"github.com/phala-go/phala/core/wire"
)

// StreamBatch is how many requests in sessions one message of a stream may bring.
const StreamBatch = 256

// SessionStream is the gateway's end of a stream of requests in sessions. It has the deadlines that its gateway sets, not those that the
// server allows a request.
type SessionStream struct {
	*connect.BidiStream[wire.SessionCalls, wire.SessionAnswers]
	*http.ResponseController
}

// SessionStreamClient is the other end.
type SessionStreamClient = connect.BidiStreamForClient[wire.SessionCalls, wire.SessionAnswers]

type controllerKey struct{}

func stream(path string, serve func(context.Context, SessionStream) error) http.Handler {
	h := connect.NewBidiStreamHandler(path, func(ctx context.Context, s *connect.BidiStream[wire.SessionCalls, wire.SessionAnswers]) error {
		c, _ := ctx.Value(controllerKey{}).(*http.ResponseController)
		if err := serve(ctx, SessionStream{s, c}); err != nil {
			return toConnect(err)
		}
		return nil
	}, options...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), controllerKey{}, http.NewResponseController(w))))
	})
}

// AskSessions opens a stream, which needs HTTP/2 all the way (StreamTransport). It lives until ctx ends it; ErrorOf tells why it ended.
func (c *Client) AskSessions(ctx context.Context) *SessionStreamClient {
	return c.sessions.CallBidiStream(ctx)
}

// FailureOf is what an answer on a stream may tell of an error.
func FailureOf(err error) *wire.Failure {
	e := known(err)
	if e == nil {
		e = &Error{Code: CodeInternal, Message: "the request was given up", Next: "Try again."}
	}
	return &wire.Failure{Code: e.Code, Message: e.Message, Next: e.Next}
}

// StreamTransport speaks HTTP/2 with and without TLS, as streams need.
func StreamTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// ServerProtocols are what a gateway speaks: browsers come with HTTP/1.1, streams with HTTP/2.
func ServerProtocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
