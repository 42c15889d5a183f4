package attest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every refusal that stands in the source has a name, says which field is wrong, what stood there and what was expected, and tells the
// operator what to do.
func TestP15_EveryRefusalAdvises(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !refuses(call) {
				return true
			}
			seen++
			at := set.Position(call.Pos())
			if code, ok := literal(call.Args[0]); ok && !kebab.MatchString(code) {
				t.Errorf("%s: code %q", at, code)
			}
			for i, what := range map[int]string{1: "of which field", 2: "what stood there", 3: "what was expected", 4: "what to do"} {
				if s, ok := literal(call.Args[i]); ok && s == "" {
					t.Errorf("%s: it does not say %s: an empty text", at, what)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 150 {
		t.Errorf("only %d refusals were found", seen)
	}
}

// refuses is whether a call makes a reason: code, field, value, expectation, advice.
func refuses(call *ast.CallExpr) bool {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	return len(call.Args) == 5 && (name == "Refuse" || name == "refuse" || name == "add")
}

// literal is the text of a string that stands in the source.
func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}
