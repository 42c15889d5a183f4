package badinput

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// gateway: whatever comes over HTTP is refused in words, and the gateway goes on.
func (w *world) gateway() {
	url := w.net.Gateways[0]
	random := make([]byte, 4096)
	rng := rand.NewChaCha8([32]byte{7})
	_, _ = rng.Read(random)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(make([]byte, 32<<20))
	check(w.t, err)
	check(w.t, z.Close())
	post := func(path, kind string, body io.Reader, header ...string) *http.Request {
		r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, url+path, body)
		check(w.t, err)
		r.Header.Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	method := func(m string) *http.Request {
		r, err := http.NewRequestWithContext(w.ctx, m, url+gatewayrpc.GatewayService+"Query", nil)
		check(w.t, err)
		return r
	}
	const proto, query = "application/proto", gatewayrpc.GatewayService + "Query"
	for _, row := range []struct {
		name   string
		req    *http.Request
		status int
		code   string // Connect's
	}{
		{"random bytes", post(query, proto, bytes.NewReader(random)), 400, "invalid_argument"},
		{"half a JSON", post(query, "application/json", strings.NewReader(`{"cluster":"`)), 400, "invalid_argument"},
		{"JSON of another kind", post(query, "application/json", strings.NewReader(`[1]`)), 400, "invalid_argument"},
		{"nested JSON", post(query, "application/json", strings.NewReader(strings.Repeat(`{"envelope":`, 100_000))), 400, "invalid_argument"},
		{"nothing", post(query, proto, nil), 400, "invalid_argument"},
		{"a body without end", post(query, proto, io.LimitReader(zeros{}, 64<<20)), 429, "resource_exhausted"},
		{"a length that is not", post(query, proto, strings.NewReader("\x12\xff\xff\xff\xff\x0f")), 400, "invalid_argument"},
		{"a bomb", post(query, proto, &zipped, "Content-Encoding", "gzip"), 501, "unimplemented"},
		{"another kind of body", post(query, "text/html", strings.NewReader("<p>")), 415, ""},
		{"GET", method(http.MethodGet), 405, ""},
		{"DELETE", method(http.MethodDelete), 405, ""},
		{"no such procedure", post(gatewayrpc.GatewayService+"Secrets", proto, nil), 404, ""},
		{"a path out of the folder", post("/../../etc/passwd", proto, nil), 404, ""},
		{"a time that is over", post(query, proto, nil, "Connect-Timeout-Ms", "-1"), 504, "deadline_exceeded"},
		{"a message for nobody", post(gatewayrpc.PeerService+"Deliver", proto, nil), 400, "invalid_argument"},
		{"a record of nothing", post(gatewayrpc.PeerService+"Record", proto, nil), 404, "not_found"},
		{"a record out of the folder", post(gatewayrpc.PeerService+"Record", proto, bytes.NewReader(wire.Marshal(&wire.RecordRequest{Cluster: 1, BatchHash: []byte("/../../../../etc")}))), 404, "not_found"},
	} {
		w.row(row.name, func(w *world) {
			res, err := httpClient.Do(row.req)
			check(w.t, err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			check(w.t, err)
			if res.StatusCode != row.status {
				w.t.Errorf("status %d, want %d: %s", res.StatusCode, row.status, body)
			}
			var e struct{ Code, Message string }
			if row.code != "" && (json.Unmarshal(body, &e) != nil || e.Code != row.code || e.Message == "") {
				w.t.Errorf("%s, want %s", body, row.code)
			}
		})
	}
	w.row("the SDK on what is refused so", func(w *world) {
		c := gatewayrpc.NewClient(httpClient, url)
		big := &wire.QueryCallRequest{Envelope: &wire.Envelope{Ciphertext: make([]byte, gatewayrpc.MaxRequest)}}
		if _, err := c.Query(w.ctx, big); err == nil || w.clear(err) != "malformed" {
			w.t.Errorf("too large: %v", err)
		}
		if _, err := c.Deliver(w.ctx, &wire.DeliverRequest{}); err == nil || w.clear(err) != "malformed" {
			w.t.Errorf("no message: %v", err)
		}
		if _, err := c.Deliver(w.ctx, &wire.DeliverRequest{Message: &wire.PeerMessage{To: w.side.ref, Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{}}}}); err == nil || w.clear(err) != "wrong-worker" {
			w.t.Errorf("another's message: %v", err)
		}
		if _, err := c.Record(w.ctx, &wire.RecordRequest{Cluster: 1, Number: 1 << 60}); err == nil || w.clear(err) != "no-record" {
			w.t.Errorf("no record: %v", err)
		}
	})
	w.row("those who send slowly", func(w *world) {
		var conns []net.Conn
		for range 200 {
			c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			check(w.t, err)
			defer c.Close()
			_, err = c.Write([]byte("POST " + query + " HTTP/1.1\r\nHost: x\r\nX: "))
			check(w.t, err)
			conns = append(conns, c)
		}
		w.good(1, w.contract)
		began := time.Now()
		for _, c := range conns {
			check(w.t, c.SetReadDeadline(began.Add(10*time.Second)))
			// The server hangs up, with or without a word.
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				w.t.Fatal("a connection that sends no request is still open")
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// peers: messages that no member has sent, to each member's door for members.
func (w *world) peers() {
	v, err := w.alice.WaitCluster(w.ctx, 1)
	check(w.t, err)
	r := newRandom(11)
	for i, m := range v.Cluster.Members {
		c := gatewayrpc.NewClient(httpClient, w.net.Gateways[i])
		// As near to the truth as somebody without a key comes.
		b := w.follower(1)
		b.ChainHeight = v.Height
		b.InboxCount = 1 << 31
		near := []*wire.PeerMessage{
			{Body: &wire.PeerMessage_Proposal{Proposal: &wire.Proposal{Batch: b, Signature: &wire.BatchSignature{Signature: make([]byte, 64)}}}},
			{Body: &wire.PeerMessage_Proposal{Proposal: &wire.Proposal{Batch: b, Signature: &wire.BatchSignature{Member: 1 << 31, Signature: make([]byte, 64)}}}},
			{Body: &wire.PeerMessage_Proposal{Proposal: &wire.Proposal{Batch: &wire.Batch{Cluster: 1, Number: 1 << 63, View: 1 << 63}}}},
			{Body: &wire.PeerMessage_Vote{Vote: &wire.Vote{Cluster: 1, BatchHash: v.Head.BatchHash, Signature: &wire.BatchSignature{Member: 1 << 31}}}},
			{Body: &wire.PeerMessage_KeyPart{KeyPart: &wire.KeyPart{Cluster: 1, Epoch: 1, Roster: 1, Worker: m}}},
		}
		for range 200 {
			p := &wire.PeerMessage{}
			r.fill(p, 0)
			near = append(near, p)
		}
		for _, p := range near {
			p.To = m
			if _, err := c.Deliver(w.ctx, &wire.DeliverRequest{Message: p}); err != nil && w.clear(err) != "malformed" {
				w.t.Fatalf("delivering %v: %v", p, err)
			}
		}
	}
}
