// Package scaffold writes the first contract of somebody who begins: a program, its test, and the SDK beside it, which must be
// there to build offline until its module is published. It must never overwrite anything.
package scaffold

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/tools/txtar"
)

//go:generate go test -run TestArchiveIsFresh -update .

// sdk is sdk/contract as it is in this repository, without its tests.
//
//go:embed sdk.txtar
var sdk []byte

// template is the contract, with {{name}} where its name belongs.
//
//go:embed template.txtar
var template []byte

// workspace is written where the folder lies inside another workspace, whose go.work the go command would obey.
const workspace = "// This folder lies inside another workspace; with this file it stands alone.\ngo 1.26\n\nuse .\n"

// ErrName: the name is no name for a contract.
var ErrName = errors.New("a contract's name is lower-case letters, digits and hyphens, begins with a letter, has at most 40 characters and is no package of Go's")

var name = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// taken are the names that Go's own packages begin with: a module called like one of them does not build.
const taken = " archive bufio bytes cmd cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak "

// Write makes the folder parent/called with a contract in it, and gives its files. A folder that exists is left alone:
// fs.ErrExist.
func Write(parent, called string) (files []string, err error) {
	if !name.MatchString(called) || strings.Contains(taken, " "+called+" ") {
		return nil, fmt.Errorf("%q: %w", called, ErrName)
	}
	dir := filepath.Join(parent, called)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	put := func(file string, body []byte) error {
		path := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		files = append(files, path)
		return os.WriteFile(path, body, 0o644)
	}
	for _, f := range txtar.Parse(template).Files {
		if err := put(f.Name, []byte(strings.ReplaceAll(string(f.Data), "{{name}}", called))); err != nil {
			return nil, err
		}
	}
	for _, f := range txtar.Parse(sdk).Files {
		if err := put("sdk/"+f.Name, f.Data); err != nil {
			return nil, err
		}
	}
	inside, err := insideWorkspace(parent)
	if err == nil && inside {
		err = put("go.work", []byte(workspace))
	}
	return files, err
}

// insideWorkspace says whether the go command would find a go.work from here.
func insideWorkspace(dir string) (bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return true, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false, nil
		}
		dir = up
	}
}
