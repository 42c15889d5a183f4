package executor

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync/atomic"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/lightclient"
)

// Config of an Executor; every field but Tamper is required.
type Config struct {
	ChainID  string
	Identity ed25519.PrivateKey
	Worker   func() *wire.WorkerRef // nil until the enclave has been told its name
	Light    *lightclient.Client
	Engine   *engine.Engine
	// Tamper changes a batch after its execution. Only the liar of the tests sets it.
	Tamper func(*wire.Batch)
}

// Executor is not safe for concurrent use, but for Ask; every method gives what the enclave has to say in consequence.
type Executor struct {
	cfg      Config
	engine   *engine.Engine
	codes    *codes
	sessions *sessions
	views    atomic.Pointer[map[uint64]*view]
	clusters map[uint64]*cluster
	outs     []*wire.Out
	quiet    uint64 // up to this height nothing is signed: what was signed there is forgotten
}

// New makes an executor that serves nothing yet.
func New(cfg Config) *Executor {
	return &Executor{cfg: cfg, engine: cfg.Engine, codes: newCodes(), sessions: newSessions(), clusters: map[uint64]*cluster{}}
}

// maxClusters bounds what a hostile host can make the enclave keep.
const maxClusters = 64

// Serve begins to look at a cluster; whether this worker is a member the chain says. If a secret is named, it is asked for before the
// membership is proven: the chain records no request but a member's, and no part is used before the gatekeepers are proven.
func (x *Executor) Serve(ctx context.Context, s *wire.Serve) []*wire.Out {
	id := s.Cluster
	c := x.clusters[id]
	if c == nil {
		if len(x.clusters) == maxClusters {
			return []*wire.Out{failure("too-many-clusters", "serve them with another worker", "this worker looks at %d clusters already", maxClusters)}
		}
		c = newCluster(id)
		x.clusters[id] = c
	}
	if err := x.askEarly(c, label{s.Epoch, s.Roster}); err != nil {
		x.complain(err)
	}
	x.look(c)
	return x.drain()
}

// Header looks at all clusters at the newest verified header.
func (x *Executor) Header(context.Context) []*wire.Out {
	for _, id := range x.ids() {
		x.look(x.clusters[id])
	}
	return x.drain()
}

// Values takes proven facts.
func (x *Executor) Values(ctx context.Context, f lightclient.Facts) []*wire.Out {
	for _, id := range x.ids() {
		c := x.clusters[id]
		for _, q := range []*inquiry{&c.dealing.now, &c.dealing.past, &c.rescue.now} {
			q.take(f)
		}
		if err := x.observe(c, f); err != nil {
			x.complain(err)
			continue
		}
		x.advance(ctx, c)
	}
	return x.drain()
}

func (x *Executor) emit(o *wire.Out) { x.outs = append(x.outs, o) }

func (x *Executor) drain() []*wire.Out {
	o := x.outs
	x.outs = nil
	return o
}

func (x *Executor) complain(err error) {
	x.emit(failure("refused", "none: the enclave goes on", "%v", err))
}

func failure(code, next, format string, args ...any) *wire.Out {
	return &wire.Out{Body: &wire.Out_Failure{Failure: &wire.Failure{Code: code, Message: fmt.Sprintf(format, args...), Next: next}}}
}
