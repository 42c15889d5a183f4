package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/test/readme"
)

// TestHowtoGatekeepers: every command of the how-to exists in the programs, with every flag that it is given. What the commands do is
// tried by the tests of reference/gatekeeper.md, which types the same ones.
func TestHowtoGatekeepers(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "howto", "gatekeepers.md"))
	if err != nil {
		t.Fatal(err)
	}
	flags, seen := regexp.MustCompile(`--([a-z-]+)`), 0
	for _, b := range readme.Blocks(string(doc)) {
		if b.Language != "sh" {
			continue
		}
		commands, err := b.Commands()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			words := strings.Fields(c.Line)
			end := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
			if end < 0 {
				end = len(words)
			}
			for end > 1 && strings.ContainsAny(words[end-1], ".0123456789") || end > 1 && words[end-1] == "yes" { // arguments
				end--
			}
			seen++
			help, _ := exec.Command(filepath.Join(bin, words[0]), append(slices.Clone(words[1:end]), "--help")...).CombinedOutput() // pruntime's exit code is 2
			if len(words[1:end]) > 0 && !strings.Contains(string(help), strings.Join(words[:end], " ")) {
				t.Errorf("%s: there is no such command: %s", c.Line, help)
			}
			for _, f := range flags.FindAllStringSubmatch(c.Line, -1) {
				if !regexp.MustCompile(`(?m)(^|\s)--?` + f[1] + `\b`).Match(help) {
					t.Errorf("%s: %s knows no --%s", c.Line, words[0], f[1])
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d commands were found", seen)
	}
}
