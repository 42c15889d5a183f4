package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/cmd/phala/internal/scaffold"
)

func TestBuildSaysWhatIsWrongWithTheProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds contracts")
	}
	parent := t.TempDir()
	if _, err := scaffold.Write(parent, "note"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "note")
	file, err := buildContract(t.Context(), dir)
	if err != nil || file != filepath.Join(dir, "note.wasm") {
		t.Fatalf("got %s, %v", file, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "more.go"), []byte("package main\n\nvar x int = \"one\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = buildContract(t.Context(), dir)
	var a *advised
	if err == nil || !strings.Contains(err.Error(), "more.go:3") || !errors.As(err, &a) {
		t.Errorf("got %v", err)
	}
}
