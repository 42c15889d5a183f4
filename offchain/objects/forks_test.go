package objects

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func TestAForkIsKept(t *testing.T) {
	s := open(t, t.TempDir())
	e := &wire.ForkEvidence{Height: 7, Hash: []byte{1, 2}, Conflicting: []byte("another block")}
	path, err := s.PutFork(e)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.PutFork(e); again != path || err != nil {
		t.Errorf("the same proof: %s, %v", again, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got fork
	if err := json.Unmarshal(b, &got); err != nil || got.Height != 7 || got.Hash != "0102" || string(got.Conflicting) != "another block" {
		t.Errorf("%s: %v", b, err)
	}
	// Another proof against the same header names other validators: it is worth keeping too.
	other, err := s.PutFork(&wire.ForkEvidence{Height: 7, Hash: []byte{1, 2}, Conflicting: []byte("a third block")})
	if err != nil || other == path {
		t.Errorf("another proof: %s, %v", other, err)
	}
	full := errors.New("no space left")
	s.write = func(string, []byte) error { return full }
	if _, err := s.PutFork(&wire.ForkEvidence{Height: 8}); !errors.Is(err, full) {
		t.Errorf("on a full disk: %v", err)
	}
}

// Boot after boot may be led into forks; the disk does not fill, and the first proofs stay.
func TestForksAreBounded(t *testing.T) {
	s := open(t, t.TempDir())
	first := ""
	for h := range uint64(maxForks) {
		path, err := s.PutFork(&wire.ForkEvidence{Height: h})
		if err != nil {
			t.Fatal(err)
		}
		if h == 0 {
			first = path
		}
	}
	if path, err := s.PutFork(&wire.ForkEvidence{Height: maxForks}); err == nil {
		t.Errorf("one more is kept at %s", path)
	}
	if path, err := s.PutFork(&wire.ForkEvidence{}); err != nil || path != first {
		t.Errorf("the first again: %s, %v", path, err)
	}
}
