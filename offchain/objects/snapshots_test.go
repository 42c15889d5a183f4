package objects

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func chunk(number uint64, index uint32, last bool) *wire.SealedChunk {
	return &wire.SealedChunk{
		ChainId: "c", Cluster: 1, Epoch: 2, Roster: 3, Number: number, BatchHash: bytes.Repeat([]byte{byte(number)}, 32), Root: make([]byte, 33),
		Index: index, Last: last, Nonce: make([]byte, 12), Ciphertext: bytes.Repeat([]byte{byte(index)}, 500),
	}
}

func put(t *testing.T, s *Store, cs ...*wire.SealedChunk) {
	t.Helper()
	for _, c := range cs {
		if err := s.PutChunk(c); err != nil {
			t.Fatal(err)
		}
	}
}

func newest() *wire.NeedChunk { return &wire.NeedChunk{Cluster: 1, Epoch: 2, Roster: 3} }

func TestTheNewestWholeSnapshotIsFound(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Chunk(newest()); !errors.Is(err, ErrNotFound) {
		t.Errorf("in an empty folder: %v", err)
	}
	put(t, s, chunk(5, 0, false), chunk(5, 2, true)) // a chunk is missing
	if _, err := s.Chunk(newest()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a snapshot with a gap: %v", err)
	}
	put(t, s, chunk(5, 1, false), chunk(9, 0, true), chunk(12, 0, false))
	s = open(t, dir)
	c, err := s.Chunk(newest())
	if err != nil || c.Number != 9 {
		t.Fatalf("%v %v", c, err)
	}
	for i, last := range []bool{false, false, true} {
		c, err := s.Chunk(&wire.NeedChunk{Cluster: 1, Epoch: 2, Roster: 3, Number: 5, BatchHash: bytes.Repeat([]byte{5}, 32), Index: uint32(i)})
		if err != nil || c.Last != last || !bytes.Equal(wire.Marshal(c), wire.Marshal(chunk(5, uint32(i), last))) {
			t.Errorf("chunk %d: %v %v", i, c, err)
		}
	}
	for name, n := range map[string]*wire.NeedChunk{
		"cluster": {Cluster: 2, Epoch: 2, Roster: 3}, "epoch": {Cluster: 1, Epoch: 3, Roster: 3}, "roster": {Cluster: 1, Epoch: 2, Roster: 2},
		"number": {Cluster: 1, Epoch: 2, Roster: 3, Number: 6, BatchHash: bytes.Repeat([]byte{5}, 32)},
		"index":  {Cluster: 1, Epoch: 2, Roster: 3, Number: 9, BatchHash: bytes.Repeat([]byte{9}, 32), Index: 1},
	} {
		if _, err := s.Chunk(n); !errors.Is(err, ErrNotFound) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestOldSnapshotsGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, chunk(1, 0, true), chunk(2, 0, false), chunk(3, 0, true), chunk(4, 0, true), chunk(5, 0, false))
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("%d files are left, want those of batches 3, 4 and 5", n)
	}
}

func TestADamagedChunkIsSeen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, chunk(1, 0, true))
	path := files(t, dir)[0]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"a flipped bit": append(bytes.Clone(data[:99]), append([]byte{data[99] ^ 1}, data[100:]...)...), "cut": data[:20], "empty": nil} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Chunk(newest()); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.PutChunk(&wire.SealedChunk{Cluster: 1, BatchHash: make([]byte, 32)}); err == nil {
		t.Error("a chunk without ciphertext was stored")
	}
}
