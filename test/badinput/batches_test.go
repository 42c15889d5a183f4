package badinput

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	clustertypes "github.com/phala-go/phala/chain/x/cluster/types"
	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// follower is a batch that would follow a cluster's head, if there were input and signatures.
func (w *world) follower(cluster uint64) *wire.Batch {
	w.t.Helper()
	v, err := w.alice.Cluster(w.ctx, cluster)
	check(w.t, err)
	b := &wire.Batch{
		ChainId: w.net.ChainID, Cluster: cluster, Number: v.Head.Number + 1, PrevBatchHash: v.Head.BatchHash, PrevRoot: v.Head.Root,
		Epoch: v.Cluster.Epoch, Roster: v.Cluster.Roster, InboxFirst: v.Head.InboxNext, InboxCount: 1,
		DirectInputsRoot: settle.EmptyRoot(), OutputsRoot: settle.EmptyRoot(), EffectsRoot: settle.EmptyRoot(), NewRoot: settle.EmptyRoot(), DataRoot: settle.EmptyRoot(),
	}
	w.at(b, v, v.Height-1)
	return b
}

// at makes b execute at a height of the chain.
func (w *world) at(b *wire.Batch, v *client.View, height uint64) {
	w.t.Helper()
	lb, err := w.alice.Node.LightBlock(w.ctx, height)
	check(w.t, err)
	b.ChainHeight, b.ChainHash, b.View = height, lb.Hash(), settle.View(v.Head, height)
}

// batches: by hand, to a cluster that stands still, each in one transaction with the input that it takes, so that all of it is refused.
func (w *world) batches() {
	const quiet = 3
	v, err := w.alice.Cluster(w.ctx, quiet)
	check(w.t, err)
	// Until a batch may be too old without being older than the head.
	const maxAge = 100
	w.waitHeight(v.Head.ChainHeight + maxAge + 10)
	none := func(*wire.SignedBatch) {}
	signature := func(member uint32) []*wire.BatchSignature {
		return []*wire.BatchSignature{{Member: member, Signature: make([]byte, 64)}}
	}
	for _, row := range []struct {
		name   string
		change func(*wire.SignedBatch)
		code   uint32
		words  string
	}{
		{"no signatures", none, 13, "no-quorum: 0 signatures count, the quorum is 1"},
		{"a forged signature", func(s *wire.SignedBatch) { s.Signatures = signature(0) }, 13, "bad-signature"},
		{"a member that is not", func(s *wire.SignedBatch) { s.Signatures = signature(7) }, 13, "malformed: signature of member 7"},
		{"a member twice", func(s *wire.SignedBatch) { s.Signatures = append(signature(7), signature(0)...) }, 13, "malformed"},
		{"a stale head", func(s *wire.SignedBatch) { s.Batch.Number-- }, 13, "stale-head"},
		{"another head", func(s *wire.SignedBatch) { s.Batch.PrevBatchHash = make([]byte, 31) }, 13, "stale-head"},
		{"a skipped item", func(s *wire.SignedBatch) { s.Batch.InboxFirst++ }, 13, "inbox-skipped"},
		{"items that are not there", func(s *wire.SignedBatch) { s.Batch.InboxCount = 1 << 31 }, 13, "inbox-beyond"},
		{"no item", func(s *wire.SignedBatch) { s.Batch.InboxCount = 0 }, 13, "empty"},
		{"a height too old", func(s *wire.SignedBatch) { w.at(s.Batch, v, v.Head.ChainHeight+1) }, 13, "height-too-old"},
		{"a height before the head's", func(s *wire.SignedBatch) { s.Batch.ChainHeight = v.Head.ChainHeight - 1 }, 13, "height-backwards"},
		{"a height to come", func(s *wire.SignedBatch) { s.Batch.ChainHeight += 1 << 20 }, 13, "height-unknown"},
		{"another block", func(s *wire.SignedBatch) { s.Batch.ChainHash = make([]byte, 32) }, 13, "wrong-block"},
		{"another view", func(s *wire.SignedBatch) { s.Batch.View++ }, 13, "wrong-view"},
		{"another epoch", func(s *wire.SignedBatch) { s.Batch.Epoch = 2 }, 13, "wrong-epoch"},
		{"another chain", func(s *wire.SignedBatch) { s.Batch.ChainId = "other-1" }, 13, "wrong-chain"},
		{"a cluster that is not", func(s *wire.SignedBatch) { s.Batch.Cluster = 99 }, 5, "cluster 99"},
		{"direct inputs", func(s *wire.SignedBatch) { s.Batch.DirectInputsRoot = append([]byte{1}, make([]byte, 32)...) }, 13, "direct-inputs"},
		{"half a root", func(s *wire.SignedBatch) { s.Batch.NewRoot = []byte{1} }, 13, "malformed"},
		{"no batch", func(s *wire.SignedBatch) { s.Batch = nil }, 5, "cluster 0"},
	} {
		w.row(row.name, func(w *world) {
			s := &wire.SignedBatch{Batch: w.follower(quiet)}
			row.change(s)
			w.refused(w.commit(quiet, s), row.code, row.words)
		})
	}
	w.row("a batch that was taken already", func(w *world) {
		b, err := w.alice.Batch(w.ctx, 1, 1)
		check(w.t, err)
		_, err = w.bob.account.Send(w.ctx, &clustertypes.MsgCommitBatch{Sender: w.bob.Address(), Batch: b.Signed})
		w.refused(err, 13, "stale-head")
	})
	w.row("nothing at all", func(w *world) {
		_, err := w.bob.account.Send(w.ctx, &clustertypes.MsgCommitBatch{Sender: w.bob.Address()})
		w.refused(err, 5, "cluster 0")
	})
	after, err := w.alice.Cluster(w.ctx, quiet)
	check(w.t, err)
	if after.Inbox.Next != v.Inbox.Next || after.Head.Number != v.Head.Number {
		w.t.Errorf("the cluster has changed: %v, %v", after.Inbox, after.Head)
	}

	w.row("a superseded worker's signature", func(w *world) {
		old, err := w.alice.Worker(w.ctx, w.side.ref)
		check(w.t, err)
		before := w.follower(quiet)
		kill(w.side.pruntime)
		w.side.startEnclave(w.t)
		now := w.waitRegistered(old.IdentityKey)
		if before.ChainHeight > now.RegisteredHeight {
			w.t.Fatalf("the batch is of height %d, the new boot of %d", before.ChainHeight, now.RegisteredHeight)
		}
		w.refused(w.commit(quiet, &wire.SignedBatch{Batch: before, Signatures: signature(0)}), 13, "superseded")
		w.waitServing()
		w.good(2, w.echo2)
		w.deploy(w.alice, quiet, enclavetest.Echo(), emptyOK, wire.QUERY_POLICY_SELF)
	})
}

// commit sends an input to a cluster and a batch, all or nothing.
func (w *world) commit(cluster uint64, s *wire.SignedBatch) error {
	w.t.Helper()
	env := &wire.Envelope{Suite: seal.Suite, Enc: make([]byte, seal.EncSize), Ciphertext: make([]byte, 272)}
	_, err := w.bob.account.Send(w.ctx,
		&clustertypes.MsgSubmitInput{Sender: w.bob.Address(), Cluster: cluster, Epoch: 1, Roster: 1, Sealed: env},
		&clustertypes.MsgCommitBatch{Sender: w.bob.Address(), Batch: s})
	return err
}

func (w *world) waitHeight(h uint64) {
	w.t.Helper()
	_, err := w.alice.Chain.WaitHeight(w.ctx, h)
	check(w.t, err)
}

// leaks looks for the plaintext in everything that this test's programs have written.
func (w *world) leaks() {
	found := 0
	look := func(dir string) {
		check(w.t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			found++
			if bytes.Contains(b, []byte(hush)) {
				w.t.Errorf("plaintext stands in %s", path)
			}
			return nil
		}))
	}
	look(w.net.Home)
	look(w.side.logs)
	look(w.side.dir)
	if found < 20 {
		w.t.Errorf("only %d files were looked at", found)
	}
	for _, p := range []*os.Process{w.side.pruntime.Process, w.side.offchaind.Process} {
		if err := p.Signal(syscall.Signal(0)); err != nil {
			w.t.Errorf("a program has ended: %v", err)
		}
	}
}
