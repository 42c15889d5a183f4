package channel

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
	enclave "github.com/phala-go/phala/enclave/channel"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// world is a network of one enclave with a channel, and a client of it.
type world struct {
	t       testing.TB
	net     *enclavetest.Net
	door    *enclave.Door
	vouches enclave.Runtime
	address string
	change  func(*channel.Rules) // what the client believes of the chain
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, net: enclavetest.New(t, 1, 1)}
	w.vouches = w.net.Members[0].RT.(enclave.Runtime)
	w.door = enclave.NewDoor(w.vouches)
	w.net.Members[0].RT = w.door
	w.address = w.serve(w.door)
	return w
}

func (w *world) serve(d *enclave.Door) string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = enclave.New(enclave.Config{Door: d, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l)
	}()
	w.t.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}

// Rules is what the chain of the test says.
func (w *world) Rules(_ context.Context, id *wire.WorkerIdentity, role wire.Role) (channel.Rules, error) {
	c := w.net.Chain
	r := channel.Rules{ChainID: enclavetest.ChainID, GenesisHash: id.GenesisHash, Height: c.Height + 1, Policy: &wire.Policy{}, Network: &wire.NetworkParams{}, Worker: c.Worker(id.Worker)}
	c.Get(storekey.Attestation, storekey.Policy(int32(role)), r.Policy)
	c.Get(storekey.Attestation, storekey.Network(), r.Network)
	if w.change != nil {
		w.change(&r)
	}
	return r, nil
}

func (w *world) options() Options {
	return Options{Chain: w, Role: wire.ROLE_EXECUTOR, Worker: w.net.Members[0].Ref, Now: w.net.Clock}
}

func (w *world) dial() *Conn {
	w.t.Helper()
	c, err := Dial(context.Background(), w.address, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func TestConversation(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	ctx := context.Background()
	v := c.Verdict()
	if !v.Accepted || v.Kind != wire.TEE_KIND_SIMULATED || !c.Identity().Worker.Is(w.net.Members[0].Ref) {
		t.Errorf("%+v", v)
	}
	id, err := c.Hello(ctx)
	if err != nil || id.VerifiedHeight == 0 {
		t.Fatal(id, err)
	}
	var f *client.Failure
	if _, err := c.Result(ctx, &wire.ResultRequest{Cluster: 99}); !errors.As(err, &f) || f.Code != "unknown-cluster" || f.Next == "" {
		t.Errorf("a cluster that is not there: %v", err)
	}
	if _, err := c.Result(ctx, &wire.ResultRequest{Cluster: w.net.Cluster, Index: 5, WaitMs: 300}); !errors.As(err, &f) || f.Code != "not-final" {
		t.Errorf("a result that is not there: %v", err)
	}
	var gw client.Gateway = c
	if plain := w.query(gw); plain.Failure == nil || plain.Failure.Code == "" {
		t.Errorf("a query for no contract: %v", plain)
	}
	any := w.options()
	any.Worker, any.Any = nil, true
	if c, err := Dial(ctx, w.address, any); err != nil || c.Close() != nil {
		t.Errorf("any worker: %v", err)
	}
}

// query asks for a contract that is not there, and opens the sealed answer.
func (w *world) query(g client.Gateway) *wire.QueryReply {
	w.t.Helper()
	k := w.net.Chain.Key(w.net.Cluster)
	pk, err := seal.PublicKey(k.InputKey)
	if err != nil {
		w.t.Fatal(err)
	}
	at := seal.Context{Domain: seal.DomainQuery, ChainID: enclavetest.ChainID, Cluster: w.net.Cluster, Epoch: k.Epoch, Roster: k.Roster}
	env, key, err := seal.Seal(pk, at, nil, wire.Marshal(&wire.QueryRequest{Contract: make([]byte, 32), Msg: []byte("{}")}))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := g.Query(context.Background(), &wire.QueryCallRequest{Cluster: w.net.Cluster, Envelope: env})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := key.OpenReply(res.Reply)
	if err != nil {
		w.t.Fatal(err)
	}
	var r wire.QueryReply
	if err := wire.Unmarshal(b, &r); err != nil {
		w.t.Fatal(err)
	}
	return &r
}

// refused dials and gives the codes of the refusal.
func (w *world) refused(address string, o Options) string {
	w.t.Helper()
	c, err := Dial(context.Background(), address, o)
	var r *Refused
	var s *Silent
	switch {
	case err == nil:
		c.Close()
		return "accepted"
	case errors.As(err, &s):
		return err.Error() + "; " + s.Next
	case !errors.As(err, &r):
		return err.Error()
	}
	var codes []string
	for _, x := range r.Reasons {
		codes = append(codes, x.Code)
		if !strings.Contains(err.Error(), x.String()) {
			w.t.Errorf("%v does not say %s", err, x)
		}
	}
	return strings.Join(codes, " ")
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, codes string
		rules       func(*channel.Rules)
		options     func(*Options)
	}{
		{"as it is", "accepted", nil, nil},
		{"another worker", "other-worker", nil, func(o *Options) { o.Worker = enclavetest.Ref(7) }},
		{"a gatekeeper was meant", "wrong-role unknown-measurement", nil, func(o *Options) { o.Role = wire.ROLE_GATEKEEPER }},
		{"another boot is registered", "other-identity", func(r *channel.Rules) { r.Worker.IdentityKey = make([]byte, 32) }, nil},
		{"not registered", "not-registered", func(r *channel.Rules) { r.Worker = nil }, nil},
		{"registration is over", "registration-ended", func(r *channel.Rules) { r.Worker.ExpiryHeight = r.Height }, nil},
		{"another chain", "wrong-chain", func(r *channel.Rules) { r.ChainID = "other" }, nil},
		{"production", "simulated", func(r *channel.Rules) { r.Network.Development = false }, nil},
		{"a program that is not approved", "unknown-measurement", func(r *channel.Rules) { r.Policy.Measurements = nil }, nil},
		{"no policy", "incomplete", func(r *channel.Rules) { r.Policy = nil }, nil},
		{"a clock of yesterday", "not-yet-valid", nil, func(o *Options) { o.Now = func() time.Time { return w.net.Clock().Add(-24 * time.Hour) } }},
		{"a clock of tomorrow", "certificate-expired", nil, func(o *Options) { o.Now = func() time.Time { return w.net.Clock().Add(24 * time.Hour) } }},
	} {
		o := w.options()
		if c.options != nil {
			c.options(&o)
		}
		w.change = c.rules
		if got := w.refused(w.address, o); got != c.codes {
			t.Errorf("%s: %s, want %s", c.name, got, c.codes)
		}
	}
	for name, o := range map[string]Options{"nothing": {}, "no role": {Chain: w, Any: true}, "nobody": {Chain: w, Role: wire.ROLE_EXECUTOR}, "somebody and anybody": {Chain: w, Role: wire.ROLE_EXECUTOR, Any: true, Worker: enclavetest.Ref(0)}} {
		if _, err := Dial(context.Background(), w.address, o); err == nil || !strings.Contains(err.Error(), "must be named") {
			t.Errorf("options that name %s: %v", name, err)
		}
	}
}

// attacker is somebody in between, with a certificate and a key of his choice.
func (w *world) attacker(config *tls.Config, then func(net.Conn)) string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if config != nil {
				s := tls.Server(c, config)
				if s.Handshake() != nil {
					c.Close()
					continue
				}
				c = s
			}
			if then != nil {
				then(c)
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func pair(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv
}

// shows is TLS as an enclave's, with another certificate.
func shows(key ed25519.PrivateKey, der ...[]byte) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}, NextProtos: []string{channel.Protocol},
		Certificates: []tls.Certificate{{Certificate: der, PrivateKey: key}},
	}
}

// Somebody in between can pass bytes on, or be refused.
func TestInBetween(t *testing.T) {
	w := newWorld(t)
	genuine, _ := pair(t)
	mine, mineKey := pair(t)
	der, err := w.vouches.Certificate(genuine)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := channel.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	own := func(change func(*wire.WorkerIdentity)) []byte {
		id := *cert.Evidence.Identity
		id.IdentityKey = mine
		if change != nil {
			change(&id)
		}
		ev := &wire.WorkerEvidence{Identity: &id, Evidence: attest.Simulate(enclavetest.Measurement(wire.ROLE_EXECUTOR), attest.ReportData(&id))}
		out, err := channel.Issue(mineKey, channel.Certificate{Key: mine, Evidence: ev, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	swapped := func() []byte {
		id := *cert.Evidence.Identity
		id.IdentityKey = mine
		out, err := channel.Issue(mineKey, channel.Certificate{Key: mine, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
			Evidence: &wire.WorkerEvidence{Identity: &id, Evidence: cert.Evidence.Evidence}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name, want string
		config     *tls.Config
	}{
		{"an identity of his own, with evidence that anybody can make", "other-identity", shows(mineKey, own(nil))},
		{"the enclave's quote for his identity", "other-identity report-data", shows(mineKey, swapped())},
		{"another worker's name", "other-worker", shows(mineKey, own(func(id *wire.WorkerIdentity) { id.Worker = enclavetest.Ref(5) }))},
		{"the enclave's certificate, whose key he has not", "invalid signature by the server certificate", shows(mineKey, der)},
		{"two certificates", "not-a-channel", shows(mineKey, own(nil), own(nil))},
		{"no protocol", "not-a-channel", func() *tls.Config { c := shows(mineKey, own(nil)); c.NextProtos = nil; return c }()},
		{"TLS 1.2", "no channel of this version", func() *tls.Config {
			c := shows(mineKey, own(nil))
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return c
		}()},
		{"X25519 alone", "showed no evidence", func() *tls.Config {
			c := shows(mineKey, own(nil))
			c.CurvePreferences = []tls.CurveID{tls.X25519}
			return c
		}()},
	} {
		if got := w.refused(w.attacker(c.config, nil), w.options()); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	relay := w.attacker(nil, func(c net.Conn) {
		to, err := net.Dial("tcp", w.address)
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(to, c) }()
		_, _ = io.Copy(c, to)
	})
	if got := w.refused(relay, w.options()); got != "accepted" {
		t.Errorf("who passes bytes on: %s", got)
	}
}

func TestSilentEnds(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		then func(net.Conn)
		word string
	}{
		"hangs up": {func(net.Conn) {}, "hung up"},
		"speaks HTTP": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, "does not speak TLS"},
		"an alert": {func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 80}); _, _ = io.Copy(io.Discard, c) }, "none to show"},
	} {
		_, err := Dial(context.Background(), w.attacker(nil, c.then), w.options())
		var s *Silent
		if !errors.As(err, &s) || !strings.Contains(err.Error(), c.word) || s.Next == "" || errors.Unwrap(s) == nil {
			t.Errorf("%s: %v, want %q", name, err, c.word)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, w.attacker(nil, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), w.options()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("says nothing: %v", err)
	}
	if _, err := Dial(context.Background(), "127.0.0.1:1", w.options()); err == nil || !strings.Contains(err.Error(), "dialling a channel") {
		t.Errorf("nobody there: %v", err)
	}
}

// An enclave that was accepted is not believed to speak our protocol well.
func TestBadAnswers(t *testing.T) {
	w := newWorld(t)
	frame := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	identity := func(id uint64, key []byte) []byte {
		return frame(wire.Marshal(&wire.Out{ReplyTo: id, Body: &wire.Out_Identity{Identity: &wire.Identity{IdentityKey: key}}}))
	}
	for name, c := range map[string]struct {
		answer []byte
		word   string
	}{
		"nothing":                     {nil, "EOF"},
		"half a head":                 {[]byte{0, 0}, "EOF"},
		"too large":                   {binary.BigEndian.AppendUint32(nil, channel.MaxAnswer+1), "at most"},
		"cut off":                     {[]byte{0, 0, 0, 9, 1}, "EOF"},
		"noise":                       {frame([]byte("hello")), "decoding"},
		"another's answer":            {identity(7, nil), "answer to request 7"},
		"another enclave":             {identity(1, []byte("x")), "answered as another"},
		"a refusal of the connection": {frame(wire.Marshal(&wire.Out{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: "malformed", Message: "m"}}})), "malformed"},
	} {
		here, there := net.Pipe()
		go func() {
			_ = there.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.CopyN(io.Discard, there, 4+int64(len(wire.Marshal(&wire.In{Id: 1, Body: &wire.In_Hello{Hello: &wire.Hello{}}}))))
			_, _ = there.Write(c.answer)
			there.Close()
		}()
		conn := newConn(here, w.dial().Verdict(), w.net.Clock)
		if _, err := conn.Hello(context.Background()); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v, want %q", name, err, c.word)
		}
		if _, err := conn.Hello(context.Background()); err == nil {
			t.Errorf("%s: the channel goes on", name)
		}
	}
}

func TestEnds(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	c.now = func() time.Time { return w.net.Clock().Add(channel.MaxLife + time.Second) }
	if _, err := c.Hello(context.Background()); !errors.Is(err, ErrEnded) {
		t.Errorf("after the certificate's end: %v", err)
	}
	c = w.dial()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Hello(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := c.Hello(context.Background()); err != nil {
		t.Errorf("after a request that was cancelled before it was sent: %v", err)
	}
	big := &wire.QueryCallRequest{Envelope: &wire.Envelope{Ciphertext: make([]byte, channel.MaxRequest)}}
	if _, err := w.dial().Query(context.Background(), big); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too large: %v", err)
	}
}

// One dial: handshake, evidence and verdict, without the chain's proofs.
func BenchmarkDial(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		c, err := Dial(context.Background(), w.address, w.options())
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

func BenchmarkHello(b *testing.B) {
	c := newWorld(b).dial()
	for b.Loop() {
		if _, err := c.Hello(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
