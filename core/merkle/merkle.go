// Package merkle computes roots and paths of lists of leaves after RFC 6962, section 2.1: leaf hash SHA-256(0 || leaf), node
// hash SHA-256(1 || left || right). A root is 33 bytes: Version || hash. It must never be used for maps: see enclave/state.
package merkle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
)

// Version is the first byte of every root and commitment.
const Version = 1

// RootSize is the size of a root in bytes.
const RootSize = 1 + sha256.Size

// Root is the root of leaves; of none, Version || SHA-256("").
func Root(leaves [][]byte) []byte {
	return append([]byte{Version}, subtree(leaves)...)
}

// Path is the way from leaf i to the root, siblings from the bottom up. It panics if there is no leaf i.
func Path(leaves [][]byte, i int) [][]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if i < k {
		return append(Path(leaves[:k], i), subtree(leaves[k:]))
	}
	return append(Path(leaves[k:], i-k), subtree(leaves[:k]))
}

// Verify says whether leaf stands at place i of n under root. The error names what does not fit.
func Verify(root, leaf []byte, i, n uint32, path [][]byte) error {
	if len(root) != RootSize || root[0] != Version {
		return fmt.Errorf("root of %d bytes: want %d, the first %d", len(root), RootSize, Version)
	}
	if i >= n {
		return fmt.Errorf("leaf %d of %d", i, n)
	}
	got, rest, err := climb(leafHash(leaf), i, n, path)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return fmt.Errorf("path is %d hashes too long for leaf %d of %d", len(rest), i, n)
	}
	if !bytes.Equal(got, root[1:]) {
		return fmt.Errorf("leaf %d of %d leads to another root", i, n)
	}
	return nil
}

// climb follows the same recursion as Path; the siblings it has not used come back.
func climb(h []byte, i, n uint32, path [][]byte) ([]byte, [][]byte, error) {
	if n == 1 {
		return h, path, nil
	}
	k := uint32(split(int(n)))
	var left bool
	var err error
	if i < k {
		left = true
		h, path, err = climb(h, i, k, path)
	} else {
		h, path, err = climb(h, i-k, n-k, path)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(path) == 0 {
		return nil, nil, fmt.Errorf("path is too short")
	}
	sibling := path[0]
	if len(sibling) != sha256.Size {
		return nil, nil, fmt.Errorf("path holds a hash of %d bytes", len(sibling))
	}
	if left {
		return nodeHash(h, sibling), path[1:], nil
	}
	return nodeHash(sibling, h), path[1:], nil
}

func subtree(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		h := sha256.Sum256(nil)
		return h[:]
	case 1:
		return leafHash(leaves[0])
	}
	k := split(len(leaves))
	return nodeHash(subtree(leaves[:k]), subtree(leaves[k:]))
}

// split is the largest power of two smaller than n, for n > 1.
func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

func leafHash(leaf []byte) []byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(leaf)
	return h.Sum(nil)
}

func nodeHash(l, r []byte) []byte {
	h := sha256.New()
	h.Write([]byte{1})
	h.Write(l)
	h.Write(r)
	return h.Sum(nil)
}
