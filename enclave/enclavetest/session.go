package enclavetest

import (
	"context"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/session"
	"github.com/phala-go/phala/core/wire"
)

// Session is a client's end of one.
type Session struct {
	Opening *wire.SessionOpen
	ID      session.ID
	Keys    *session.Keys
	net     *Net
	last    uint64
}

// Asker is an enclave that answers requests in sessions.
type Asker interface {
	Ask(ctx context.Context, in *wire.In) []*wire.Out
}

// OpenSession seals an opening to the cluster's key of now and shows it to a node.
func (n *Net) OpenSession(x *Node, o *wire.SessionOpening) (*Session, *wire.Failure) {
	n.T.Helper()
	pk, err := seal.PublicKey(n.Chain.Key(n.Cluster).InputKey)
	if err != nil {
		n.T.Fatal(err)
	}
	e, secret, err := session.Seal(pk, n.At(seal.DomainSession), o)
	if err != nil {
		n.T.Fatal(err)
	}
	return n.ShowOpening(x, &wire.SessionOpen{Cluster: n.Cluster, Envelope: e}, secret)
}

// ShowOpening shows a node an opening, maybe once more.
func (n *Net) ShowOpening(x *Node, o *wire.SessionOpen, secret session.Secret) (*Session, *wire.Failure) {
	n.T.Helper()
	outs := x.Do(&wire.In{Body: &wire.In_SessionOpen{SessionOpen: o}})
	opened := outs[0].GetSessionOpened()
	if opened == nil {
		return nil, Failure(outs)
	}
	keys, err := secret.Keys(session.Query, opened.Salt)
	if err != nil {
		n.T.Fatal(err)
	}
	plain, err := keys.OpenReply(0, opened.Ciphertext)
	if err != nil {
		n.T.Fatal(err)
	}
	var a wire.SessionAccepted
	if err := wire.Unmarshal(plain, &a); err != nil || a.Cluster != o.Cluster {
		n.T.Fatalf("%v, %v", &a, err)
	}
	return &Session{Opening: o, ID: session.IDOf(o.Envelope), Keys: keys, net: n}, a.Failure
}

// Request seals the next request.
func (s *Session) Request(q *wire.QueryRequest) *wire.SessionCall {
	s.net.T.Helper()
	s.last++
	ciphertext, err := s.Keys.SealRequest(s.last, wire.Marshal(q))
	if err != nil {
		s.net.T.Fatal(err)
	}
	return &wire.SessionCall{Cluster: s.Opening.Cluster, Session: s.ID[:], Counter: s.last, Ciphertext: ciphertext}
}

// Send shows a node a request; without a sealed reply there is a failure in clear.
func (s *Session) Send(x *Node, c *wire.SessionCall) (*wire.QueryReply, *wire.Failure) {
	s.net.T.Helper()
	outs := x.RT.(Asker).Ask(s.net.T.Context(), &wire.In{Body: &wire.In_SessionCall{SessionCall: c}})
	r := outs[0].GetSessionReply()
	if r == nil {
		return nil, Failure(outs)
	}
	plain, err := s.Keys.OpenReply(c.Counter, r.Ciphertext)
	if err != nil {
		s.net.T.Fatal(err)
	}
	var a wire.QueryReply
	if err := wire.Unmarshal(plain, &a); err != nil {
		s.net.T.Fatal(err)
	}
	return &a, nil
}

// Ask is Request and Send.
func (s *Session) Ask(x *Node, q *wire.QueryRequest) (*wire.QueryReply, *wire.Failure) {
	s.net.T.Helper()
	return s.Send(x, s.Request(q))
}
