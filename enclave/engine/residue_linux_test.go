package engine

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestCompiledCodeIsInMemoryAlone: an engine executes nothing that is mapped
// from a file which anyone could edit, and nothing is written where a cache
// would be.
func TestCompiledCodeIsInMemoryAlone(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"HOME", "TMPDIR", "XDG_CACHE_HOME"} {
		t.Setenv(name, home)
	}
	t.Chdir(home)
	_, before := executable(t) // the program itself, and the loader's libraries where it is linked with any
	e := newEngine(t, Config{})
	c := (&asm{}).must(t, e)
	for range 3 {
		if _, err := run(t, e, c, Execute, memory{}); err != nil {
			t.Fatal(err)
		}
	}
	anonymous, files := executable(t)
	if runtime.GOARCH == "amd64" && anonymous == 0 {
		t.Error("no executable range is without a file: where is the machine code?")
	}
	for _, f := range files {
		if !slices.Contains(before, f) {
			t.Errorf("code is mapped from %s", f)
		}
	}
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s was written", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// executable counts this process's executable ranges that no file is behind,
// and names the files behind the others.
func executable(t *testing.T) (anonymous int, files []string) {
	t.Helper()
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// range, access, offset, device, inode and, if there is one, a path
		v := strings.Fields(lines.Text())
		switch {
		case len(v) < 5 || !strings.Contains(v[1], "x"):
		case len(v) == 5:
			anonymous++
		case v[5][0] == '/':
			files = append(files, v[5])
		}
	}
	return anonymous, files
}
