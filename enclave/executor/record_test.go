package executor

import (
	"bytes"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/settle"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/state"
)

func clusterKeys(t testing.TB, seed byte) *keytree.Cluster {
	t.Helper()
	s, err := keytree.NewSecret(bytes.Repeat([]byte{seed}, keytree.Size))
	if err != nil {
		t.Fatal(err)
	}
	k, err := keytree.NewCluster(s, s.Derive("state"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// at is a cluster in an epoch, with the keys of it.
func at(epoch uint64, keys *keytree.Cluster) *cluster {
	c := newCluster(1)
	c.info, c.set = &wire.Cluster{Id: 1, Epoch: epoch, Roster: 1}, &wire.GatekeeperSet{Epoch: epoch}
	c.keys[c.now()] = keys
	return c
}

// P2: a record sealed with the right key, by a member's own enclave, that leads to another root than the chain has.
func TestP02_ARecordOfAnotherRootIsRefused(t *testing.T) {
	x := New(Config{ChainID: "phala-test"})
	keys := clusterKeys(t, 1)
	blind := bytes.Repeat([]byte{3}, 32)
	m := state.New(blind)
	ed := m.Edit()
	ed.Set(blindKey(), blind)
	ed.Set([]byte("k"), []byte("v"))
	batch := func() *wire.Batch {
		return &wire.Batch{
			Cluster: 1, Number: 1, PrevBatchHash: make([]byte, 32), InboxFirst: 1, InboxCount: 1, DirectInputsRoot: settle.EmptyRoot(),
			OutputsRoot: settle.EmptyRoot(), NewRoot: ed.Map().Root(),
		}
	}
	try := func(b *wire.Batch, r *wire.SealedRecord) (bool, *cluster, error) {
		c := at(1, keys)
		c.head = &wire.Head{Number: 1}
		c.records[1] = r
		done, err := x.restore(c, b)
		return done, c, err
	}
	sealed := func(b *wire.Batch, w []*wire.Write) *wire.SealedRecord {
		return x.sealRecord(at(1, keys), &candidate{batch: b, writes: w})
	}
	done, c, err := try(batch(), sealed(batch(), ed.Writes()))
	if err != nil || !done || c.final.number != 1 || !bytes.Equal(c.final.root, ed.Map().Root()) {
		t.Fatalf("the right record: %v %v", done, err)
	}
	for name, w := range map[string][]*wire.Write{
		"nothing":           nil,
		"no blinding key":   ed.Writes()[1:],
		"a write less":      ed.Writes()[:1],
		"a write more":      append(ed.Writes(), &wire.Write{Key: []byte("z"), Value: []byte("z")}),
		"another blinding":  {{Key: blindKey(), Value: bytes.Repeat([]byte{4}, 32)}, {Key: []byte("k"), Value: []byte("v")}},
		"half a blinding":   {{Key: blindKey(), Value: []byte{4}}},
		"deleted afterward": append(ed.Writes(), &wire.Write{Key: []byte("k"), Deleted: true}),
	} {
		done, c, err := try(batch(), sealed(batch(), w))
		if err == nil || done || c.final.number != 0 || c.restoring {
			t.Errorf("%s: %v %v, at batch %d", name, done, err, c.final.number)
		}
	}
	// The record of a batch that lost against this one has another key.
	lost := batch()
	lost.NewRoot = settle.EmptyRoot()
	if done, _, err := try(batch(), sealed(lost, ed.Writes())); err == nil || done || !strings.Contains(err.Error(), "another's") {
		t.Errorf("a losing batch's record: %v %v", done, err)
	}
	other := sealed(batch(), ed.Writes())
	keys = clusterKeys(t, 2)
	if done, _, err := try(batch(), other); err == nil || done {
		t.Errorf("another epoch's record: %v %v", done, err)
	}
}

// P10: what the host stores has the size of its class.
func TestP10_RecordsOfOneClassAreOfOneSize(t *testing.T) {
	x := New(Config{ChainID: "phala-test"})
	c := at(1, clusterKeys(t, 1))
	size := func(w ...*wire.Write) int {
		return len(x.sealRecord(c, &candidate{batch: &wire.Batch{}, writes: w}).Ciphertext)
	}
	a := size(&wire.Write{Key: []byte("k"), Value: []byte("v")})
	if b := size(&wire.Write{Key: []byte("another key"), Value: []byte("another value")}, &wire.Write{Key: []byte("x"), Deleted: true}); a != b {
		t.Errorf("%d and %d bytes", a, b)
	}
}

// Candidates that the chain cannot take any more are forgotten, signatures are not.
func TestOldCandidatesAreForgotten(t *testing.T) {
	x := New(Config{ChainID: "phala-test", Identity: make([]byte, 64)})
	c := newCluster(1)
	for v := range uint64(100) {
		c.height = 10 + v*3
		b := &wire.Batch{View: v, ChainHeight: c.height}
		x.sign(c, &candidate{batch: b, hash: settle.BatchHash(b)})
	}
	if n := len(c.candidates); n > maxProposalAge/3+2 {
		t.Errorf("%d candidates are kept", n)
	}
	if len(c.signed) != 100 {
		t.Errorf("%d views remembered", len(c.signed))
	}
}
