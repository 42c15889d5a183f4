package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/devnet"
)

// Liar is an executor whose program signs wrong state roots, approved by the genesis on purpose, and a listener on the way to
// the other executors: what it proposes leaves its enclave only towards them.
type Liar struct {
	Index int // among the executors

	held      atomic.Uint64 // cluster in which only the liar's proposals come through; 0: none
	mu        sync.Mutex
	proposals []*wire.Proposal
	servers   []*http.Server
}

// honest is how many executors form cluster 1.
const honest = 3

// StartNetwork starts the network of the story: three executors, and a fourth that lies if bin holds pruntime-liar.
func StartNetwork(ctx context.Context, home, bin string) (*devnet.Network, *Liar, error) {
	cfg := devnet.Config{Home: home, Bin: bin, Executors: honest}
	program := filepath.Join(bin, "pruntime-liar")
	var l *Liar
	if _, err := os.Stat(program); err == nil {
		l = &Liar{Index: honest}
		cfg.Executors, cfg.Members = honest+1, honest
		cfg.Pruntimes = map[int]string{l.Index: program}
	}
	n, err := devnet.StartFree(ctx, cfg, func(cfg *devnet.Config, p devnet.Ports) (err error) {
		if l != nil {
			l.Close()
			cfg.Endpoints, err = l.listen(p.Executors[:honest])
		}
		return err
	})
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return n, l, nil
}

// Close stops listening.
func (l *Liar) Close() {
	if l != nil {
		for _, s := range l.servers {
			_ = s.Close()
		}
	}
}

// listen stands before the gateways at ports and forwards everything to them.
func (l *Liar) listen(ports []int) (endpoints []string, err error) {
	for _, port := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			l.Close()
			return nil, err
		}
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
		s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/Deliver") {
				body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
				if err != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				if !l.hear(body) {
					w.WriteHeader(http.StatusBadGateway)
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			proxy.ServeHTTP(w, r)
		})}
		l.servers = append(l.servers, s)
		go func() { _ = s.Serve(ln) }()
		endpoints = append(endpoints, "http://"+ln.Addr().String())
	}
	return endpoints, nil
}

// hear keeps a proposal, and says whether it comes through.
func (l *Liar) hear(body []byte) bool {
	var r wire.DeliverRequest
	if r.Unmarshal(body) != nil || r.Message.GetProposal() == nil {
		return true
	}
	p := r.Message.GetProposal()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proposals = append(l.proposals, p)
	return p.Signature.GetMember() == liarMember || p.Batch.GetCluster() != l.held.Load()
}

// liarMember is the liar's place in its cluster.
const liarMember = 0

// lie is the liar's newest proposal in a cluster.
func (l *Liar) lie(cluster uint64) *wire.Proposal {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.proposals) - 1; i >= 0; i-- {
		if p := l.proposals[i]; p.Batch.GetCluster() == cluster && p.Signature.GetMember() == liarMember {
			return p
		}
	}
	return nil
}

// lied makes a cluster of the liar and the two executors that live, and gives it a first input. The liar's host holds back what
// the others propose until its own enclave has had its turn: a host may starve, and so the lie always comes first.
func (s *story) lied(ctx context.Context) error {
	members := []*wire.WorkerRef{s.Network.Executor(s.Liar.Index)}
	for i := range honest {
		if i != s.gone {
			members = append(members, s.Network.Executor(i))
		}
	}
	id, _, err := s.seller.CreateCluster(ctx, members, 2, true)
	if err != nil {
		return err
	}
	if _, err := s.seller.WaitCluster(ctx, id); err != nil {
		return err
	}
	s.Liar.held.Store(id)
	defer s.Liar.held.Store(0)
	first := s.Network.Cluster
	s.Network.Cluster = id
	defer func() { s.Network.Cluster = first }()
	s.fact("", "cluster %d has a liar among its three members; this genesis approved its program on purpose", id)
	// The liar's host offers each lie to the chain at once, with the one signature that it has.
	type caught struct {
		lie     *wire.Proposal
		refused *node.TxError
	}
	got := make(chan caught, 1)
	var said atomic.Pointer[error] // of the last lie that was not refused for its signatures
	watch, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	go func() {
		defer s.Liar.held.Store(0)
		var last *wire.Proposal
		for sleep(watch, 20*time.Millisecond) {
			lie := s.Liar.lie(id)
			if lie == nil || lie == last {
				continue
			}
			last = lie
			_, err := s.stranger.OfferBatch(watch, &wire.SignedBatch{Batch: lie.Batch, Signatures: []*wire.BatchSignature{lie.Signature}})
			var refused *node.TxError
			if errors.As(err, &refused) && strings.Contains(refused.Log, "no-quorum") {
				got <- caught{lie, refused}
				return
			}
			said.Store(&err)
		}
	}()
	if _, err := s.deploy(ctx, "a third painting", "third auction"); err != nil {
		return err
	}
	select {
	case c := <-got:
		return s.exposed(ctx, c.lie, c.refused)
	case <-watch.Done():
	}
	if err := said.Load(); err != nil {
		return fmt.Errorf("no lie was refused for its signatures, but: %w", *err)
	}
	return errors.New("the liar has not led the batch that was its turn")
}

// exposed compares the lie with what became final in its place.
func (s *story) exposed(ctx context.Context, lie *wire.Proposal, refused *node.TxError) error {
	b := lie.Batch
	s.fact(refused.Log, "the liar led batch %d and signed a state that nothing leads to; block %d refused it", b.Number, refused.Height)
	truth, err := s.stranger.Batch(ctx, b.Cluster, b.Number)
	if err != nil {
		return err
	}
	if truth == nil || bytes.Equal(truth.Signed.Batch.NewRoot, b.NewRoot) || !bytes.Equal(truth.Signed.Batch.PrevRoot, b.PrevRoot) {
		return fmt.Errorf("what the liar proposed as batch %d is no lie", b.Number)
	}
	for _, sig := range truth.Signed.Signatures {
		if sig.Member == lie.Signature.Member {
			return errors.New("the liar has signed the truth")
		}
	}
	s.fact(fmt.Sprintf("lie %x, truth %x", b.NewRoot, truth.Signed.Batch.NewRoot), "nobody joined the liar, and the other two made batch %d final in block %d", b.Number, truth.Height)
	return nil
}

// sleep says whether there is still time.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
