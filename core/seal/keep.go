package seal

import (
	"bytes"
	"crypto/sha256"
	"fmt"
)

// Secret gives the bytes of a reply key to a client that keeps it, to open the reply in a later run.
func (k *ReplyKey) Secret() []byte { return bytes.Clone(k.secret) }

// ReplyKeyOf is the inverse of Secret.
func ReplyKeyOf(secret []byte) (*ReplyKey, error) {
	if len(secret) != sha256.Size {
		return nil, fmt.Errorf("reply key of %d bytes, want %d", len(secret), sha256.Size)
	}
	return &ReplyKey{bytes.Clone(secret)}, nil
}
