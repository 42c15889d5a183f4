// Package howto types what the how-tos on attestation and the measured image tell operators to type, as far as it needs no hardware and no
// network: services of makers are played by recorded answers.
package howto

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/test/readme"
)

// bin is the folder of the programs: PHALA_BIN, or one where they are built first.
var bin string

func TestMain(m *testing.M) {
	code, err := withPrograms(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPrograms(f func() int) (int, error) {
	if bin = os.Getenv("PHALA_BIN"); bin != "" {
		return f(), nil
	}
	var err error
	if bin, err = os.MkdirTemp("", "phala-howto-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", bin + string(filepath.Separator)}
	for _, p := range []string{"phala", "offchaind", "pruntime"} {
		args = append(args, "github.com/phala-go/phala/cmd/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the programs: %w: %s", err, out)
	}
	return f(), nil
}

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "howto", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lines are the commands of a document's shell blocks, those that go on in the next line in one.
func lines(t *testing.T, doc string) (out []string) {
	t.Helper()
	for _, b := range readme.Blocks(doc) {
		if b.Language == "sh" || b.Language == "bash" {
			text := strings.ReplaceAll(strings.Join(b.Lines, "\n"), "\\\n", " ")
			out = append(out, strings.Split(text, "\n")...)
		}
	}
	return out
}

// Every command of ours that the how-tos name exists in the programs, with every flag that it is given.
func TestCommandsExist(t *testing.T) {
	flags := regexp.MustCompile(`(?:^| )--([a-z-]+)`)
	for name, least := range map[string]int{"attestation.md": 3, "image.md": 3} {
		seen := 0
		for _, line := range lines(t, document(t, name)) {
			words := strings.Fields(line)
			if len(words) == 0 || !slices.Contains([]string{"phala", "offchaind", "pruntime"}, filepath.Base(words[0])) {
				continue
			}
			seen++
			words[0] = filepath.Base(words[0])
			help := helpOf(t, words)
			for _, f := range flags.FindAllStringSubmatch(line, -1) {
				if !regexp.MustCompile(`(?m)(^|\s)--?` + f[1] + `\b`).MatchString(help) {
					t.Errorf("%s: %s: %s knows no --%s", name, line, words[0], f[1])
				}
			}
		}
		if seen < least {
			t.Errorf("%s: only %d commands were found", name, seen)
		}
	}
}

// helpOf is what the program says of the command that the words begin with. A command below which others stand is none.
func helpOf(t *testing.T, words []string) string {
	t.Helper()
	for end := len(words); end > 0; end-- {
		if slices.ContainsFunc(words[:end], func(w string) bool { return strings.HasPrefix(w, "-") }) {
			continue
		}
		b, _ := exec.Command(filepath.Join(bin, words[0]), append(slices.Clone(words[1:end]), "--help")...).CombinedOutput() // pruntime's exit code is 2
		help := string(b)
		if strings.Contains(help, strings.Join(words[:end], " ")) || end == 1 {
			if strings.Contains(help, "Available Commands") {
				t.Errorf("%v: there is no such command", words)
			}
			return help
		}
	}
	return ""
}

// operator is a folder where an operator types, in which curl is one that has these answers, by what the address ends with.
type operator struct {
	t   *testing.T
	dir string
}

func newOperator(t *testing.T, answers map[string][]byte) *operator {
	t.Helper()
	for _, p := range []string{"bash", "jq", "xxd"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed: the how-to cannot be typed", p)
		}
	}
	o := &operator{t, t.TempDir()}
	served, i := "", 0
	for end, b := range answers {
		i++
		o.write(fmt.Sprintf(".answer%d", i), b)
		served += fmt.Sprintf("  *%q) from=.answer%d ;;\n", end, i)
	}
	o.write(".bin/curl", []byte(`#!/bin/bash
head= out= address=
while [ $# -gt 0 ]; do
  case "$1" in -D) head=$2; shift ;; -o) out=$2; shift ;; -*) ;; *:*//*) address=$1 ;; esac
  shift
done
case "$address" in
`+served+`  *) echo "nobody serves $address" >&2; exit 22 ;;
esac
printf '%s\n' "$address" >>.asked
# An answer is its head, an empty line and the body.
n=$(grep -n -m1 -a $'^\r$' "$from" | cut -d: -f1)
[ -z "$head" ] || head -n "$n" "$from" >"$head"
tail -n "+$((n + 1))" "$from" >"$out"
`))
	if err := os.Chmod(filepath.Join(o.dir, ".bin/curl"), 0o700); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *operator) write(name string, b []byte) {
	o.t.Helper()
	path := filepath.Join(o.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// types runs lines as a shell does, and gives what they print and the exit code.
func (o *operator) types(script string) (string, int) {
	o.t.Helper()
	cmd := exec.CommandContext(context.Background(), "bash", "-c", script)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(o.dir, ".bin")+":"+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		o.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// answer is a service's: headers and body.
func answer(body []byte, headers ...string) []byte {
	head := "HTTP/1.1 200 OK\r\n"
	for _, h := range headers {
		head += h + "\r\n"
	}
	return append([]byte(head+"\r\n"), body...)
}

// script is the block of a document that has a word.
func script(t *testing.T, doc, word string) string {
	t.Helper()
	for _, b := range readme.Blocks(doc) {
		if text := strings.Join(b.Lines, "\n"); b.Language == "bash" && strings.Contains(text, word) {
			return text
		}
	}
	t.Fatalf("no block has %q", word)
	return ""
}
