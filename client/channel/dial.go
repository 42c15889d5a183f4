// Package channel is a client's end of an attested channel: it dials an enclave, judges the evidence in its certificate by what the
// chain says of that worker, and then asks it directly (docs/spec/attested-channel.md). It must never send a byte of its user to
// somebody whose evidence it has not accepted.
package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// Chain says, by proof, what there is to know about the worker that an identity names: policy of the role, network, registration,
// all at one height, and a way to collateral. An error means that the chain could not be asked.
type Chain interface {
	Rules(ctx context.Context, id *wire.WorkerIdentity, role wire.Role) (channel.Rules, error)
}

// Options say whom a channel is for. The zero value accepts nobody.
type Options struct {
	Chain  Chain
	Role   wire.Role       // whose policy judges
	Worker *wire.WorkerRef // who must be at the other end
	Any    bool            // instead of Worker: any registered worker of the role
	Now    func() time.Time
}

// dialTimeout bounds dialling and judging.
const dialTimeout = 20 * time.Second

// Refused is the error for an other end that showed a certificate and was not accepted.
type Refused struct {
	Address string
	channel.Verdict
}

// Error gives every reason.
func (r *Refused) Error() string {
	var all []string
	for _, x := range r.Reasons {
		all = append(all, x.String())
	}
	return fmt.Sprintf("the channel at %s is refused: %s", r.Address, strings.Join(all, ". "))
}

// Silent is the error for an other end that showed no certificate; Next is what to do about it.
type Silent struct {
	Address, Why, Next string
	err                error
}

// Error says what happened instead.
func (s *Silent) Error() string {
	return fmt.Sprintf("the channel at %s showed no evidence: %s", s.Address, s.Why)
}

// Unwrap is the cause.
func (s *Silent) Unwrap() error { return s.err }

// Dial connects to host:port and returns once the other end has been accepted. A *Refused carries the reasons; a *Silent says that
// there was no certificate to judge; other errors are the network's or the chain's.
func Dial(ctx context.Context, address string, o Options) (*Conn, error) {
	if o.Chain == nil || o.Role == wire.ROLE_UNSPECIFIED || (o.Worker == nil) != o.Any {
		return nil, errors.New("dialling a channel: a chain, a role, and either a worker or any of them must be named")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dialling a channel: %w", err)
	}
	j := &judge{address: address, opts: o}
	c := tls.Client(raw, j.tls(ctx))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, j.explain(ctx, err)
	}
	return newConn(c, j.verdict, o.Now), nil
}

// judge is one decision about one other end.
type judge struct {
	address string
	opts    Options
	shown   bool
	verdict channel.Verdict
}

// tls is one suite of everything. Certificates are judged by their evidence and by nothing else: no name, no authority.
func (j *judge) tls(ctx context.Context) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519MLKEM768},
		SessionTicketsDisabled: true,
		NextProtos:             []string{channel.Protocol},
		InsecureSkipVerify:     true, // in favour of VerifyConnection, which is called in every handshake
		VerifyConnection:       func(st tls.ConnectionState) error { return j.verify(ctx, st) },
	}
}

func (j *judge) verify(ctx context.Context, st tls.ConnectionState) error {
	j.shown = true
	if st.Version != tls.VersionTLS13 || st.CurveID != tls.X25519MLKEM768 || st.NegotiatedProtocol != channel.Protocol || len(st.PeerCertificates) != 1 || st.DidResume {
		return j.refuse(claims.Reason{Code: "not-a-channel", Field: "TLS",
			Got:    fmt.Sprintf("%s, %s, protocol %q, %d certificates", tls.VersionName(st.Version), st.CurveID, st.NegotiatedProtocol, len(st.PeerCertificates)),
			Want:   fmt.Sprintf("TLS 1.3, X25519MLKEM768, protocol %q, one certificate", channel.Protocol),
			Advice: "name the address that offchaind serves with --channel-listen"})
	}
	der := st.PeerCertificates[0].Raw
	cert, err := channel.Parse(der)
	if err != nil {
		return j.refuse(claims.Reasons(err, "malformed-certificate")...)
	}
	id := cert.Evidence.GetIdentity()
	if want := j.opts.Worker; want != nil && !want.Is(id.GetWorker()) {
		j.verdict.Certificate = cert
		return j.refuse(claims.Reason{Code: "other-worker", Field: "worker", Got: id.GetWorker().Name(), Want: want.Name(),
			Advice: "this is the channel of another worker: take the address from the operator of the one you mean"})
	}
	rules, err := j.opts.Chain.Rules(ctx, id, j.opts.Role)
	if err != nil {
		return fmt.Errorf("judging the channel at %s: %w", j.address, err)
	}
	rules.Time = j.opts.Now()
	if j.verdict = channel.Check(der, rules); !j.verdict.Accepted {
		return &Refused{j.address, j.verdict}
	}
	return nil
}

func (j *judge) refuse(reasons ...claims.Reason) error {
	r := &Refused{j.address, j.verdict}
	r.Reasons = reasons
	return r
}

// explain says what a handshake that broke off means.
func (j *judge) explain(ctx context.Context, err error) error {
	silent := &Silent{Address: j.address, err: err}
	var record tls.RecordHeaderError
	switch {
	case j.shown || ctx.Err() != nil:
		return err
	case errors.As(err, &record):
		silent.Why, silent.Next = "what is there does not speak TLS", "name the address that offchaind serves with --channel-listen"
	case strings.Contains(err.Error(), "remote error: tls: internal error"): // the alert has no exported type
		silent.Why, silent.Next = "the enclave has none to show", "it has not been registered yet, or its chain stands still: try again in a few blocks"
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE):
		silent.Why, silent.Next = "it hung up", "its channels are all taken, or its enclave is down: try again shortly"
	default:
		silent.Why, silent.Next = err.Error(), "it is no channel of this version, which is TLS 1.3 with X25519MLKEM768 alone: name the address that offchaind serves with --channel-listen"
	}
	return silent
}
