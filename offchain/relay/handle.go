package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cosmos/gogoproto/proto"
	"golang.org/x/sync/errgroup"

	cluster "github.com/phala-go/phala/chain/x/cluster/types"
	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/client/node"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/metrics"
	"github.com/phala-go/phala/offchain/objects"
)

// handle takes what the enclave says by itself. It runs in the connection's reader, so that whatever takes time is a task.
func (s *session) handle(out *wire.Out) {
	s.count(out)
	switch b := out.Body.(type) {
	case *wire.Out_NeedValues:
		s.goTask(func() { s.values(b.NeedValues) })
	case *wire.Out_NeedCode:
		s.goTask(func() { s.codeBytes(b.NeedCode.Id) })
	case *wire.Out_NeedRecord:
		s.goTask(func() { s.record(b.NeedRecord) })
	case *wire.Out_Peer:
		s.goTask(func() { s.deliver(b.Peer) })
	case *wire.Out_Batch:
		s.goTask(func() { s.commit(b.Batch) })
	case *wire.Out_Effects:
		s.goTask(func() { s.reveal(b.Effects) })
	case *wire.Out_KeyRequest:
		s.goTask(func() {
			s.submit("key request", &gatekeeper.MsgRequestKey{Sender: s.cfg.Sender.Address(), Request: b.KeyRequest})
		})
	case *wire.Out_Announcement:
		s.goTask(func() {
			s.submit("announcement", &gatekeeper.MsgAnnounceEpoch{Sender: s.cfg.Sender.Address(), Announcement: b.Announcement})
		})
	case *wire.Out_EscrowDeal:
		s.goTask(func() {
			s.submit("escrow of a state key", &cluster.MsgEscrowStateKey{Sender: s.cfg.Sender.Address(), Deal: b.EscrowDeal})
		})
	case *wire.Out_EscrowRequest:
		s.goTask(func() {
			s.submit("request to custodians", &cluster.MsgRequestEscrow{Sender: s.cfg.Sender.Address(), Request: b.EscrowRequest})
		})
	case *wire.Out_Record:
		s.goTask(func() { s.keep(b.Record) })
	case *wire.Out_NeedChunk:
		s.goTask(func() { s.chunk(b.NeedChunk) })
	case *wire.Out_Chunk:
		s.goTask(func() { s.keepChunk(b.Chunk) })
	case *wire.Out_ResultReady:
		s.cfg.Watcher.Ready(b.ResultReady)
	case *wire.Out_Verified:
		s.log.Debug("the enclave has verified a header", "height", b.Verified.Height)
	case *wire.Out_Fork:
		s.forked(b.Fork)
	case *wire.Out_Failure:
		level := slog.LevelWarn
		if b.Failure.Code == "ignored" {
			level = slog.LevelDebug
		}
		s.log.Log(s.ctx, level, "the enclave refused something", "code", b.Failure.Code, "reason", b.Failure.Message, "next", b.Failure.Next)
	default:
		if s.generation(out) {
			return
		}
		s.log.Debug("the enclave said something that nobody waits for", "kind", fmt.Sprintf("%T", out.Body))
	}
}

// forked keeps the proof and calls for people.
func (s *session) forked(f *wire.ForkEvidence) {
	path, err := s.cfg.Records.PutFork(f)
	if err != nil {
		s.log.Error("the proof of a fork is not stored: it stands in the enclave's memory alone, leave it running", "error", err)
	}
	s.log.Error("the enclave has proof that the chain's validators signed two headers of one height, and serves nothing any more: find out which chain is the true one before anything else",
		"height", f.Height, "first", fmt.Sprintf("%x", f.Hash), "proof", path)
}

func (s *session) post(in *wire.In) {
	if err := s.conn.Post(in); err != nil && s.ctx.Err() == nil {
		s.log.Warn("the enclave does not take a message", "error", err)
	}
}

const (
	provers    = 16      // proofs asked for at the same time
	valuesSize = 8 << 20 // bytes of values in one message
)

// values proves what the enclave asks for. A value that the node does not give is left out: the enclave asks again at its next header.
func (s *session) values(need *wire.NeedValues) {
	began := time.Now()
	got := make([]*wire.StoreValue, len(need.Keys))
	var g errgroup.Group
	g.SetLimit(provers)
	for i, k := range need.Keys {
		g.Go(func() error {
			v, err := s.cfg.Chain.Value(s.ctx, need.Height, k)
			if err != nil && s.ctx.Err() == nil {
				v, err = s.cfg.Chain.Value(s.ctx, need.Height, k)
			}
			if err != nil {
				return err
			}
			got[i] = v
			return nil
		})
	}
	if err := g.Wait(); err != nil && s.ctx.Err() == nil {
		s.log.Warn("the node does not prove a value", "height", need.Height, "error", err)
	}
	msg, size := &wire.StoreValues{Height: need.Height}, 0
	for _, v := range got {
		if v == nil {
			continue
		}
		n := v.Size()
		if size+n > valuesSize && size > 0 {
			s.post(&wire.In{Body: &wire.In_StoreValues{StoreValues: msg}})
			msg, size = &wire.StoreValues{Height: need.Height}, 0
		}
		msg.Values, size = append(msg.Values, v), size+n
	}
	if len(msg.Values) > 0 {
		s.post(&wire.In{Body: &wire.In_StoreValues{StoreValues: msg}})
	}
	s.log.Debug("proved values", "height", need.Height, "keys", len(need.Keys), "took", time.Since(began))
}

func (s *session) codeBytes(id []byte) {
	packed, err := s.code.get(s.ctx, s.cfg.Chain, id)
	if err != nil {
		s.log.Warn("the chain does not give code", "id", fmt.Sprintf("%x", id), "error", err)
		return
	}
	s.post(&wire.In{Body: &wire.In_Code{Code: &wire.CodeBytes{Id: id, Packed: packed}}})
}

const (
	unstored = 256         // records that may wait for room on the disk
	roomWait = time.Second // before storing is tried again
)

// keep stores a record. A full disk stops nothing else: the record waits for room, as long as not too many do.
func (s *session) keep(r *wire.SealedRecord) {
	defer s.unstored.Add(-1)
	waits := s.unstored.Add(1) <= unstored
	for try := 0; s.ctx.Err() == nil; try++ {
		id, err := s.cfg.Records.Put(r)
		if err == nil {
			s.log.Debug("stored a sealed record", "cluster", r.Cluster, "number", r.Number, "id", id)
			return
		}
		if try == 0 {
			s.log.Error("a sealed record is not stored: other members still have it. Make room on the disk", "cluster", r.Cluster, "number", r.Number, "tried again", waits, "error", err)
		}
		if !waits {
			return
		}
		pause(s.ctx, roomWait)
	}
}

// record looks for a record here and at the other members; an empty ciphertext says that nobody has it.
func (s *session) record(need *wire.NeedRecord) {
	hash := need.BatchHash
	if len(hash) == 0 {
		var resp cluster.QueryBatchResponse
		err := s.cfg.Chain.Query(s.ctx, "/phala.cluster.v1.Query/Batch", &cluster.QueryBatchRequest{Cluster: need.Cluster, Number: need.Number}, &resp)
		if err != nil {
			s.log.Warn("looking for a record: the chain does not give its batch", "cluster", need.Cluster, "number", need.Number, "error", err)
		} else if b := resp.GetBatch().GetSigned().GetBatch(); b != nil {
			hash = settle.BatchHash(b)
		}
	}
	r, err := s.cfg.Records.Record(need.Cluster, need.Number, hash)
	if err != nil {
		if !errors.Is(err, objects.ErrNotFound) {
			s.log.Warn("reading a record", "error", err)
		}
		if r = s.peers.record(s.ctx, s.cfg.Worker, need.Cluster, need.Number, hash); r != nil {
			s.goTask(func() { s.keep(r) })
		}
	}
	if r == nil {
		s.log.Info("nobody has a record", "cluster", need.Cluster, "number", need.Number)
		r = &wire.SealedRecord{ChainId: s.identity.ChainId, Cluster: need.Cluster, Number: need.Number, BatchHash: hash}
	}
	s.post(&wire.In{Body: &wire.In_Record{Record: r}})
}

func (s *session) deliver(m *wire.PeerMessage) {
	if m.To.Is(s.cfg.Worker) {
		s.post(&wire.In{Body: &wire.In_Peer{Peer: m}})
		return
	}
	err := s.peers.deliver(s.ctx, m)
	s.cfg.Metrics.Add(metrics.PeerMessages, 1, result(err))
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("a message does not reach its worker", "to", m.To.Name(), "kind", fmt.Sprintf("%T", m.Body), "error", err)
	}
}

func (s *session) commit(b *wire.SignedBatch) {
	s.submit("batch", &cluster.MsgCommitBatch{Sender: s.cfg.Sender.Address(), Batch: b})
}

// openingsInOne bounds the effects of one transaction.
const openingsInOne = 128

func (s *session) reveal(e *wire.Effects) {
	for rest := e.Openings; len(rest) > 0; {
		n := min(len(rest), openingsInOne)
		s.submit("effects", &cluster.MsgRevealEffects{Sender: s.cfg.Sender.Address(), Cluster: e.Cluster, Number: e.Number, Openings: rest[:n]})
		rest = rest[n:]
	}
}

const (
	submitTries = 6
	submitWait  = 30 * time.Second // for a word on what became of a transaction
)

// submit sends a message. That the chain refuses it is often only another member having been first.
func (s *session) submit(what string, m proto.Message) {
	if hash := s.send(what, m); hash != "" {
		s.goTask(func() { s.outcome(what, hash) })
	}
}

// send gives the hash of the transaction once the node has taken it; empty: it did not.
func (s *session) send(what string, m proto.Message) string {
	for try := range submitTries {
		hash, err := s.cfg.Sender.Post(s.ctx, m)
		var refused *node.TxError
		switch {
		case err == nil:
			s.counted(what, "sent")
			s.log.Debug("sent", "what", what, "tx", hash)
			return hash
		case errors.As(err, &refused):
			s.counted(what, "refused")
			s.log.Warn("the chain does not take a transaction", "what", what, "error", err)
			return ""
		case s.ctx.Err() != nil:
			return ""
		}
		s.log.Warn("sending a transaction", "what", what, "try", try+1, "error", err)
		pause(s.ctx, 50*time.Millisecond<<try)
	}
	return ""
}

func (s *session) outcome(what, hash string) {
	ctx, cancel := context.WithTimeout(s.ctx, submitWait)
	defer cancel()
	res, err := s.cfg.Chain.WaitTx(ctx, hash)
	var refused *node.TxError
	if err != nil {
		s.counted(what, "failed")
	}
	switch {
	case err == nil:
		s.log.Debug("done", "what", what, "height", res.Height, "gas", res.GasUsed)
	case errors.As(err, &refused) && (what == "batch" || what == "effects" || what == "beacon"):
		s.log.Debug("the chain refused, as it does when another member was first", "what", what, "error", err)
	case s.ctx.Err() == nil:
		s.log.Warn("a transaction came to nothing", "what", what, "error", err)
	}
}
