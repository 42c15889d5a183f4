// Package collateral puts what the makers of TEEs publish about a machine (Intel's TCB info, QE identity and lists; AMD's certificates and
// lists), which its operator keeps in files, beside the evidence of a worker, and says what of it ends when. It fetches nothing, and what
// it says is for the operator: the chain judges for itself. It must never change a quote.
package collateral

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/evidencefile"
	"github.com/phala-go/phala/core/wire"
)

// maxFiles bounds a folder: a machine has ten pieces at most.
const maxFiles = 32

// Source is a file or a folder of files; empty: there is none. It is read anew each time, so that newer files count without a restart.
type Source string

// Check says at once what is wrong with a path.
func (s Source) Check() error {
	if s == "" {
		return nil
	}
	_, err := s.read()
	return err
}

// Add puts the pieces into the evidence, in the place of any of the same kind. The error names the file, and what to do.
func (s Source) Add(ev *wire.Evidence) error {
	if s == "" {
		return nil
	}
	if len(maker(ev.GetKind())) == 0 {
		return fmt.Errorf("collateral %s: evidence of %s takes none: start offchaind without --collateral, or the enclave in the TEE that the files are for", string(s), ev.GetKind())
	}
	files, err := s.read()
	if err != nil {
		return err
	}
	whole := &evidencefile.File{Evidence: ev}
	for _, f := range files {
		if err := f.fits(ev.Kind); err != nil {
			return err
		}
		if err := whole.AddCollateral(f.data); err != nil {
			return fmt.Errorf("reading collateral %s: %w. It must hold one of: %s", f.path, err, formats)
		}
	}
	items, err := attest.ParseCollateral(ev.Collateral)
	if err != nil {
		return fmt.Errorf("collateral %s: %w", string(s), err)
	}
	if missing := lacking(ev.Kind, items); len(missing) > 0 {
		return fmt.Errorf("collateral %s lacks %s: %s", string(s), strings.Join(missing, ", "), Fetch(ev.Kind))
	}
	return nil
}

// Judge asks what the chain will ask: whether the maker vouches for the evidence at a time, with these pieces.
func (s Source) Judge(ev *wire.Evidence, roots attest.Roots, at time.Time) error {
	if s == "" {
		return nil
	}
	if items, err := attest.ParseCollateral(ev.Collateral); err == nil {
		for _, e := range Ends(items) {
			if !e.At.After(at) {
				return fmt.Errorf("collateral %s: %s ended at %s, and on the chain it is %s: %s", string(s), e.What, e.At.UTC().Format(time.RFC3339), at.UTC().Format(time.DateOnly), Fetch(ev.Kind))
			}
		}
	}
	if _, err := attest.Check(ev, attest.Verifier{Time: at, Roots: roots}); err != nil {
		return fmt.Errorf("collateral %s does not bear out this machine's evidence: %w. If it is another machine's: %s", string(s), err, Fetch(ev.Kind))
	}
	return nil
}

type file struct {
	path string
	data []byte
}

func (s Source) read() ([]file, error) {
	st, err := os.Stat(string(s))
	if err != nil {
		return nil, fmt.Errorf("opening --collateral: %w", err)
	}
	paths := []string{string(s)}
	if st.IsDir() {
		if paths, err = list(string(s)); err != nil {
			return nil, err
		}
	}
	var out []file
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("opening collateral: %w", err)
		}
		if !st.Mode().IsRegular() || st.Size() > evidencefile.MaxSize || st.Size() == 0 {
			return nil, fmt.Errorf("collateral %s: want a regular file of 1 to %d bytes, it has %d: take it out of --collateral", p, evidencefile.MaxSize, st.Size())
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("reading collateral: %w", err)
		}
		out = append(out, file{p, b})
	}
	return out, nil
}

// list leaves hidden files out: those of editors, and of whoever writes a new file beside the old and renames it.
func list(dir string) (out []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("opening --collateral: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	switch {
	case len(out) == 0:
		return nil, errors.New("opening --collateral: the folder " + dir + " is empty: put into it " + formats)
	case len(out) > maxFiles:
		return nil, fmt.Errorf("opening --collateral: %d files in %s: want at most %d, of one machine", len(out), dir, maxFiles)
	}
	return out, nil
}

// fits reads a file by itself, and refuses one with pieces of another maker.
func (f file) fits(kind wire.TeeKind) error {
	alone := &evidencefile.File{Evidence: &wire.Evidence{Kind: kind}}
	if err := alone.AddCollateral(f.data); err != nil {
		return fmt.Errorf("reading collateral %s: %w. It must hold one of: %s", f.path, err, formats)
	}
	items, err := attest.ParseCollateral(alone.Evidence.Collateral)
	if err != nil {
		return fmt.Errorf("reading collateral %s: %w", f.path, err)
	}
	for _, i := range items {
		if !slices.Contains(maker(kind), i.Kind) {
			return fmt.Errorf("collateral %s holds %s, which evidence of %s has no use for: take it out. %s", f.path, name(i.Kind), kind, Fetch(kind))
		}
	}
	return nil
}
