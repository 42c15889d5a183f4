package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is the path of the root module; the modules inside it (sdk/contract, examples/…) are named after their folders.
const module = "github.com/phala-go/phala"

const root = "../.."

// skipped folders hold nothing of ours, or nothing that is committed.
var skipped = []string{".git", "bin", "dist", "node_modules", "third_party"}

// goFile is one parsed file.
type goFile struct {
	path      string // from the root, with slashes
	dir       string
	test      bool
	generated bool
	ast       *ast.File
	fset      *token.FileSet
}

func (f goFile) pos(n ast.Node) string { return f.path + f.fset.Position(n.Pos()).String() }

// imports lists import paths.
func (f goFile) imports() []string {
	var out []string
	for _, s := range f.ast.Imports {
		out = append(out, strings.Trim(s.Path.Value, `"`))
	}
	return out
}

// walk gives every file of the repository by its path from the root.
func walk(t *testing.T, visit func(rel string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skipped, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var parsed struct {
	once  sync.Once
	files []goFile
	errs  []error
}

// files parses every Go file of the repository, once.
func files(t *testing.T) []goFile {
	t.Helper()
	parsed.once.Do(func() {
		fset := token.NewFileSet()
		walk(t, func(rel string) {
			if !strings.HasSuffix(rel, ".go") {
				return
			}
			a, err := parser.ParseFile(fset, filepath.Join(root, rel), nil, parser.ParseComments)
			if err != nil {
				parsed.errs = append(parsed.errs, err)
				return
			}
			parsed.files = append(parsed.files, goFile{
				path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), generated: ast.IsGenerated(a), ast: a, fset: fset,
			})
		})
	})
	for _, err := range parsed.errs {
		t.Error(err)
	}
	if len(parsed.files) < 20 {
		t.Fatalf("only %d Go files found: not the repository", len(parsed.files))
	}
	return parsed.files
}

// under says whether p is dir or inside it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func read(t *testing.T, rel string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, rel))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
