package relay

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	worker "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/gatewayrpc"
	"github.com/phala-go/phala/core/wire"
)

// peerTimeout bounds one call to another offchaind.
const peerTimeout = 5 * time.Second

// peers knows where the other workers' offchainds are.
type peers struct {
	chain Chain
	http  *http.Client

	mu    sync.Mutex
	known map[string]peer // by worker's name
}

type peer struct {
	endpoint string
	gatewayrpc.Peer
}

func newPeers(c Chain, h *http.Client) *peers {
	return &peers{chain: c, http: h, known: make(map[string]peer)}
}

// of finds a worker's offchaind; fresh asks the chain anew.
func (p *peers) of(ctx context.Context, w *wire.WorkerRef, fresh bool) (peer, error) {
	p.mu.Lock()
	got, ok := p.known[w.Name()]
	p.mu.Unlock()
	if ok && !fresh {
		return got, nil
	}
	var resp worker.QueryWorkerResponse
	req := &worker.QueryWorkerRequest{Operator: w.GetOperator(), Slot: w.GetSlot()}
	if err := p.chain.Query(ctx, "/phala.worker.v1.Query/Worker", req, &resp); err != nil {
		return peer{}, fmt.Errorf("looking for worker %s: %w", w.Name(), err)
	}
	endpoint := resp.GetWorker().GetEndpoint()
	if endpoint == "" {
		return peer{}, fmt.Errorf("looking for worker %s: it has no endpoint", w.Name())
	}
	if endpoint != got.endpoint {
		got = peer{endpoint, gatewayrpc.NewClient(p.http, endpoint)}
	}
	p.mu.Lock()
	p.known[w.Name()] = got
	p.mu.Unlock()
	return got, nil
}

// deliver brings a message to its worker; if that fails, once more where the chain now says it is.
func (p *peers) deliver(ctx context.Context, m *wire.PeerMessage) error {
	var failed error
	for _, fresh := range []bool{false, true} {
		if failed = p.deliverOnce(ctx, m, fresh); failed == nil || ctx.Err() != nil {
			return failed
		}
	}
	return failed
}

func (p *peers) deliverOnce(ctx context.Context, m *wire.PeerMessage, fresh bool) error {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	to, err := p.of(ctx, m.To, fresh)
	if err != nil {
		return err
	}
	_, err = to.Deliver(ctx, &wire.DeliverRequest{Message: m})
	return err
}

// record asks the other members of the cluster for a record; nil: none of them gave it. Whether it is the right one its
// key decides, in the enclave.
func (p *peers) record(ctx context.Context, self *wire.WorkerRef, id, number uint64, batchHash []byte) *wire.SealedRecord {
	var resp cluster.QueryClusterResponse
	if err := p.chain.Query(ctx, "/phala.cluster.v1.Query/Cluster", &cluster.QueryClusterRequest{Id: id}, &resp); err != nil {
		return nil
	}
	for _, m := range resp.GetCluster().GetMembers() {
		if m.Is(self) {
			continue
		}
		if r := p.recordOf(ctx, m, id, number, batchHash); r != nil {
			return r
		}
	}
	return nil
}

func (p *peers) recordOf(ctx context.Context, m *wire.WorkerRef, id, number uint64, batchHash []byte) *wire.SealedRecord {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	from, err := p.of(ctx, m, false)
	if err != nil {
		return nil
	}
	resp, err := from.Record(ctx, &wire.RecordRequest{Cluster: id, Number: number, BatchHash: batchHash})
	r := resp.GetRecord()
	if err != nil || r == nil || r.Cluster != id || r.Number != number || !bytes.Equal(r.BatchHash, batchHash) || len(r.Ciphertext) == 0 {
		return nil
	}
	return r
}
