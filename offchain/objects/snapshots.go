package objects

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/phala-go/phala/core/wire"
)

// keepSnapshots is how many whole snapshots of a cluster stay: one more than the newest, for who is reading it.
const keepSnapshots = 2

// PutChunk keeps a chunk of a snapshot. With the chunk that makes it whole, older snapshots of the cluster go.
func (s *Store) PutChunk(c *wire.SealedChunk) error {
	if len(c.GetBatchHash()) != sha256.Size || len(c.Ciphertext) == 0 {
		return fmt.Errorf("storing a chunk of cluster %d: batch hash of %d bytes, ciphertext of %d", c.GetCluster(), len(c.GetBatchHash()), len(c.GetCiphertext()))
	}
	data := wire.Marshal(c)
	sum := sha256.Sum256(data)
	name := strconv.FormatUint(uint64(c.Index), 10)
	if c.Last {
		name += ".last"
	}
	dir := s.snapshot(c.Cluster, c.Epoch, c.Roster, c.Number, c.BatchHash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(filepath.Join(dir, name), append(sum[:], data...)); err != nil {
		return fmt.Errorf("storing chunk %d of cluster %d: %w", c.Index, c.Cluster, err)
	}
	if !whole(dir) {
		return nil
	}
	return s.prune(c.Cluster)
}

// Chunk finds a chunk; one of batch 0 is the first of the newest whole snapshot.
func (s *Store) Chunk(n *wire.NeedChunk) (*wire.SealedChunk, error) {
	dir := s.snapshot(n.Cluster, n.Epoch, n.Roster, n.Number, n.BatchHash)
	if n.Number == 0 {
		dir = ""
		for _, d := range s.list(n.Cluster) {
			if filepath.Dir(d.dir) == filepath.Dir(s.snapshot(n.Cluster, n.Epoch, n.Roster, 0, nil)) && whole(d.dir) {
				dir = d.dir
				break
			}
		}
	}
	fail := func(err error) (*wire.SealedChunk, error) {
		return nil, fmt.Errorf("reading chunk %d of cluster %d: %w", n.Index, n.Cluster, err)
	}
	if dir == "" {
		return fail(ErrNotFound)
	}
	path := filepath.Join(dir, strconv.FormatUint(uint64(n.Index), 10))
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(path + ".last")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fail(ErrNotFound)
	}
	if err != nil {
		return fail(err)
	}
	if sum := sha256.Sum256(data[min(sha256.Size, len(data)):]); len(data) < sha256.Size || !bytes.Equal(sum[:], data[:sha256.Size]) {
		return fail(fmt.Errorf("%w: it is damaged", ErrNotFound))
	}
	c := new(wire.SealedChunk)
	if err := wire.Unmarshal(data[sha256.Size:], c); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrNotFound, err))
	}
	if c.Cluster != n.Cluster || c.Epoch != n.Epoch || c.Roster != n.Roster || c.Index != n.Index || n.Number != 0 && c.Number != n.Number {
		return fail(fmt.Errorf("%w: another lies in its place", ErrNotFound))
	}
	return c, nil
}

func (s *Store) snapshots(cluster uint64) string {
	return filepath.Join(s.dir, "snapshots", strconv.FormatUint(cluster, 10))
}

func (s *Store) snapshot(cluster, epoch, roster, number uint64, batchHash []byte) string {
	return filepath.Join(s.snapshots(cluster), fmt.Sprintf("%d-%d", epoch, roster), fmt.Sprintf("%d-%x", number, batchHash))
}

type snapshotDir struct {
	dir    string
	number uint64
}

// list gives the snapshots of a cluster, whole or not, the newest first.
func (s *Store) list(cluster uint64) (out []snapshotDir) {
	dirs, _ := filepath.Glob(filepath.Join(s.snapshots(cluster), "*", "*-*")) // the pattern is well formed
	for _, d := range dirs {
		number, _, _ := strings.Cut(filepath.Base(d), "-")
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			out = append(out, snapshotDir{d, n})
		}
	}
	slices.SortFunc(out, func(a, b snapshotDir) int {
		if a.number != b.number {
			if a.number > b.number {
				return -1
			}
			return 1
		}
		return strings.Compare(b.dir, a.dir)
	})
	return out
}

// whole says whether no chunk of a snapshot is missing.
func whole(dir string) bool {
	last, _ := filepath.Glob(filepath.Join(dir, "*.last"))
	if len(last) != 1 {
		return false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(last[0]), ".last"), 10, 32)
	if err != nil {
		return false
	}
	for i := range n {
		if _, err := os.Stat(filepath.Join(dir, strconv.FormatUint(i, 10))); err != nil {
			return false
		}
	}
	return true
}

// prune removes the snapshots that newer whole ones have made useless.
func (s *Store) prune(cluster uint64) error {
	found := 0
	for _, d := range s.list(cluster) {
		if found >= keepSnapshots {
			if err := os.RemoveAll(d.dir); err != nil {
				return fmt.Errorf("removing an old snapshot: %w", err)
			}
		} else if whole(d.dir) {
			found++
		}
	}
	return nil
}
