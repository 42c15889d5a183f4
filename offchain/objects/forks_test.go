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
	full := errors.New("no space left")
	s.write = func(string, []byte) error { return full }
	if _, err := s.PutFork(e); !errors.Is(err, full) {
		t.Errorf("on a full disk: %v", err)
	}
}
