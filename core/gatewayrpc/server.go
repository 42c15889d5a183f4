package gatewayrpc

import (
	"context"
	"net/http"

	"connectrpc.com/connect"

	"github.com/phala-go/phala/core/wire"
)

// Paths of the procedures.
const (
	GatewayService = "/phala.gateway.v1.GatewayService/"
	PeerService    = "/phala.gateway.v1.PeerService/"

	infoPath    = GatewayService + "Info"
	queryPath   = GatewayService + "Query"
	openPath    = GatewayService + "OpenSession"
	askPath     = GatewayService + "AskSession"
	resultPath  = GatewayService + "Result"
	deliverPath = PeerService + "Deliver"
	recordPath  = PeerService + "Record"
	chunkPath   = PeerService + "Chunk"

	sessionsPath = GatewayService + "AskSessions"
)

// Bounds of one message, bytes.
const (
	MaxRequest = 4 << 20
	MaxAnswer  = 16 << 20
)

// Gateway is what users see of an offchaind. Errors that users may see are *Error.
type Gateway interface {
	Info(context.Context, *wire.InfoRequest) (*wire.InfoResponse, error)
	Query(context.Context, *wire.QueryCallRequest) (*wire.QueryCallResponse, error)
	OpenSession(context.Context, *wire.SessionOpen) (*wire.SessionOpened, error)
	AskSession(context.Context, *wire.SessionCall) (*wire.SessionReply, error)
	AskSessions(context.Context, SessionStream) error
	Result(context.Context, *wire.ResultRequest) (*wire.ResultResponse, error)
}

// Peer is what other offchainds see of it.
type Peer interface {
	Deliver(context.Context, *wire.DeliverRequest) (*wire.DeliverResponse, error)
	Record(context.Context, *wire.RecordRequest) (*wire.RecordResponse, error)
	Chunk(context.Context, *wire.ChunkRequest) (*wire.ChunkResponse, error)
}

// Handler serves both. Browsers of any origin may call the gateway: it takes no cookies, and what it gives out is sealed.
func Handler(g Gateway, p Peer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(infoPath, cors(unary(infoPath, g.Info)))
	mux.Handle(queryPath, cors(unary(queryPath, g.Query)))
	mux.Handle(openPath, cors(unary(openPath, g.OpenSession)))
	mux.Handle(askPath, cors(unary(askPath, g.AskSession)))
	mux.Handle(sessionsPath, stream(sessionsPath, g.AskSessions))
	mux.Handle(resultPath, cors(unary(resultPath, g.Result)))
	mux.Handle(deliverPath, unary(deliverPath, p.Deliver))
	mux.Handle(recordPath, unary(recordPath, p.Record))
	mux.Handle(chunkPath, unary(chunkPath, p.Chunk))
	return mux
}

func unary[Req, Res any](path string, call func(context.Context, *Req) (*Res, error)) http.Handler {
	return connect.NewUnaryHandler(path,
		func(ctx context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
			res, err := call(ctx, r.Msg)
			if err != nil {
				return nil, toConnect(err)
			}
			return connect.NewResponse(res), nil
		},
		options...,
	)
}

var options = []connect.HandlerOption{
	connect.WithCodec(protoCodec{}), connect.WithCodec(jsonCodec{}),
	connect.WithReadMaxBytes(MaxRequest),
	connect.WithCompression("gzip", nil, nil), // ciphertext does not compress, and what is never unpacked cannot explode
}

func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "POST")
			h.Set("Access-Control-Allow-Headers", "Content-Type, Connect-Protocol-Version, Connect-Timeout-Ms, X-User-Agent")
			h.Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
