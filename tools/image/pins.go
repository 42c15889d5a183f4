package main

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed pins.txt
var pinned string

// Pin names one Debian package exactly.
type Pin struct {
	Package, Version, Suite string
	SHA256                  string // of the .deb, in hex
}

// File is the package's name in the cache.
func (p Pin) File() string { return p.Package + "_" + p.Version + ".deb" }

// The characters of package names and versions: nothing that a shell, a path or apt's own syntax would read otherwise.
var debianWord = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9.+~-]*$`)

// What a pin is for. The image needs the first two; without a firmware there are no measurements of machines that start with it.
const (
	pinKernel = "kernel"
	pinStub   = "stub"
	pinTDX    = "firmware-tdx"
	pinSNP    = "firmware-snp"
)

// parsePins reads what the image is made of and started with.
func parsePins(text string) (map[string]Pin, error) {
	pins := map[string]Pin{}
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 5 {
			return nil, fmt.Errorf("pins, line %d: %d words, want: what package version suite sha256", i+1, len(f))
		}
		for _, w := range f[1:4] {
			if !debianWord.MatchString(w) {
				return nil, fmt.Errorf("pins, line %d: %q is no name or version", i+1, w)
			}
		}
		if sum, err := hex.DecodeString(f[4]); err != nil || len(sum) != 32 {
			return nil, fmt.Errorf("pins, line %d: %q is no SHA-256", i+1, f[4])
		}
		if !slices.Contains([]string{pinKernel, pinStub, pinTDX, pinSNP}, f[0]) {
			return nil, fmt.Errorf("pins, line %d: nothing needs %q", i+1, f[0])
		}
		if _, twice := pins[f[0]]; twice {
			return nil, fmt.Errorf("pins, line %d: %s is pinned twice", i+1, f[0])
		}
		pins[f[0]] = Pin{f[1], f[2], f[3], f[4]}
	}
	for _, what := range []string{pinKernel, pinStub} {
		if _, ok := pins[what]; !ok {
			return nil, fmt.Errorf("pins: no %s", what)
		}
	}
	return pins, nil
}
