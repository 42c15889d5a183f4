package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	open, bad, own := filepath.Join(dir, "open"), filepath.Join(dir, "bad"), filepath.Join(dir, "own")
	key := strings.Repeat("11", 32)
	for path, f := range map[string]struct {
		text string
		mode os.FileMode
	}{open: {key, 0o644}, bad: {"secret", 0o600}, own: {key, 0o600}} {
		if err := os.WriteFile(path, []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	for want, args := range map[string][]string{
		`required flag(s) "enclave", "operator-key" not set`: {},
		"chmod 600":                     {"--enclave", "s", "--operator-key", open},
		"want 64 hexadecimal digits":    {"--enclave", "s", "--operator-key", bad},
		"no such file":                  {"--enclave", "s", "--operator-key", filepath.Join(dir, "none")},
		"opening --collateral":          {"--enclave", "s", "--operator-key", own, "--collateral", filepath.Join(dir, "none")},
		`unknown command "x"`:           {"x"},
		"unknown flag: --operator-key2": {"--operator-key2", key},
	} {
		var out, errs bytes.Buffer
		if status := run(args, &out, &errs); status == 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: status %d, %q, want %q", args, status, errs.String(), want)
		}
		if strings.Contains(errs.String(), "secret") {
			t.Errorf("%v: the key is shown: %s", args, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if status := run([]string{"--help"}, &out, &errs); status != 0 || !strings.Contains(out.String(), "--operator-key") {
		t.Errorf("help: status %d, %s", status, out.String())
	}
}
