// Package relay carries between the chain, an enclave and the other members: headers and proofs in, transactions, messages and sealed
// records out. The enclave says what it needs; nothing the relay does is believed by either end. It must never hold a key
// but its operator's.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
	"golang.org/x/sync/errgroup"

	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/collateral"
	"github.com/phala-go/phala/offchain/enclave"
	"github.com/phala-go/phala/offchain/metrics"
	"github.com/phala-go/phala/offchain/objects"
)

// Chain is what the relay reads; *node.Client is one.
type Chain interface {
	WaitReady(ctx context.Context) (node.Status, error)
	NewHeights(ctx context.Context) <-chan uint64
	LightBlock(ctx context.Context, height uint64) (*types.LightBlock, error)
	Value(ctx context.Context, headerHeight uint64, key *wire.StoreKey) (*wire.StoreValue, error)
	Query(ctx context.Context, method string, req, resp proto.Message) error
	WaitTx(ctx context.Context, hash string) (node.TxResult, error)
}

// Sender sends the operator's transactions; *node.Account is one.
type Sender interface {
	Address() string
	Post(ctx context.Context, msgs ...proto.Message) (string, error)
	Send(ctx context.Context, msgs ...proto.Message) (node.TxResult, error)
}

// Watcher is told what users of the gateway wait for.
type Watcher interface {
	Identity(*wire.Identity)
	Serving(clusters []uint64)
	Ready(*wire.ResultReady)
}

// Config of a Relay; every field but Collateral, HTTP, Log and Metrics is required.
type Config struct {
	Chain    Chain
	Sender   Sender
	Socket   string // of the enclave
	Link     *enclave.Link
	Worker   *wire.WorkerRef
	Endpoint string // URL of this offchaind, for the worker's record
	Records  *objects.Store
	Watcher  Watcher
	// Collateral is what the TEE's maker says of this machine; empty: the evidence has what it needs.
	Collateral collateral.Source
	// Pin refuses an enclave of another chain than the home's; its error ends the relay.
	Pin  func(chainID string, genesisHash []byte) error
	HTTP *http.Client
	Log  *slog.Logger
	// Metrics is told how the worker does; nil: nobody watches.
	Metrics *metrics.Set
}

// Relay serves one enclave.
type Relay struct {
	cfg   Config
	log   *slog.Logger
	peers *peers
	code  codeCache
}

// New makes a relay; Run starts it.
func New(cfg Config) (*Relay, error) {
	if cfg.Chain == nil || cfg.Sender == nil || cfg.Socket == "" || cfg.Link == nil || cfg.Worker == nil || cfg.Endpoint == "" ||
		cfg.Records == nil || cfg.Watcher == nil || cfg.Pin == nil {
		return nil, errors.New("making a relay: a field of its configuration is missing")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultClient
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Relay{cfg: cfg, log: cfg.Log, peers: newPeers(cfg.Chain, cfg.HTTP)}, nil
}

// errFatal ends Run: connecting again would not help.
var errFatal = errors.New("cannot serve this enclave")

// Run connects to the enclave, again and again, until ctx ends or the enclave is one that can never be served.
func (r *Relay) Run(ctx context.Context) error {
	status, err := r.waitNode(ctx)
	if err != nil {
		return err
	}
	waiting := false
	for ctx.Err() == nil {
		conn, err := enclave.Dial(ctx, r.cfg.Socket)
		if err != nil {
			if !waiting {
				r.log.Info("waiting for the enclave", "socket", r.cfg.Socket)
			}
			waiting = true
			pause(ctx, 100*time.Millisecond)
			continue
		}
		waiting = false
		err = r.session(ctx, conn, status.ChainID)
		conn.Close()
		if errors.Is(err, errFatal) {
			return err
		}
		if ctx.Err() == nil {
			r.log.Warn("the connection to the enclave has ended", "error", err)
			pause(ctx, 100*time.Millisecond)
		}
	}
	return ctx.Err()
}

func (r *Relay) waitNode(ctx context.Context) (node.Status, error) {
	quick, cancel := context.WithTimeout(ctx, time.Second)
	s, err := r.cfg.Chain.WaitReady(quick)
	cancel()
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	r.log.Info("waiting for the node", "error", err)
	return r.cfg.Chain.WaitReady(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// session is one connection to an enclave.
type session struct {
	*Relay
	conn     *enclave.Conn
	group    *errgroup.Group
	ctx      context.Context // of the session: tasks that the reader starts end with it
	identity *wire.Identity
	flight   inFlight

	unstored atomic.Int64  // records that are being stored or wait for room
	named    chan struct{} // closed once the enclave knows its worker's name

	mu     sync.Mutex
	tip    uint64
	tipped chan struct{} // closed at the next tip
}

// session returns when the connection or ctx has ended.
func (r *Relay) session(ctx context.Context, conn *enclave.Conn, chainID string) error {
	g, ctx := errgroup.WithContext(ctx)
	s := &session{Relay: r, conn: conn, group: g, ctx: ctx, named: make(chan struct{}), tipped: make(chan struct{})}
	g.Go(func() error { return conn.Run(ctx, s.handle) })
	g.Go(func() error {
		if err := s.greet(chainID); err != nil {
			return err
		}
		r.cfg.Link.Set(conn)
		g.Go(s.register)
		g.Go(s.watch)
		if r.cfg.Metrics != nil {
			g.Go(s.observe)
		}
		return s.follow()
	})
	err := g.Wait()
	s.up(0)
	r.cfg.Link.Set(nil)
	r.cfg.Watcher.Serving(nil)
	return err
}

// callTimeout is how long an enclave may take over one message: it may execute a whole batch.
const callTimeout = 2 * time.Minute

func (s *session) call(in *wire.In) (*wire.Out, error) {
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout)
	defer cancel()
	return s.conn.Call(ctx, in)
}

func (s *session) greet(chainID string) error {
	out, err := s.call(&wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}})
	if err != nil {
		return fmt.Errorf("greeting the enclave: %w", err)
	}
	id := out.GetIdentity()
	if id == nil {
		return errors.New("greeting the enclave: it did not say who it is")
	}
	if id.ChainId != chainID {
		return fmt.Errorf("%w: it is of chain %q, the node of %q. Start pruntime with the genesis of the node's chain", errFatal, id.ChainId, chainID)
	}
	if err := s.cfg.Pin(id.ChainId, id.GenesisHash); err != nil {
		return fmt.Errorf("%w: %w", errFatal, err)
	}
	s.identity = id
	s.cfg.Watcher.Identity(id)
	s.up(1)
	s.log.Info("connected to the enclave", "role", id.Role.String(), "tee", id.Kind.String(), "measurement", fmt.Sprintf("%x", id.Measurement), "verified", id.VerifiedHeight)
	return nil
}

// goTask runs what the reader must not wait for.
func (s *session) goTask(f func()) {
	s.group.Go(func() error { f(); return nil })
}

// reached tells of a header that the enclave has.
func (s *session) reached(height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tip = height
	close(s.tipped)
	s.tipped = make(chan struct{})
}

// waitTip returns the enclave's newest height once it is above the given one; 0 when the session ends.
func (s *session) waitTip(above uint64) uint64 {
	for {
		s.mu.Lock()
		tip, next := s.tip, s.tipped
		s.mu.Unlock()
		if tip > above {
			return tip
		}
		select {
		case <-next:
		case <-s.ctx.Done():
			return 0
		}
	}
}
