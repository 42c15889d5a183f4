package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ulikunitz/xz"
)

// unpack gives the files of a Debian package whose path, from the root of the system, want accepts.
// Source: deb(5); ar's common format.
func unpack(deb []byte, want func(path string) bool) (map[string][]byte, error) {
	data, err := member(deb, "data.tar.xz")
	if err != nil {
		return nil, err
	}
	z, err := xz.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unpacking data.tar.xz: %w", err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading data.tar: %w", err)
		}
		path := strings.TrimPrefix(h.Name, "./")
		if h.Typeflag != tar.TypeReg || !want(path) {
			continue
		}
		if files[path], err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
	}
}

// member is one file of an ar archive.
func member(archive []byte, name string) ([]byte, error) {
	rest, ok := bytes.CutPrefix(archive, []byte("!<arch>\n"))
	if !ok {
		return nil, errors.New("no Debian package: it does not begin as an ar archive")
	}
	for len(rest) >= 60 {
		size, err := strconv.ParseUint(strings.TrimSpace(string(rest[48:58])), 10, 40)
		if err != nil || size > uint64(len(rest)-60) {
			return nil, fmt.Errorf("ar archive: a member of %q bytes, %d are left", strings.TrimSpace(string(rest[48:58])), len(rest)-60)
		}
		body := rest[60 : 60+size]
		if strings.TrimRight(string(rest[:16]), " /") == name {
			return body, nil
		}
		rest = rest[min(60+size+size%2, uint64(len(rest))):]
	}
	return nil, fmt.Errorf("ar archive has no %s", name)
}

// unxz decompresses a kernel module.
func unxz(b []byte) ([]byte, error) {
	z, err := xz.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
