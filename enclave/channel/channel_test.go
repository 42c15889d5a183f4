package channel

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/wire"
)

func key(name string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(h[:])
}

// enclave says what it is told to, and notes if it is ever called twice at a time.
type enclave struct {
	answer  func(*wire.In) []*wire.Out
	silent  atomic.Bool // has no evidence
	issued  atomic.Int32
	watched atomic.Int32
	busy    atomic.Int32
	overlap atomic.Bool
	asked   atomic.Int32 // in sessions
}

func (e *enclave) enter() func() {
	if e.busy.Add(1) > 1 {
		e.overlap.Store(true)
	}
	return func() { e.busy.Add(-1) }
}

func (e *enclave) Handle(_ context.Context, in *wire.In) []*wire.Out {
	defer e.enter()()
	outs := e.answer(in)
	for _, o := range outs {
		o.ReplyTo = in.Id
	}
	return outs
}

func (e *enclave) Ask(_ context.Context, in *wire.In) []*wire.Out {
	e.asked.Add(1)
	return []*wire.Out{{ReplyTo: in.Id, Body: &wire.Out_SessionReply{SessionReply: &wire.SessionReply{Ciphertext: []byte{byte(in.Id)}}}}, {ReplyTo: in.Id, Body: &wire.Out_Done{Done: &wire.Done{}}}}
}

func (e *enclave) Certificate(k ed25519.PublicKey) ([]byte, error) {
	defer e.enter()()
	if e.silent.Load() {
		return nil, errors.New("no evidence yet")
	}
	e.issued.Add(1)
	id := &wire.WorkerIdentity{ChainId: "phala-test", IdentityKey: key("identity").Public().(ed25519.PublicKey), Worker: &wire.WorkerRef{Operator: "pha1x"}, Role: wire.ROLE_EXECUTOR}
	now := time.Now().UTC().Truncate(time.Second)
	return channel.Issue(key("identity"), channel.Certificate{Key: k, NotBefore: now, NotAfter: now.Add(channel.MaxLife),
		Evidence: &wire.WorkerEvidence{Identity: id, Evidence: attest.Simulate(make([]byte, 32), attest.ReportData(id))}})
}

func (e *enclave) Watch() {
	defer e.enter()()
	e.watched.Add(1)
}

// A host that says nothing does not keep the runtime from looking at its counter; it still is called by one at a time.
func TestTheRuntimeWatches(t *testing.T) {
	e := &enclave{answer: polite}
	d := NewDoor(e)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.Watch(ctx, time.Millisecond); close(ended) }()
	for e.watched.Load() < 3 {
		d.Handle(ctx, &wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})
	}
	stop()
	<-ended
	if e.overlap.Load() {
		t.Error("the runtime was called by two at once")
	}
}

// polite answers as a runtime does, and tells its host something each time.
func polite(in *wire.In) []*wire.Out {
	done := &wire.Out{Body: &wire.Out_Done{Done: &wire.Done{}}}
	switch b := in.Body.(type) {
	case *wire.In_Hello:
		return []*wire.Out{{Body: &wire.Out_Identity{Identity: &wire.Identity{ChainId: "phala-test"}}}, done}
	case *wire.In_Query:
		return []*wire.Out{{Body: &wire.Out_Reply{Reply: &wire.SealedReply{}}}, {Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{Id: []byte("code")}}}, done}
	case *wire.In_Result:
		return []*wire.Out{{Body: &wire.Out_Reply{Reply: &wire.SealedReply{Ciphertext: make([]byte, b.Result.Index)}}}, done}
	case *wire.In_Serve:
		return []*wire.Out{{Body: &wire.Out_Verified{Verified: &wire.Verified{}}}, done}
	}
	return []*wire.Out{done}
}

type served struct {
	t       *testing.T
	address string
	door    *Door
	enclave *enclave
}

func serve(t *testing.T, cfg Config) *served {
	t.Helper()
	e := &enclave{answer: polite}
	cfg.Door, cfg.Log = NewDoor(e), slog.New(slog.DiscardHandler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(cfg).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Serve does not end with its context")
		}
		if e.overlap.Load() {
			t.Error("the runtime was called twice at a time")
		}
	})
	return &served{t, l.Addr().String(), cfg.Door, e}
}

// stranger is a client's TLS, changed.
func stranger(change func(*tls.Config)) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, NextProtos: []string{channel.Protocol}}
	if change != nil {
		change(c)
	}
	return c
}

func (s *served) dial(c *tls.Config) (*tls.Conn, error) {
	raw, err := net.DialTimeout("tcp", s.address, 5*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	conn := tls.Client(raw, c)
	return conn, conn.Handshake()
}

func (s *served) must() *tls.Conn {
	s.t.Helper()
	c, err := s.dial(stranger(nil))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

func answer(c net.Conn) (*wire.Out, error) {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	out := new(wire.Out)
	return out, wire.Unmarshal(b, out)
}

func ask(c net.Conn, in *wire.In) (*wire.Out, error) {
	if _, err := c.Write(frame(wire.Marshal(in))); err != nil {
		return nil, err
	}
	return answer(c)
}

func hello(id uint64) *wire.In { return &wire.In{Id: id, Body: &wire.In_Hello{Hello: &wire.Hello{}}} }

func TestConversation(t *testing.T) {
	s := serve(t, Config{})
	c := s.must()
	for i := range uint64(3) {
		if out, err := ask(c, hello(i+1)); err != nil || out.ReplyTo != i+1 || out.GetIdentity() == nil {
			t.Fatalf("%v %v", out, err)
		}
	}
	st := c.ConnectionState()
	if st.Version != tls.VersionTLS13 || st.CurveID != tls.X25519MLKEM768 || st.NegotiatedProtocol != channel.Protocol || len(st.PeerCertificates) != 1 {
		t.Errorf("%+v", st)
	}
	if _, err := channel.Parse(st.PeerCertificates[0].Raw); err != nil {
		t.Error(err)
	}
	s.must()
	if n := s.enclave.issued.Load(); n != 1 {
		t.Errorf("%d certificates for two connections", n)
	}
}

// What is not for strangers is refused, and the enclave is not even asked.
func TestOnlyThreeQuestions(t *testing.T) {
	s := serve(t, Config{})
	s.enclave.answer = func(in *wire.In) []*wire.Out {
		t.Errorf("%T reached the enclave", in.Body)
		return nil
	}
	c := s.must()
	for _, in := range []*wire.In{
		{Body: &wire.In_Attest{Attest: &wire.Attest{}}}, {Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{}}}, {Body: &wire.In_StoreValues{StoreValues: &wire.StoreValues{}}},
		{Body: &wire.In_Code{Code: &wire.CodeBytes{}}}, {Body: &wire.In_Peer{Peer: &wire.PeerMessage{}}}, {Body: &wire.In_Serve{Serve: &wire.Serve{}}},
		{Body: &wire.In_Record{Record: &wire.SealedRecord{}}}, {Body: &wire.In_KeyRequest{KeyRequest: &wire.KeyRequestHint{}}},
	} {
		in.Id = 9
		if out, err := ask(c, in); err != nil || out.ReplyTo != 9 || out.GetFailure().GetCode() != "refused" {
			t.Errorf("%T: %v %v", in.Body, out, err)
		}
	}
}

// A request in a session is answered while the enclave is busy with something else.
func TestSessionsNeedNoTurn(t *testing.T) {
	s := serve(t, Config{})
	c := s.must()
	began, end := make(chan struct{}), make(chan struct{})
	s.enclave.answer = func(*wire.In) []*wire.Out {
		close(began)
		<-end
		return nil
	}
	go s.door.Handle(context.Background(), hello(1))
	<-began
	if out, err := ask(c, &wire.In{Id: 7, Body: &wire.In_SessionCall{SessionCall: &wire.SessionCall{}}}); err != nil || out.GetSessionReply() == nil || out.ReplyTo != 7 {
		t.Errorf("%v %v", out, err)
	}
	close(end)
	if n := s.enclave.asked.Load(); n != 1 {
		t.Errorf("%d requests reached the enclave", n)
	}
}

// What the enclave says to its host in answer to strangers waits for the host, and nobody else hears it.
func TestHostHearsItsPart(t *testing.T) {
	s := serve(t, Config{})
	c := s.must()
	query := &wire.In{Id: 7, Body: &wire.In_Query{Query: &wire.QueryCall{}}}
	for range maxKept + 5 {
		if out, err := ask(c, query); err != nil || out.GetReply() == nil {
			t.Fatal(out, err)
		}
	}
	outs := s.door.Handle(context.Background(), hello(1))
	if len(outs) != maxKept+2 || outs[0].GetNeedCode() == nil || outs[0].ReplyTo != 0 || outs[maxKept].GetIdentity() == nil || outs[maxKept+1].GetDone() == nil {
		t.Errorf("%d outs: %v", len(outs), outs)
	}
	if outs := s.door.Handle(context.Background(), hello(1)); len(outs) != 2 {
		t.Errorf("twice: %v", outs)
	}
	// An enclave that answers a stranger with a word to its host has no answer for the stranger.
	s.enclave.answer = func(*wire.In) []*wire.Out { return []*wire.Out{{Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{}}}} }
	if out, err := ask(c, query); err != nil || out.GetFailure().GetCode() != "refused" {
		t.Error(out, err)
	}
}

func TestHandshakesThatFail(t *testing.T) {
	s := serve(t, Config{})
	for name, c := range map[string]struct {
		change func(*tls.Config)
		word   string
	}{
		"TLS 1.2":          {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, "protocol version"},
		"X25519 alone":     {func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }, "handshake failure"},
		"P-256 alone":      {func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256} }, "handshake failure"},
		"another protocol": {func(c *tls.Config) { c.NextProtos = []string{"h2"} }, "no application protocol"},
	} {
		if _, err := s.dial(stranger(c.change)); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v, want %q", name, err, c.word)
		}
	}
	if c, err := s.dial(stranger(func(c *tls.Config) { c.NextProtos = nil })); err == nil {
		if out, err := ask(c, hello(1)); err == nil {
			t.Errorf("no protocol: %v", out)
		}
	}
	if c, err := s.dial(stranger(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519, tls.X25519MLKEM768} })); err != nil || c.ConnectionState().CurveID != tls.X25519MLKEM768 {
		t.Errorf("a client that can: %v", err)
	}
	s = serve(t, Config{})
	s.enclave.silent.Store(true)
	if _, err := s.dial(stranger(nil)); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("without evidence: %v", err)
	}
	s.enclave.silent.Store(false)
	s.must()
}

func TestBadFrames(t *testing.T) {
	s := serve(t, Config{})
	for name, c := range map[string]struct {
		bytes []byte
		code  string
	}{
		"too large":      {binary.BigEndian.AppendUint32(nil, channel.MaxRequest+1), "too-large"},
		"4 GiB":          {[]byte{0xff, 0xff, 0xff, 0xff}, "too-large"},
		"noise":          {frame([]byte("hello")), "malformed"},
		"empty":          {frame(nil), "malformed"},
		"no body":        {frame(wire.Marshal(&wire.In{Id: 3})), "malformed"},
		"trailing bytes": {frame(append(wire.Marshal(hello(1)), 0x78, 1)), "malformed"},
	} {
		conn := s.must()
		if _, err := conn.Write(c.bytes); err != nil {
			t.Fatal(err)
		}
		if out, err := answer(conn); err != nil || out.GetFailure().GetCode() != c.code || out.ReplyTo != 0 {
			t.Errorf("%s: %v %v, want %s", name, out, err, c.code)
		}
		if _, err := answer(conn); err == nil {
			t.Errorf("%s: the connection goes on", name)
		}
	}
	out, err := ask(s.must(), &wire.In{Id: 1, Body: &wire.In_Result{Result: &wire.ResultCall{Index: channel.MaxAnswer}}})
	if err != nil || out.GetFailure().GetCode() != "too-large" || out.ReplyTo != 1 {
		t.Errorf("an answer that is too large: %v %v", out.GetFailure(), err)
	}
	whole := &wire.In{Id: 2, Body: &wire.In_Query{Query: &wire.QueryCall{Envelope: &wire.Envelope{Ciphertext: make([]byte, 1<<20+64<<10)}}}}
	if out, err := ask(s.must(), whole); err != nil || out.GetReply() == nil {
		t.Errorf("the largest envelope: %v %v", out.GetFailure(), err)
	}
}

// Who is slow loses the connection, however steadily the bytes drip.
func TestSlowStrangers(t *testing.T) {
	s := serve(t, Config{Handshake: 300 * time.Millisecond, Idle: 300 * time.Millisecond, Frame: 300 * time.Millisecond})
	dead := func(name string, began time.Time, c net.Conn) {
		t.Helper()
		_, _ = io.Copy(io.Discard, c)
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("%s: it took %s", name, d)
		}
	}
	raw, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	began := time.Now()
	_, _ = raw.Write([]byte{0x16, 3, 1}) // a record that does not come
	_ = raw.SetReadDeadline(time.Now().Add(3 * time.Second))
	dead("in the handshake", began, raw)

	dripping := func(c net.Conn, b []byte) {
		for _, x := range b {
			if _, err := c.Write([]byte{x}); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	for name, b := range map[string][]byte{
		"silent":            nil,
		"drips a head":      {0, 0},
		"drips a frame":     append([]byte{0, 0, 0, 200}, bytes.Repeat([]byte{1}, 100)...),
		"announces a frame": {0, 0, 0, 200},
	} {
		c := s.must()
		began := time.Now()
		go dripping(c, b)
		_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		dead(name, began, c)
	}
}

// Nobody keeps a channel for ever.
func TestEndOfLife(t *testing.T) {
	s := serve(t, Config{Life: 400 * time.Millisecond})
	c := s.must()
	began := time.Now()
	for time.Since(began) < 3*time.Second {
		if _, err := ask(c, hello(1)); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("a busy connection outlives its end")
}

func TestTooMany(t *testing.T) {
	s := serve(t, Config{Conns: 3})
	var open []*tls.Conn
	for range 3 {
		open = append(open, s.must())
	}
	if _, err := s.dial(stranger(nil)); err == nil {
		t.Fatal("a fourth came in")
	}
	open[0].Close()
	for range 50 {
		if c, err := s.dial(stranger(nil)); err == nil {
			if _, err := ask(c, hello(1)); err != nil {
				t.Error(err)
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("a place that was left is not given again")
}

// Each certificate has a key of its own.
func TestRenewal(t *testing.T) {
	s := serve(t, Config{Renew: time.Millisecond})
	keys := map[string]bool{}
	for range 3 {
		cert, err := channel.Parse(s.must().ConnectionState().PeerCertificates[0].Raw)
		if err != nil {
			t.Fatal(err)
		}
		keys[string(cert.Key)] = true
		time.Sleep(2 * time.Millisecond)
	}
	if len(keys) != 3 {
		t.Errorf("%d keys in three certificates", len(keys))
	}
}
