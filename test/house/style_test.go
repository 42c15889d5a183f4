package house

import (
	"fmt"
	"go/ast"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every package says what it is for, and what it must never do.
func TestPackagesHaveComments(t *testing.T) {
	documented := map[string]bool{}
	names := map[string]string{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		names[f.dir] = f.ast.Name.Name
		if !f.generated && f.ast.Doc != nil {
			documented[f.dir] = true
		}
	}
	for dir, name := range names {
		if !documented[dir] && !strings.Contains(dir, "testdata") {
			t.Errorf("package %s in %s has no comment", name, dir)
		}
	}
}

// Nothing registers itself. Generated code does, and a contract has no other way to be found.
func TestNothingRegistersItself(t *testing.T) {
	for _, f := range files(t) {
		if f.generated || strings.HasSuffix(f.dir, "/contract") || strings.Contains(f.dir, "/contract/") || strings.Contains(f.dir, "testdata") {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", f.path)
			}
		}
	}
}

// In core there is no I/O, no clock, no goroutine and no log: whatever a rule decides on is an argument.
func TestCoreIsPure(t *testing.T) {
	// crypto/rand is allowed: who seals draws. log/slog only for LogValue.
	forbidden := []string{"net", "os", "io/fs", "io/ioutil", "log", "syscall", "math/rand", "embed", "plugin", "testing", "unsafe"}
	// The gateway's protocol is spoken over HTTP by both ends; the package holds its form, and neither dials nor listens.
	exempt := map[string][]string{"core/gatewayrpc": {"net/http"}}
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, f := range files(t) {
		if f.test || f.generated || !under(f.dir, "core") {
			continue
		}
		for _, imp := range f.imports() {
			for _, bad := range forbidden {
				if under(imp, bad) && imp != "log/slog" && !slices.Contains(exempt[f.dir], imp) {
					t.Errorf("%s imports %s", f.path, imp)
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a goroutine in %s", f.path, f.fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s: time.%s", f.path, n.Sel.Name)
				}
			}
			return true
		})
	}
}

// panic and os.Exit belong to main; a library returns errors. Allowed: what cannot happen, in core, said in the call itself.
func TestNobodyLeavesButMain(t *testing.T) {
	for _, f := range files(t) {
		if f.test || f.generated || f.ast.Name.Name == "main" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && (x.Name == "os" && s.Sel.Name == "Exit" || x.Name == "log" && strings.HasPrefix(s.Sel.Name, "Fatal")) {
				t.Errorf("%s: %s.%s away from main", f.path, x.Name, s.Sel.Name)
			}
			return true
		})
	}
}

// Errors are wrapped with a gerund, never with what everyone sees: that it failed.
func TestErrorsSayWhatWasBeingDone(t *testing.T) {
	bad := regexp.MustCompile(`^"(failed to|unable to|could not|error|cannot) `)
	for _, f := range files(t) {
		if f.test || f.generated {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok || len(c.Args) == 0 {
				return true
			}
			s, ok := c.Fun.(*ast.SelectorExpr)
			if !ok || s.Sel.Name != "Errorf" {
				return true
			}
			if lit, ok := c.Args[0].(*ast.BasicLit); ok && bad.MatchString(lit.Value) {
				t.Errorf("%s: %s", f.path, lit.Value)
			}
			return true
		})
	}
}

// text are the files that people read.
var text = []string{".go", ".md", ".proto", ".sh", ".yml", ".yaml", ".mod", ".work", ".csv", ".json", ".ts", ".txt", ".txtar", ""}

// What is committed names no machine and leaves nothing to do.
func TestCommittedText(t *testing.T) {
	later := regexp.MustCompile(`\b(` + "TO" + `DO|` + "FIX" + `ME|` + "XX" + `X)\b`)
	place := regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(` + "ro" + `ot|` + "wo" + `rk|` + "ho" + `me/[a-z]+|` + "Us" + `ers/[a-z]+)/`)
	walk(t, func(rel string) {
		ext := filepath.Ext(rel)
		if !slices.Contains(text, ext) || strings.HasSuffix(rel, ".pb.go") || strings.HasSuffix(rel, ".pb.gw.go") || strings.Contains(rel, "/testdata/fuzz/") {
			return
		}
		body := read(t, rel)
		if strings.ContainsRune(body, 0) {
			return
		}
		for i, line := range strings.Split(body, "\n") {
			for _, re := range []*regexp.Regexp{later, place} {
				if m := re.FindString(line); m != "" {
					t.Errorf("%s:%d: %q", rel, i+1, strings.TrimSpace(m))
				}
			}
		}
	})
}

// What README and docs tell people to type exists.
func TestDocumentedTargetsExist(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	mention := regexp.MustCompile("`(?:[A-Z]+=\\S+ )*make ([a-z][a-z-]*)[^`]*`|(?m)^ *(?:[A-Z]+=\\S+ )*make ([a-z][a-z-]*)")
	var seen int
	walk(t, func(rel string) {
		if !strings.HasSuffix(rel, ".md") {
			return
		}
		for _, m := range mention.FindAllStringSubmatch(read(t, rel), -1) {
			seen++
			if name := m[1] + m[2]; !targets[name] {
				t.Errorf("%s tells people to run make %s, which does not exist", rel, name)
			}
		}
	})
	if seen == 0 {
		t.Error("no document tells people what to run")
	}
}

// Links between our documents lead somewhere.
func TestDocumentedLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	code := regexp.MustCompile("(?ms)^```.*?^```")
	there := map[string]bool{}
	walk(t, func(rel string) {
		for p := rel; p != "."; p = filepath.ToSlash(filepath.Dir(p)) {
			there[p] = true
		}
	})
	walk(t, func(rel string) {
		if !strings.HasSuffix(rel, ".md") {
			return
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(read(t, rel), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if to := filepath.ToSlash(filepath.Join(filepath.Dir(rel), m[1])); !there[strings.TrimSuffix(to, "/")] {
				t.Error(fmt.Sprintf("%s links to %s, which does not exist", rel, to))
			}
		}
	})
}
