package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// obtain gives the .deb of a pin: from the cache, or through apt from the mirror that this machine uses. The hash decides; who
// carried the file does not matter.
func obtain(p Pin, cache string) ([]byte, error) {
	cache, err := filepath.Abs(cache) // apt runs in a folder of its own
	if err != nil {
		return nil, fmt.Errorf("finding the cache: %w", err)
	}
	path := filepath.Join(cache, p.File())
	if b, err := os.ReadFile(path); err == nil {
		return b, check(p, b, path)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	dir, err := os.MkdirTemp(cache, "apt-")
	if err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	defer os.RemoveAll(dir)
	b, err := download(p, dir)
	if err != nil {
		return nil, fmt.Errorf("%w\nTo use another version, pin it with its hash in a copy of tools/image/pins.txt and say make image PINS=that-file;"+
			" if you have the .deb, put it at %s", err, path)
	}
	if err := check(p, b, "what apt brought"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "whole"), b, 0o644); err != nil {
		return nil, fmt.Errorf("keeping %s: %w", p.File(), err)
	}
	return b, os.Rename(filepath.Join(dir, "whole"), path)
}

func check(p Pin, deb []byte, where string) error {
	if sum := sha256.Sum256(deb); hex.EncodeToString(sum[:]) != p.SHA256 {
		return fmt.Errorf("%s: SHA-256 %x, but %s %s is pinned with %s: remove the file, or pin what you want", where, sum, p.Package, p.Version, p.SHA256)
	}
	return nil
}

// download asks apt, with lists of its own, so that this machine's sources stay as they are.
func download(p Pin, dir string) ([]byte, error) {
	mirror, err := mirror()
	if err != nil {
		return nil, err
	}
	signed := ""
	if _, err := os.Stat(keyring); err == nil {
		signed = "[signed-by=" + keyring + "] "
	}
	lists := filepath.Join(dir, "lists")
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		return nil, fmt.Errorf("making apt's lists: %w", err)
	}
	files := map[string]string{
		"sources.list": fmt.Sprintf("deb %s%s %s main\n", signed, mirror, p.Suite),
		"apt.conf": fmt.Sprintf("Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts \"-\";\nDir::State::Lists %q;\nDir::Cache::pkgcache \"\";\n"+
			"Dir::Cache::srcpkgcache \"\";\nAPT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n", filepath.Join(dir, "sources.list"), lists),
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			return nil, fmt.Errorf("writing apt's configuration: %w", err)
		}
	}
	if _, err := apt(dir, "update", "-qq"); err != nil {
		return nil, fmt.Errorf("asking the mirror for %s: %w", p.Suite, err)
	}
	if _, err := apt(dir, "download", "-qq", p.Package+"="+p.Version); err != nil {
		return nil, fmt.Errorf("%s %s is not in %s of this machine's mirror: %w", p.Package, p.Version, p.Suite, err)
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return nil, fmt.Errorf("apt brought %d files for %s %s, want one", len(debs), p.Package, p.Version)
	}
	return os.ReadFile(debs[0])
}

// mirror is where this machine gets Debian from: as apt knows it, or, before its first update, as its sources say.
func mirror() (string, error) {
	out, err := apt("", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", fmt.Errorf("asking apt for its mirror: %w", err)
	}
	for _, line := range strings.Split(out, "\n") {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "Debian" && f[1] == "Debian" && f[2] == "main" {
			return f[3], nil
		}
	}
	for _, pattern := range []string{"/etc/apt/sources.list.d/*.sources", "/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("looking for apt's sources: %w", err)
		}
		for _, p := range files {
			if b, err := os.ReadFile(p); err == nil {
				if m := archive(string(b)); m != "" {
					return m, nil
				}
			}
		}
	}
	return "", fmt.Errorf("apt on this machine knows no mirror of Debian: name one in /etc/apt/sources.list, or put the packages into the cache by hand")
}

// archive is the first address in apt's sources, old or new, that ends as the main archive's do.
func archive(sources string) string {
	for line := range strings.Lines(sources) {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "#") {
				break
			}
			if strings.HasPrefix(word, "http") && strings.HasSuffix(strings.TrimSuffix(word, "/"), "/debian") {
				return word
			}
		}
	}
	return ""
}

func apt(dir string, args ...string) (string, error) {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if dir != "" {
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "APT_CONFIG="+filepath.Join(dir, "apt.conf"))
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("apt-get %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
