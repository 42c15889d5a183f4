package objects

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func record(number uint64, fill byte) *wire.SealedRecord {
	return &wire.SealedRecord{ChainId: "c", Cluster: 1, Number: number, BatchHash: bytes.Repeat([]byte{fill}, 32), Nonce: make([]byte, 12), Ciphertext: bytes.Repeat([]byte{fill}, 1000)}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRecordsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	a, b := record(1, 1), record(1, 2) // two candidates for one number
	for _, r := range []*wire.SealedRecord{a, b, a} {
		if _, err := s.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	for _, r := range []*wire.SealedRecord{a, b} {
		got, err := s.Record(1, 1, r.BatchHash)
		if err != nil || !bytes.Equal(wire.Marshal(got), wire.Marshal(r)) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if n := len(files(t, dir)); n != 4 {
		t.Errorf("%d files for two records", n)
	}
}

func TestNotFound(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.Put(record(1, 1)); err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func() (*wire.SealedRecord, error){
		"cluster": func() (*wire.SealedRecord, error) { return s.Record(2, 1, record(1, 1).BatchHash) },
		"number":  func() (*wire.SealedRecord, error) { return s.Record(1, 2, record(1, 1).BatchHash) },
		"hash":    func() (*wire.SealedRecord, error) { return s.Record(1, 1, record(1, 2).BatchHash) },
		"empty":   func() (*wire.SealedRecord, error) { return s.Record(1, 1, nil) },
	} {
		if _, err := get(); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamageIsSeen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := record(1, 1)
	id, err := s.Put(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.blob(id), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record(1, 1, r.BatchHash); !errors.Is(err, ErrNotFound) {
		t.Errorf("damaged: %v", err)
	}
	if _, err := s.Put(r); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record(1, 1, r.BatchHash); err != nil {
		t.Errorf("stored again: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Put(record(1, 1)); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for failAt := 1; failAt <= 2; failAt++ {
		calls = 0
		s.write = func(path string, data []byte) error {
			if calls++; calls == failAt {
				return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
			}
			return writeFile(path, data)
		}
		if _, err := s.Put(record(2, 2)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("write %d: %v", failAt, err)
		}
		if _, err := s.Record(1, 2, record(2, 2).BatchHash); !errors.Is(err, ErrNotFound) {
			t.Errorf("write %d: half a record is found: %v", failAt, err)
		}
	}
	if _, err := s.Record(1, 1, record(1, 1).BatchHash); err != nil {
		t.Errorf("what was stored before: %v", err)
	}
	s.write = writeFile
	if _, err := s.Put(record(2, 2)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, []byte("data")); err == nil {
		t.Error("a folder was replaced")
	}
	if n := len(files(t, dir)); n != 0 {
		t.Errorf("%d files are left", n)
	}
}
