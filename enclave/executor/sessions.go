package executor

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/phala-go/phala/core/permit"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/session"
	"github.com/phala-go/phala/core/wire"
)

// Sizes in bytes, of what sessions hold of the enclave's memory.
const (
	maxSessions = 8 << 20 // for each cluster
	sessionSize = 3 << 10 // of one without its permit: two keys as the cipher expands them, and the window
)

// sessions are those that clients have opened with this member (docs/spec/session.md). Safe for concurrent use.
type sessions struct {
	clock atomic.Uint64 // counts requests, so that the quietest session is known

	mu   sync.RWMutex
	open map[uint64]*clusterSessions
}

type clusterSessions struct {
	byID map[session.ID]*opened
	size int
}

// opened is one session.
type opened struct {
	id      session.ID
	under   label
	expires uint64
	keys    *session.Keys
	right   *permit.Right // nil: the asker is unknown
	size    int
	used    atomic.Uint64 // by the sessions' clock

	mu     sync.Mutex
	window session.Window
}

func newSessions() *sessions { return &sessions{open: map[uint64]*clusterSessions{}} }

func (s *sessions) get(cluster uint64, id session.ID) *opened {
	s.mu.RLock()
	defer s.mu.RUnlock()
	of := s.open[cluster]
	if of == nil {
		return nil
	}
	o := of.byID[id]
	if o != nil {
		o.used.Store(s.clock.Add(1))
	}
	return o
}

// put takes a session in; where there is no room the quietest go. An opening that is shown again replaces its session: the counters
// begin anew, and under other keys.
func (s *sessions) put(cluster uint64, o *opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.open[cluster]
	if of == nil {
		of = &clusterSessions{byID: map[session.ID]*opened{}}
		s.open[cluster] = of
	}
	of.drop(of.byID[o.id])
	for of.size+o.size > maxSessions {
		of.drop(of.quietest())
	}
	o.used.Store(s.clock.Add(1))
	of.byID[o.id] = o
	of.size += o.size
}

func (of *clusterSessions) quietest() (least *opened) {
	for _, o := range of.byID {
		if least == nil || o.used.Load() < least.used.Load() {
			least = o
		}
	}
	return least
}

func (of *clusterSessions) drop(o *opened) {
	if o != nil {
		delete(of.byID, o.id)
		of.size -= o.size
	}
}

// sweep ends what has expired, and whose keys are not held or not taken any more.
func (s *sessions) sweep(views map[uint64]*view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, of := range s.open {
		v := views[id]
		for _, o := range of.byID {
			if v == nil || v.height >= o.expires || !v.holds(o.under) {
				of.drop(o)
			}
		}
		if len(of.byID) == 0 {
			delete(s.open, id)
		}
	}
}

// OpenSession takes a client's session in, or says in it why not.
func (x *Executor) OpenSession(so *wire.SessionOpen) *wire.Out {
	c := x.clusters[so.Cluster]
	if c == nil {
		return stranger(so.Cluster)
	}
	v := x.lookAt(c)
	if no := v.ready(); no != nil {
		return no
	}
	if err := seal.Check(so.Envelope); err != nil {
		return failure("malformed", "seal the opening with a client of this version", "%v", err)
	}
	o, secret, under, err := x.opening(c, v, so.Envelope)
	if secret.SessionSecret == nil {
		return doesNotOpen(err)
	}
	salt := make([]byte, session.SaltSize)
	rand.Read(salt)
	keys, kerr := secret.Keys(session.Query, salt)
	if kerr != nil {
		return failure("internal", "ask another member", "the session's keys could not be made")
	}
	accepted := &wire.SessionAccepted{Cluster: c.id, Height: v.height}
	s := &opened{id: session.IDOf(so.Envelope), under: under, expires: o.GetExpires(), keys: keys, size: sessionSize + o.GetPermit().Size()}
	if err == nil {
		s.right, err = x.sessionRight(v, o)
	}
	var told *userError
	var p *permit.Error
	switch {
	case err == nil:
		x.sessions.put(c.id, s)
	case errors.As(err, &told):
		accepted.Failure = told.Failure
	case errors.As(err, &p):
		accepted.Failure = p.Failure()
	default:
		accepted.Failure = &wire.Failure{Code: "malformed", Message: err.Error(), Next: "use a client of this version"}
	}
	ciphertext, err := keys.SealReply(0, wire.Marshal(accepted))
	if err != nil {
		return failure("internal", "ask another member", "the session's answer could not be sealed")
	}
	return &wire.Out{Body: &wire.Out_SessionOpened{SessionOpened: &wire.SessionOpened{Salt: salt, Ciphertext: ciphertext}}}
}

// opening opens the envelope of a session. A secret comes even with an error if that is to be told in the session.
func (x *Executor) opening(c *cluster, v *view, e *wire.Envelope) (o *wire.SessionOpening, s session.Secret, under label, err error) {
	for _, under = range v.labels {
		at := seal.Context{ChainID: x.cfg.ChainID, Cluster: c.id, Epoch: under.epoch, Roster: under.roster}
		if o, s, err = session.Open(c.keys[under].Input, at, e); s.SessionSecret != nil {
			return o, s, under, err
		}
	}
	return nil, session.Secret{}, label{}, err
}

// sessionRight judges what does not change while a session lasts.
func (x *Executor) sessionRight(v *view, o *wire.SessionOpening) (*permit.Right, error) {
	if o.Expires <= v.height || o.Expires-v.height > session.MaxLife {
		return nil, fail("session-life", "let it end sooner, or later", "a session that ends at height %d: this worker has seen %d, and a session lasts at most %d blocks", o.Expires, v.height, session.MaxLife)
	}
	if o.Permit == nil {
		return nil, nil
	}
	return permit.Judge(o.Permit, x.cfg.ChainID, v.cluster)
}

// Ask answers a request of a session by what was published last. Any goroutine may call it, whatever the executor does meanwhile.
func (x *Executor) Ask(ctx context.Context, r *wire.SessionCall) *wire.Out {
	if err := session.Check(r); err != nil {
		return failure("malformed", "use a client of this version", "%v", err)
	}
	v := x.seen(r.Cluster)
	if no := v.ready(); no != nil {
		return no
	}
	s := x.sessions.get(r.Cluster, session.ID(r.Session))
	if s == nil || v.height >= s.expires || !v.holds(s.under) {
		return failure("unknown-session", "open a new session", "this worker has no session %x of cluster %d", r.Session, r.Cluster)
	}
	plain, no := s.open(r)
	if no != nil {
		return no
	}
	answer := x.answer(ctx, v, func() (*wire.QueryRequest, *permit.Right, error) {
		q, err := session.Request(plain)
		if err != nil {
			return nil, nil, fail("malformed", "use a client of this version", "%v", err)
		}
		return q, s.right, nil
	})
	ciphertext, err := s.keys.SealReply(r.Counter, wire.Marshal(answer))
	if err != nil {
		return failure("too-large", "ask for less at once", "%v", err)
	}
	return &wire.Out{Body: &wire.Out_SessionReply{SessionReply: &wire.SessionReply{Ciphertext: ciphertext}}}
}

// open opens a request, once: what does not open uses up no counter, and of two that are the same one is refused.
func (s *opened) open(r *wire.SessionCall) ([]byte, *wire.Out) {
	replayed := func(err error) *wire.Out {
		return failure("replayed", "send each request once, with the next counter", "%v", err)
	}
	s.mu.Lock()
	err := s.window.Fresh(r.Counter)
	s.mu.Unlock()
	if err != nil {
		return nil, replayed(err)
	}
	plain, err := s.keys.OpenRequest(r.Counter, r.Ciphertext)
	if err != nil {
		return nil, failure("does-not-open", "open a new session", "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.window.Use(r.Counter); err != nil {
		return nil, replayed(err)
	}
	return plain, nil
}
