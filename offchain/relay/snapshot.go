package relay

import (
	"bytes"
	"context"
	"errors"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/objects"
)

// keepChunk stores a chunk of a snapshot. One that finds no room is lost with its snapshot: the log before it is still here, and
// other members have theirs.
func (s *session) keepChunk(c *wire.SealedChunk) {
	if err := s.cfg.Records.PutChunk(c); err != nil {
		s.log.Error("a chunk of a snapshot is not stored. Make room on the disk", "cluster", c.Cluster, "number", c.Number, "index", c.Index, "error", err)
		return
	}
	s.log.Debug("stored a chunk of a snapshot", "cluster", c.Cluster, "epoch", c.Epoch, "roster", c.Roster, "number", c.Number, "index", c.Index, "last", c.Last)
}

// chunk looks for a chunk here and at the other members; an empty ciphertext says that nobody has it.
func (s *session) chunk(need *wire.NeedChunk) {
	c, err := s.cfg.Records.Chunk(need)
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		s.log.Warn("reading a chunk of a snapshot", "error", err)
	}
	if c == nil || need.Number == 0 { // another member's snapshot may be newer
		if other := s.peers.chunk(s.ctx, s.cfg.Worker, need); other != nil && (c == nil || other.Number > c.Number) {
			c = other
			s.goTask(func() { s.keepChunk(other) })
		}
	}
	if c == nil {
		s.log.Info("nobody has a chunk of a snapshot", "cluster", need.Cluster, "epoch", need.Epoch, "roster", need.Roster, "number", need.Number, "index", need.Index)
		c = &wire.SealedChunk{
			ChainId: s.identity.ChainId, Cluster: need.Cluster, Epoch: need.Epoch, Roster: need.Roster, Number: need.Number, BatchHash: need.BatchHash, Index: need.Index,
		}
	}
	s.post(&wire.In{Body: &wire.In_Chunk{Chunk: c}})
}

// chunk asks the other members of the cluster for a chunk, all of them where the newest is wanted; nil: none of them gave it. Whether
// it is the right one its key decides, in the enclave.
func (p *peers) chunk(ctx context.Context, self *wire.WorkerRef, need *wire.NeedChunk) (best *wire.SealedChunk) {
	var resp cluster.QueryClusterResponse
	if err := p.chain.Query(ctx, "/phala.cluster.v1.Query/Cluster", &cluster.QueryClusterRequest{Id: need.Cluster}, &resp); err != nil {
		return nil
	}
	for _, m := range resp.GetCluster().GetMembers() {
		if m.Is(self) {
			continue
		}
		c := p.chunkOf(ctx, m, need)
		if c != nil && (best == nil || c.Number > best.Number) {
			best = c
		}
		if best != nil && need.Number != 0 {
			break
		}
	}
	return best
}

func (p *peers) chunkOf(ctx context.Context, m *wire.WorkerRef, need *wire.NeedChunk) *wire.SealedChunk {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	from, err := p.of(ctx, m, false)
	if err != nil {
		return nil
	}
	resp, err := from.Chunk(ctx, &wire.ChunkRequest{Chunk: need})
	c := resp.GetChunk()
	switch {
	case err != nil || c == nil || len(c.Ciphertext) == 0:
		return nil
	case c.Cluster != need.Cluster || c.Epoch != need.Epoch || c.Roster != need.Roster || c.Index != need.Index:
		return nil
	case need.Number != 0 && (c.Number != need.Number || !bytes.Equal(c.BatchHash, need.BatchHash)):
		return nil
	}
	return c
}
