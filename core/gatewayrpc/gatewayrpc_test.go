package gatewayrpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// fake answers with its fields.
type fake struct {
	err   error
	query *wire.QueryCallRequest
	to    *wire.WorkerRef
}

func (f *fake) Info(context.Context, *wire.InfoRequest) (*wire.InfoResponse, error) {
	return &wire.InfoResponse{Worker: &wire.WorkerRef{Operator: "pha1x", Slot: 2}, Clusters: []uint64{1, 1 << 60}}, f.err
}

func (f *fake) Query(_ context.Context, r *wire.QueryCallRequest) (*wire.QueryCallResponse, error) {
	f.query = r
	return &wire.QueryCallResponse{Reply: &wire.SealedReply{Nonce: []byte{1}, Ciphertext: []byte{2, 3}}}, f.err
}

func (f *fake) OpenSession(context.Context, *wire.SessionOpen) (*wire.SessionOpened, error) {
	return &wire.SessionOpened{Salt: []byte{7}}, f.err
}

func (f *fake) AskSession(_ context.Context, r *wire.SessionCall) (*wire.SessionReply, error) {
	return &wire.SessionReply{Ciphertext: binary.BigEndian.AppendUint64(nil, r.Counter)}, f.err
}

// AskSessions answers one message and waits for the next.
func (f *fake) AskSessions(_ context.Context, s gatewayrpc.SessionStream) error {
	for {
		if err := s.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if err := s.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		m, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return f.err
		}
		if err != nil {
			return err
		}
		out := &wire.SessionAnswers{}
		for _, c := range m.Calls {
			out.Answers = append(out.Answers, &wire.SessionAnswer{Counter: c.Counter})
		}
		if err := s.Send(out); err != nil {
			return err
		}
	}
}

func (f *fake) Result(context.Context, *wire.ResultRequest) (*wire.ResultResponse, error) {
	return &wire.ResultResponse{}, f.err
}

func (f *fake) Deliver(_ context.Context, r *wire.DeliverRequest) (*wire.DeliverResponse, error) {
	f.to = r.Message.To
	return &wire.DeliverResponse{}, f.err
}

func (f *fake) Chunk(context.Context, *wire.ChunkRequest) (*wire.ChunkResponse, error) {
	return &wire.ChunkResponse{}, f.err
}

func (f *fake) Record(context.Context, *wire.RecordRequest) (*wire.RecordResponse, error) {
	return &wire.RecordResponse{Record: &wire.SealedRecord{Ciphertext: make([]byte, 5<<20)}}, f.err
}

func serve(t *testing.T, f *fake) (string, *gatewayrpc.Client) {
	t.Helper()
	s := httptest.NewServer(gatewayrpc.Handler(f, f))
	t.Cleanup(s.Close)
	return s.URL, gatewayrpc.NewClient(s.Client(), s.URL+"/")
}

func TestCalls(t *testing.T) {
	f := &fake{}
	_, c := serve(t, f)
	ctx := context.Background()
	if r, err := c.Info(ctx, &wire.InfoRequest{}); err != nil || r.Worker.Name() != "pha1x/2" || len(r.Clusters) != 2 {
		t.Errorf("info %v, %v", r, err)
	}
	env := &wire.Envelope{Ciphertext: []byte("sealed")}
	if r, err := c.Query(ctx, &wire.QueryCallRequest{Cluster: 7, Envelope: env}); err != nil || len(r.Reply.Ciphertext) != 2 {
		t.Errorf("query %v, %v", r, err)
	}
	if f.query.Cluster != 7 || string(f.query.Envelope.Ciphertext) != "sealed" {
		t.Errorf("the gateway saw %v", f.query)
	}
	if r, err := c.OpenSession(ctx, &wire.SessionOpen{}); err != nil || len(r.Salt) != 1 {
		t.Errorf("open session %v, %v", r, err)
	}
	if r, err := c.AskSession(ctx, &wire.SessionCall{Counter: 5}); err != nil || binary.BigEndian.Uint64(r.Ciphertext) != 5 {
		t.Errorf("ask session %v, %v", r, err)
	}
	if r, err := c.Result(ctx, &wire.ResultRequest{}); err != nil || r.Reply != nil {
		t.Errorf("result %v, %v", r, err)
	}
	m := &wire.PeerMessage{To: &wire.WorkerRef{Operator: "pha1y"}, Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{Cluster: 1}}}
	if _, err := c.Deliver(ctx, &wire.DeliverRequest{Message: m}); err != nil || !f.to.Is(m.To) {
		t.Errorf("deliver %v, %v", f.to, err)
	}
	if r, err := c.Record(ctx, &wire.RecordRequest{}); err != nil || len(r.Record.Ciphertext) != 5<<20 {
		t.Errorf("record: %v", err)
	}
}

func TestErrorsCross(t *testing.T) {
	for _, want := range []gatewayrpc.Error{
		{Code: "permit-expired", Message: "the permit ended at noon — “yesterday”\n", Next: "Sign another."},
		{Code: "something-new", Message: "m"},
		{Code: "not-serving", Message: "no keys yet", Next: "Wait."},
	} {
		_, c := serve(t, &fake{err: &want})
		_, err := c.Query(context.Background(), &wire.QueryCallRequest{})
		var got *gatewayrpc.Error
		if !errors.As(err, &got) || got.Code != want.Code || got.Message != want.Message || got.Next != want.Next {
			t.Errorf("sent %v, got %v", &want, err)
		}
	}
}

func TestOtherErrorsSayNothing(t *testing.T) {
	_, c := serve(t, &fake{err: errors.New("opening /secret/path")})
	_, err := c.Info(context.Background(), &wire.InfoRequest{})
	var got *gatewayrpc.Error
	if !errors.As(err, &got) || got.Code != gatewayrpc.CodeInternal || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	_, err := gatewayrpc.NewClient(http.DefaultClient, s.URL).Info(context.Background(), &wire.InfoRequest{})
	var got *gatewayrpc.Error
	if !errors.As(err, &got) || got.Code != gatewayrpc.CodeUnreachable {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := gatewayrpc.NewClient(http.DefaultClient, s.URL).Info(ctx, &wire.InfoRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestJSONAndBrowsers(t *testing.T) {
	url, _ := serve(t, &fake{})
	res, err := http.Post(url+gatewayrpc.GatewayService+"Info", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	var got struct {
		Worker   struct{ Operator string }
		Clusters []string
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Worker.Operator != "pha1x" || len(got.Clusters) != 2 || got.Clusters[1] != "1152921504606846976" {
		t.Errorf("%s: %v", body, err)
	}
	if res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("no browser may read the answer")
	}
	req, _ := http.NewRequest(http.MethodOptions, url+gatewayrpc.GatewayService+"Query", nil)
	pre, err := http.DefaultClient.Do(req)
	if err != nil || pre.StatusCode != http.StatusNoContent {
		t.Errorf("preflight %v, %v", pre, err)
	}
}

func TestRequestIsBounded(t *testing.T) {
	f := &fake{}
	url, c := serve(t, f)
	big := &wire.QueryCallRequest{Envelope: &wire.Envelope{Ciphertext: make([]byte, gatewayrpc.MaxRequest+1)}}
	if _, err := c.Query(context.Background(), big); err == nil || f.query != nil {
		t.Errorf("a request of %d bytes came through: %v", gatewayrpc.MaxRequest+1, err)
	}
	res, err := http.Post(url+gatewayrpc.GatewayService+"Query", "application/proto", bytes.NewReader([]byte("\xff\xff")))
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("nonsense: %v, %v", res, err)
	}
}

// A stream lives beyond what the server allows a request, and its end tells why.
func TestStream(t *testing.T) {
	f := &fake{err: &gatewayrpc.Error{Code: "stale", Message: "m", Next: "n"}}
	s := httptest.NewUnstartedServer(gatewayrpc.Handler(f, f))
	s.Config.Protocols = gatewayrpc.ServerProtocols()
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	s.Start()
	defer s.Close()
	st := gatewayrpc.NewClient(&http.Client{Transport: gatewayrpc.StreamTransport()}, s.URL).AskSessions(context.Background())
	for i := range uint64(2) {
		if err := st.Send(&wire.SessionCalls{Calls: []*wire.SessionCall{{Counter: 2 * i}, {Counter: 2*i + 1}}}); err != nil {
			t.Fatal(err)
		}
		m, err := st.Receive()
		if err != nil || len(m.Answers) != 2 || m.Answers[1].Counter != 2*i+1 {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err := st.CloseRequest(); err != nil {
		t.Fatal(err)
	}
	_, err := st.Receive()
	var e *gatewayrpc.Error
	if err = gatewayrpc.ErrorOf(err); !errors.As(err, &e) || e.Code != "stale" || e.Next != "n" {
		t.Errorf("its end: %v", err)
	}
	// What an answer may tell of an error.
	for want, err := range map[string]error{
		"stale": f.err, gatewayrpc.CodeTimeout: context.DeadlineExceeded, gatewayrpc.CodeInternal: context.Canceled,
	} {
		if got := gatewayrpc.FailureOf(err); got.Code != want || got.Next == "" {
			t.Errorf("%v: %v", err, got)
		}
	}
}
