package gatewayrpc

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	"github.com/phala-go/phala/core/wire"
)

// Client calls an offchaind; it is a Gateway and a Peer. Its errors are *Error or those of the context.
type Client struct {
	info    *connect.Client[wire.InfoRequest, wire.InfoResponse]
	query   *connect.Client[wire.QueryCallRequest, wire.QueryCallResponse]
	open    *connect.Client[wire.SessionOpen, wire.SessionOpened]
	ask     *connect.Client[wire.SessionCall, wire.SessionReply]
	result  *connect.Client[wire.ResultRequest, wire.ResultResponse]
	deliver *connect.Client[wire.DeliverRequest, wire.DeliverResponse]
	record  *connect.Client[wire.RecordRequest, wire.RecordResponse]
	chunk   *connect.Client[wire.ChunkRequest, wire.ChunkResponse]

	sessions *connect.Client[wire.SessionCalls, wire.SessionAnswers]
}

// NewClient makes a client of the offchaind at url, over an *http.Client or a fake of it.
func NewClient(http connect.HTTPClient, url string) *Client {
	url = strings.TrimRight(url, "/")
	return &Client{
		info:    procedure[wire.InfoRequest, wire.InfoResponse](http, url+infoPath),
		query:   procedure[wire.QueryCallRequest, wire.QueryCallResponse](http, url+queryPath),
		open:    procedure[wire.SessionOpen, wire.SessionOpened](http, url+openPath),
		ask:     procedure[wire.SessionCall, wire.SessionReply](http, url+askPath),
		result:  procedure[wire.ResultRequest, wire.ResultResponse](http, url+resultPath),
		deliver: procedure[wire.DeliverRequest, wire.DeliverResponse](http, url+deliverPath),
		record:  procedure[wire.RecordRequest, wire.RecordResponse](http, url+recordPath),
		chunk:   procedure[wire.ChunkRequest, wire.ChunkResponse](http, url+chunkPath),

		sessions: procedure[wire.SessionCalls, wire.SessionAnswers](http, url+sessionsPath),
	}
}

func procedure[Req, Res any](http connect.HTTPClient, url string) *connect.Client[Req, Res] {
	return connect.NewClient[Req, Res](http, url, connect.WithCodec(protoCodec{}),
		connect.WithReadMaxBytes(MaxAnswer), connect.WithAcceptCompression("gzip", nil, nil))
}

func call[Req, Res any](ctx context.Context, c *connect.Client[Req, Res], req *Req) (*Res, error) {
	res, err := c.CallUnary(ctx, connect.NewRequest(req))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrorOf(err)
	}
	return res.Msg, nil
}

// Info asks who serves there.
func (c *Client) Info(ctx context.Context, r *wire.InfoRequest) (*wire.InfoResponse, error) {
	return call(ctx, c.info, r)
}

// Query carries a sealed query.
func (c *Client) Query(ctx context.Context, r *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	return call(ctx, c.query, r)
}

// OpenSession shows the enclave a sealed opening.
func (c *Client) OpenSession(ctx context.Context, r *wire.SessionOpen) (*wire.SessionOpened, error) {
	return call(ctx, c.open, r)
}

// AskSession carries one request in a session.
func (c *Client) AskSession(ctx context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	return call(ctx, c.ask, r)
}

// Result asks for the sealed result of an inbox item; without a reply it is not final yet.
func (c *Client) Result(ctx context.Context, r *wire.ResultRequest) (*wire.ResultResponse, error) {
	return call(ctx, c.result, r)
}

// Deliver carries a message between enclaves.
func (c *Client) Deliver(ctx context.Context, r *wire.DeliverRequest) (*wire.DeliverResponse, error) {
	return call(ctx, c.deliver, r)
}

// Record asks for a sealed record.
func (c *Client) Record(ctx context.Context, r *wire.RecordRequest) (*wire.RecordResponse, error) {
	return call(ctx, c.record, r)
}

// Chunk asks for a chunk of a snapshot.
func (c *Client) Chunk(ctx context.Context, r *wire.ChunkRequest) (*wire.ChunkResponse, error) {
	return call(ctx, c.chunk, r)
}
