// Package objects keeps sealed records in a folder, by content: a blob's name is its SHA-256, and an index leads from a batch to
// the blob. Whatever it gives out it has hashed again. It must never be able to open what it keeps.
package objects

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/phala-go/phala/core/wire"
)

// ErrNotFound: no such record is here, or what was here is damaged.
var ErrNotFound = errors.New("no such record")

// Store is one folder. Its methods may be called at the same time.
type Store struct {
	dir   string
	write func(path string, data []byte) error

	mu sync.Mutex // one writer: a record is two files
}

// Open makes the folder if it is not there.
func Open(dir string) (*Store, error) {
	for _, d := range []string{"blobs", "index"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("opening the object store: %w", err)
		}
	}
	return &Store{dir: dir, write: writeFile}, nil
}

// Put keeps a record and returns its content id. On an error nothing of it can be found.
func (s *Store) Put(r *wire.SealedRecord) (string, error) {
	if len(r.GetBatchHash()) != sha256.Size {
		return "", fmt.Errorf("storing record %d of cluster %d: its batch hash has %d bytes", r.GetNumber(), r.GetCluster(), len(r.GetBatchHash()))
	}
	data := wire.Marshal(r)
	sum := sha256.Sum256(data)
	id := hex.EncodeToString(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(s.blob(id), data); err != nil {
		return "", fmt.Errorf("storing record %d of cluster %d: %w", r.Number, r.Cluster, err)
	}
	if err := s.write(s.index(r.Cluster, r.Number, r.BatchHash), []byte(id)); err != nil {
		return "", fmt.Errorf("storing record %d of cluster %d: %w", r.Number, r.Cluster, err)
	}
	return id, nil
}

// Record finds a batch's record.
func (s *Store) Record(cluster, number uint64, batchHash []byte) (*wire.SealedRecord, error) {
	fail := func(err error) (*wire.SealedRecord, error) {
		return nil, fmt.Errorf("reading record %d of cluster %d: %w", number, cluster, err)
	}
	id, err := os.ReadFile(s.index(cluster, number, batchHash))
	if errors.Is(err, fs.ErrNotExist) {
		return fail(ErrNotFound)
	}
	if err != nil {
		return fail(err)
	}
	data, err := s.get(string(id))
	if err != nil {
		return fail(err)
	}
	r := new(wire.SealedRecord)
	if err := wire.Unmarshal(data, r); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrNotFound, err))
	}
	if r.Cluster != cluster || r.Number != number || !bytes.Equal(r.BatchHash, batchHash) {
		return fail(fmt.Errorf("%w: the index leads to another", ErrNotFound))
	}
	return r, nil
}

// get reads a blob and refuses one that does not have the hash it is named by.
func (s *Store) get(id string) ([]byte, error) {
	if want, err := hex.DecodeString(id); err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%w: %.80q is no content id", ErrNotFound, id)
	}
	data, err := os.ReadFile(s.blob(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != id {
		return nil, fmt.Errorf("%w: blob %s is damaged", ErrNotFound, id)
	}
	return data, nil
}

func (s *Store) blob(id string) string { return filepath.Join(s.dir, "blobs", id[:2], id) }

func (s *Store) index(cluster, number uint64, batchHash []byte) string {
	return filepath.Join(s.dir, "index", strconv.FormatUint(cluster, 10), fmt.Sprintf("%d-%x", number, batchHash))
}

// writeFile puts data at path whole or not at all, and on the disk before it returns.
func writeFile(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
