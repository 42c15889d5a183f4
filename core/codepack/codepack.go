// Package codepack is the form in which contract code travels and lies on the
// chain: one gzip member, named by the hash of what is inside.
//
// It must never trust a size it was told: unpacking is bounded by what comes
// out, not by what the header says, because the chain unpacks strangers' bytes.
package codepack

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// The bounds of one code upload, in bytes.
const (
	MaxPacked   = 2 << 20
	MaxUnpacked = 8 << 20
)

// ID names a module: SHA-256 of the unpacked bytes, so that packing it anew
// does not make it another contract.
func ID(code []byte) [32]byte { return sha256.Sum256(code) }

// Pack compresses a module for upload. Equal code gives equal bytes under one
// Go release; nothing may rely on more than that, which is why ID ignores the
// packing.
func Pack(code []byte) ([]byte, error) {
	if len(code) == 0 {
		return nil, errors.New("packing code: it is empty")
	}
	if len(code) > MaxUnpacked {
		return nil, fmt.Errorf("packing code: %d bytes, at most %d are allowed", len(code), MaxUnpacked)
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("packing code: %w", err)
	}
	if _, err := w.Write(code); err != nil {
		return nil, fmt.Errorf("packing code: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing code: %w", err)
	}
	if out.Len() > MaxPacked {
		return nil, fmt.Errorf("packing code: %d bytes once compressed, at most %d are allowed", out.Len(), MaxPacked)
	}
	return out.Bytes(), nil
}

// Unpack is the inverse of Pack. It refuses anything but a single, complete,
// non-empty gzip member within the bounds.
func Unpack(packed []byte) ([]byte, error) {
	if len(packed) > MaxPacked {
		return nil, fmt.Errorf("unpacking code: %d bytes, at most %d are allowed", len(packed), MaxPacked)
	}
	in := bytes.NewReader(packed) // an io.ByteReader: gzip reads not a byte past its member
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("unpacking code: %w", err)
	}
	r.Multistream(false)
	code, err := io.ReadAll(io.LimitReader(r, MaxUnpacked+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpacking code: %w", err)
	case len(code) > MaxUnpacked:
		return nil, fmt.Errorf("unpacking code: more than %d bytes inside", MaxUnpacked)
	case len(code) == 0:
		return nil, errors.New("unpacking code: nothing inside")
	case in.Len() > 0:
		return nil, fmt.Errorf("unpacking code: %d bytes trail the gzip member", in.Len())
	}
	return code, nil
}
