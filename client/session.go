package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/session"
	"github.com/phala-go/phala/core/wire"
)

// SessionGateway is a member with which sessions are opened. A refusal is a *Failure.
type SessionGateway interface {
	OpenSession(context.Context, *wire.SessionOpen) (*wire.SessionOpened, error)
	AskSession(context.Context, *wire.SessionCall) (*wire.SessionReply, error)
}

const (
	// sessionAge is how old what a session knows of the chain may be when it asks: an answer is of a state at least as new.
	sessionAge = 5 * time.Second
	// sessionLook is how old it is when it looks anew, while it goes on asking.
	sessionLook = time.Second
)

// Session asks contracts of one cluster, many times for the price of one key agreement, by one member at a time (docs/spec/session.md).
// It opens itself anew where it ends, with another member where one is gone. Safe for concurrent use.
type Session struct {
	c       *Client
	cluster uint64
	permit  *wire.Permit
	through SessionGateway // the caller's choice; nil: any member

	opening sync.Mutex // held by whoever opens
	looking sync.Mutex // held by whoever reads the chain

	mu    sync.Mutex
	link  *sessionLink // nil: none stands
	view  *View
	read  time.Time
	next  int              // of the members' gateways
	known *wire.QueryReply // the newest batch that the chain has proven, as an answer bound it
}

// sessionLink is a session as one member knows it.
type sessionLink struct {
	g       SessionGateway
	url     string
	close   func() // of its stream; nil: it has none
	id      session.ID
	keys    *session.Keys
	expires uint64
	last    atomic.Uint64
}

// OpenSession begins a session of a cluster, for the holder of p; without one the asker is unknown. Close ends it.
func (c *Client) OpenSession(ctx context.Context, cluster uint64, p *wire.Permit) (*Session, error) {
	return c.openSession(ctx, &Session{c: c, cluster: cluster, permit: p})
}

// OpenSessionThrough is OpenSession with a gateway of the caller's choice, as an attested channel is one.
func (c *Client) OpenSessionThrough(ctx context.Context, g SessionGateway, cluster uint64, p *wire.Permit) (*Session, error) {
	return c.openSession(ctx, &Session{c: c, cluster: cluster, permit: p, through: g})
}

func (c *Client) openSession(ctx context.Context, s *Session) (*Session, error) {
	s.next = rand.IntN(1 << 16)
	err := s.try(ctx, func(ctx context.Context, v *View) error {
		_, err := s.linked(ctx, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a session of cluster %d: %w", s.cluster, err)
	}
	return s, nil
}

// Query asks a contract. The answer is of a state at least as new as the chain was five seconds before, and that state's root is the
// chain's.
func (s *Session) Query(ctx context.Context, contract string, msg []byte) (a *Answer, err error) {
	addr, err := contractBytes(contract)
	if err != nil {
		return nil, err
	}
	err = s.try(ctx, func(ctx context.Context, v *View) error {
		l, err := s.linked(ctx, v)
		if err != nil {
			return err
		}
		a, err = s.ask(ctx, l, v, &wire.QueryRequest{Contract: addr, Msg: msg, MinHeight: v.Height})
		switch {
		case err != nil && a == nil:
			s.leave(l, err)
		case err != nil && !behind(err):
			return &word{err}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// try does it until it succeeds, or fails for good, or 15 s are over.
func (s *Session) try(ctx context.Context, do func(context.Context, *View) error) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var last error
	for i := 0; ; i++ {
		v, err := s.look(ctx)
		if err == nil {
			err = do(ctx, v)
		}
		var w *word
		if errors.As(err, &w) {
			return w.error
		}
		var f *Failure
		if err == nil || errors.As(err, &f) && !passing(f.Code) && !slices.Contains(ofSession, f.Code) {
			return err
		}
		if ctx.Err() != nil && last != nil {
			return last
		}
		if last = err; f != nil && f.Code == "does-not-open" { // the cluster may have another key by now
			s.forget()
		}
		if i > 0 && sleep(ctx, min(time.Duration(i)*20*time.Millisecond, 200*time.Millisecond)) != nil {
			return last
		}
	}
}

// word is an enclave's own answer that nobody else would better.
type word struct{ error }

// behind says whether an enclave's refusal goes away by itself.
func behind(err error) bool {
	var f *Failure
	return errors.As(err, &f) && (f.Code == "height-not-reached" || f.Code == "not-serving")
}

// ofSession are refusals after which another session helps.
var ofSession = []string{"unknown-session", "does-not-open", "replayed", "busy"}

// look gives what is known of the cluster: if that is a little old it reads anew beside, if it is older it waits.
func (s *Session) look(ctx context.Context) (*View, error) {
	s.mu.Lock()
	v, age := s.view, time.Since(s.read)
	s.mu.Unlock()
	switch {
	case v == nil || age > sessionAge:
		s.looking.Lock()
		defer s.looking.Unlock()
		return s.readChain(ctx)
	case age > sessionLook && s.looking.TryLock():
		go func() {
			defer s.looking.Unlock()
			ctx, cancel := context.WithTimeout(context.Background(), sessionAge)
			defer cancel()
			_, _ = s.readChain(ctx) // who needs it newer waits, and hears of the error
		}()
	}
	return v, nil
}

// readChain needs looking to be held.
func (s *Session) readChain(ctx context.Context) (*View, error) {
	s.mu.Lock()
	if s.view != nil && time.Since(s.read) < sessionLook { // somebody else has just read
		defer s.mu.Unlock()
		return s.view, nil
	}
	s.mu.Unlock()
	began := time.Now()
	v, err := s.c.Cluster(ctx, s.cluster)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view, s.read = v, began
	return v, nil
}

func (s *Session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = time.Time{}
}

// linked gives the link that stands, or opens one.
func (s *Session) linked(ctx context.Context, v *View) (*sessionLink, error) {
	stands := func() *sessionLink {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l := s.link; l != nil && v.Height+2 < l.expires && l.last.Load() < session.MaxRequests {
			return l
		}
		return nil
	}
	if l := stands(); l != nil {
		return l, nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if l := stands(); l != nil {
		return l, nil
	}
	l := &sessionLink{g: s.through, expires: v.Height + session.MaxLife - 5} // the member may be a little behind
	if l.g == nil {
		all, err := s.c.gateways(ctx, v.Cluster)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		l.url = all[s.next%len(all)]
		s.next++
		s.mu.Unlock()
		switch g := s.c.gateway(l.url).(type) {
		case interface {
			Stream() (SessionGateway, func())
		}:
			l.g, l.close = g.Stream()
		case SessionGateway:
			l.g = g
		default:
			return nil, fmt.Errorf("gateway %s has no sessions", l.url)
		}
	}
	if err := s.open(ctx, v, l); err != nil {
		l.end()
		return nil, fmt.Errorf("opening a session with %s: %w", l.url, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = l
	return l, nil
}

func (s *Session) open(ctx context.Context, v *View, l *sessionLink) error {
	pk, at, err := s.c.keyOf(v, seal.DomainSession)
	if err != nil {
		return err
	}
	e, secret, err := session.Seal(pk, at, &wire.SessionOpening{Permit: s.permit, Expires: l.expires})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	opened, err := l.g.OpenSession(ctx, &wire.SessionOpen{Cluster: s.cluster, Envelope: e})
	if err != nil {
		return err
	}
	l.id = session.IDOf(e)
	if l.keys, err = secret.Keys(session.Query, opened.GetSalt()); err != nil {
		return err
	}
	plain, err := l.keys.OpenReply(0, opened.GetCiphertext())
	if err != nil {
		return err
	}
	var a wire.SessionAccepted
	if err := wire.Unmarshal(plain, &a); err != nil {
		return err
	}
	if a.Failure != nil {
		return &Failure{a.Failure}
	}
	if a.Cluster != s.cluster {
		return fmt.Errorf("the session is of cluster %d, not %d", a.Cluster, s.cluster)
	}
	return nil
}

// leave drops a link on which no more may be asked. Answers that are refused inside it say nothing against it.
func (s *Session) leave(l *sessionLink, err error) {
	if behind(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == l {
		s.link = nil
		l.end()
	}
}

func (l *sessionLink) end() {
	if l.close != nil {
		l.close()
	}
}

// Close ends the session at this end; the member forgets it in time.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != nil {
		s.link.end()
		s.link = nil
	}
}

// ask asks once. With an answer the link is good, whatever the error.
func (s *Session) ask(ctx context.Context, l *sessionLink, v *View, req *wire.QueryRequest) (*Answer, error) {
	n := l.last.Add(1)
	ciphertext, err := l.keys.SealRequest(n, wire.Marshal(req))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second) // a contract may run for 5 s before it is stopped
	defer cancel()
	reply, err := l.g.AskSession(ctx, &wire.SessionCall{Cluster: s.cluster, Session: l.id[:], Counter: n, Ciphertext: ciphertext})
	if err != nil {
		return nil, err
	}
	plain, err := l.keys.OpenReply(n, reply.GetCiphertext())
	if err != nil {
		return nil, err
	}
	a := &Answer{QueryReply: &wire.QueryReply{}, Gateway: l.url}
	if err := wire.Unmarshal(plain, a.QueryReply); err != nil {
		return nil, err
	}
	if a.Failure != nil {
		return a, &Failure{a.Failure}
	}
	return a, s.check(ctx, v, req, a.QueryReply)
}

// check binds an answer to the chain (P5), which is asked once for each batch.
func (s *Session) check(ctx context.Context, v *View, req *wire.QueryRequest, r *wire.QueryReply) error {
	s.mu.Lock()
	k := s.known
	s.mu.Unlock()
	if k != nil && r.Cluster == s.cluster && r.Height >= req.MinHeight && r.Number == k.Number && r.Number >= v.Head.Number && bytes.Equal(r.BatchHash, k.BatchHash) && bytes.Equal(r.Root, k.Root) {
		return nil
	}
	if err := s.c.checkAnswer(ctx, v, req, r); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = &wire.QueryReply{Number: r.Number, BatchHash: r.BatchHash, Root: r.Root}
	return nil
}
