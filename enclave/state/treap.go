// Package state is a cluster's state: an ordered map of immutable nodes that is its own commitment (docs/protocol.md, State).
// A snapshot is a pointer; a change costs hashing in proportion to its path. It must never write anything anywhere: sealing
// and storing are the executor's.
package state

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/phala-go/phala/core/merkle"
)

// Map is one version of the state. The zero value is empty and has no blinding key yet. A Map is immutable; Set and Delete
// give new ones.
type Map struct {
	blind *[32]byte
	root  *node
	size  int
}

// node is a treap's: ordered by key, and as a heap by priority, which is a keyed hash of the key. So the shape depends on the
// content alone, nobody who lacks the blinding key can unbalance it, and equal keys meet at equal priority.
type node struct {
	key, value  []byte
	priority    [32]byte
	leaf        [32]byte
	left, right *node
	hash        [32]byte
	hashed      bool
}

// New is an empty map with a blinding key of 32 bytes.
func New(blind []byte) Map {
	b := new([32]byte)
	copy(b[:], blind)
	return Map{blind: b}
}

// Blinded says whether the map has its blinding key.
func (m Map) Blinded() bool { return m.blind != nil }

// Len is the number of keys.
func (m Map) Len() int { return m.size }

func (m Map) keyed(domain byte, parts ...[]byte) (out [32]byte) {
	h := hmac.New(sha256.New, m.blind[:])
	h.Write([]byte{domain})
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(out[:0])
	return out
}

// Get returns the value of key. The caller must not change it.
func (m Map) Get(key []byte) ([]byte, bool) {
	for n := m.root; n != nil; {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n.value, true
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil, false
}

// Set gives the map with key at value, of which it keeps copies. The map must be blinded.
func (m Map) Set(key, value []byte) Map {
	n := &node{key: bytes.Clone(key), value: bytes.Clone(value)}
	n.priority = m.keyed(1, key)
	n.leaf = m.keyed(2, binary.BigEndian.AppendUint32(nil, uint32(len(key))), key, value)
	grown := false
	m.root = insert(m.root, n, &grown)
	if grown {
		m.size++
	}
	return m
}

// Delete gives the map without key.
func (m Map) Delete(key []byte) Map {
	if _, ok := m.Get(key); !ok {
		return m
	}
	m.root = remove(m.root, key)
	m.size--
	return m
}

// Root is the commitment, 33 bytes: merkle.Version || hash of the top node; of an empty map, that of an empty tree.
func (m Map) Root() []byte {
	if m.root == nil {
		return merkle.Root(nil)
	}
	h := m.root.sum()
	return append([]byte{merkle.Version}, h[:]...)
}

// Ascend visits start <= key < end in order until yield answers false; nil is an open bound.
func (m Map) Ascend(start, end []byte, yield func(key, value []byte) bool) {
	m.root.ascend(start, end, yield)
}

// Descend visits the same range backwards.
func (m Map) Descend(start, end []byte, yield func(key, value []byte) bool) {
	m.root.descend(start, end, yield)
}

func (n *node) sum() [32]byte {
	if n == nil {
		return [32]byte{}
	}
	if !n.hashed {
		l, r := n.left.sum(), n.right.sum()
		h := sha256.New()
		h.Write([]byte{1})
		h.Write(n.leaf[:])
		h.Write(l[:])
		h.Write(r[:])
		h.Sum(n.hash[:0])
		n.hashed = true
	}
	return n.hash
}

// with is a copy of n with other children and no hash.
func (n *node) with(left, right *node) *node {
	c := *n
	c.left, c.right, c.hashed = left, right, false
	return &c
}

// above says whether a stands above b: priorities of different keys differ but with negligible probability, and then the key
// decides.
func above(a, b *node) bool {
	if c := bytes.Compare(a.priority[:], b.priority[:]); c != 0 {
		return c > 0
	}
	return bytes.Compare(a.key, b.key) > 0
}

func insert(t, n *node, grown *bool) *node {
	if t == nil {
		*grown = true
		return n
	}
	c := bytes.Compare(n.key, t.key)
	switch {
	case c == 0:
		return n.with(t.left, t.right)
	case above(n, t):
		*grown = true
		l, r := split(t, n.key)
		return n.with(l, r)
	case c < 0:
		return t.with(insert(t.left, n, grown), t.right)
	default:
		return t.with(t.left, insert(t.right, n, grown))
	}
}

// split parts t, which does not hold key, into what is below and above key.
func split(t *node, key []byte) (l, r *node) {
	if t == nil {
		return nil, nil
	}
	if bytes.Compare(t.key, key) < 0 {
		a, b := split(t.right, key)
		return t.with(t.left, a), b
	}
	a, b := split(t.left, key)
	return a, t.with(b, t.right)
}

func remove(t *node, key []byte) *node {
	switch c := bytes.Compare(key, t.key); {
	case c == 0:
		return merge(t.left, t.right)
	case c < 0:
		return t.with(remove(t.left, key), t.right)
	default:
		return t.with(t.left, remove(t.right, key))
	}
}

// merge joins two trees of which every key of l is below every key of r.
func merge(l, r *node) *node {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	case above(l, r):
		return l.with(l.left, merge(l.right, r))
	default:
		return r.with(merge(l, r.left), r.right)
	}
}

func (n *node) ascend(start, end []byte, yield func(k, v []byte) bool) bool {
	if n == nil {
		return true
	}
	fromStart := start == nil || bytes.Compare(n.key, start) >= 0
	beforeEnd := end == nil || bytes.Compare(n.key, end) < 0
	if fromStart && !n.left.ascend(start, end, yield) {
		return false
	}
	if fromStart && beforeEnd && !yield(n.key, n.value) {
		return false
	}
	return !beforeEnd || n.right.ascend(start, end, yield)
}

func (n *node) descend(start, end []byte, yield func(k, v []byte) bool) bool {
	if n == nil {
		return true
	}
	fromStart := start == nil || bytes.Compare(n.key, start) >= 0
	beforeEnd := end == nil || bytes.Compare(n.key, end) < 0
	if beforeEnd && !n.right.descend(start, end, yield) {
		return false
	}
	if fromStart && beforeEnd && !yield(n.key, n.value) {
		return false
	}
	return !fromStart || n.left.descend(start, end, yield)
}
