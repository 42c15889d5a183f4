// Package models checks small models of the protocols around keys with spin (https://spinroot.com): what no test of the code can,
// every order of events. A model is checked whole, and again with mistakes that it has to find. It must never stand in for tests
// of the code: a model knows no bytes.
package models

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestModels(t *testing.T) {
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("PHALA_SPIN") == "must" {
				t.Fatalf("%v: Debian's packages spin and gcc are needed", err)
			}
			t.Skipf("the models are not checked: %v (make models needs Debian's packages spin and gcc)", err)
		}
	}
	for _, c := range []struct {
		name, model string
		defines     []string
		violates    string // the beginning of what the assertion says, without brackets; empty: nothing may be violated
	}{
		{"generation, development", "generation.pml", nil, ""},
		{"generation, production", "generation.pml", []string{"-DLEAST=3"}, ""},
		{"generation, complaints are believed and not decided", "generation.pml", []string{"-DBUG_UNDECIDED", "-DBUG_UNHEARD"}, "fault[i]!="},
		{"generation, who is excluded gives up its place", "generation.pml", []string{"-DBUG_MOVED"}, "lacks>0"},
		{"redistribution", "redistribution.pml", nil, ""},
		{"redistribution, the first shares are taken", "redistribution.pml", []string{"-DBUG_FIRST"}, "other["},
		{"redistribution, all shares are sent to all", "redistribution.pml", []string{"-DBUG_ALL"}, "known["},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := check(t, c.model, c.defines)
			t.Log(summary(out))
			if strings.Contains(out, "max search depth too small") || strings.Contains(out, "out of memory") {
				t.Fatalf("not exhaustive:\n%s", out)
			}
			squeezed := strings.NewReplacer(" ", "", "(", "", ")", "").Replace(out)
			switch {
			case c.violates == "" && (!strings.Contains(out, "errors: 0") || strings.Contains(out, "Search not completed")):
				t.Fatalf("violated:\n%s", out)
			case c.violates != "" && (!strings.Contains(out, "assertion violated") || !strings.Contains(squeezed, c.violates)):
				t.Fatalf("the mistake was not found:\n%s", out)
			}
		})
	}
}

// check gives what the verifier of a model prints.
func check(t *testing.T, model string, defines []string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, model), text, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "spin", append(append([]string{}, defines...), "-a", model)...)
	run(t, dir, "gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=2048", "-o", "pan", "pan.c")
	return run(t, dir, "./pan", "-m100000", "-w22")
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("running %s: %v\n%s", name, err, out)
	}
	return string(out)
}

var states = regexp.MustCompile(`(?m)^\s*(\d+ states, stored|.*errors: \d+.*)$`)

func summary(out string) string {
	return strings.Join(strings.Fields(strings.Join(states.FindAllString(out, -1), ", ")), " ")
}
