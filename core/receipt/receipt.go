// Package receipt checks offline what a result rests on: headers of the chain from what the reader trusts, store proofs against them, the
// members' signatures and evidence, the code, and the result's place in its batch (docs/spec/receipt.md; P19). It says what it has
// trusted. It must never read a clock, a file or the network, nor take anything from a receipt that is not proven in it.
package receipt

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

// magic begins a file, then 32 bytes of SHA-256 over what follows: damage is told from forgery.
const magic = "phala-receipt/1\n"

// Bounds of a receipt. A header with a hundred validators has about 30 kB.
const (
	MaxSize    = 32 << 20 // bytes of a file
	MaxHeaders = 1024
	maxValues  = 256
)

// Encode gives a receipt as a file.
func Encode(r *wire.Receipt) []byte {
	body := wire.Marshal(r)
	sum := sha256.Sum256(body)
	return append(append([]byte(magic), sum[:]...), body...)
}

// Parse reads a file and checks nothing but its form.
func Parse(file []byte) (*wire.Receipt, error) {
	head := len(magic) + sha256.Size
	switch {
	case len(file) > MaxSize:
		return nil, fmt.Errorf("reading a receipt: %d bytes: at most %d", len(file), MaxSize)
	case len(file) < head || string(file[:len(magic)]) != magic:
		return nil, errors.New("reading a receipt: this is no receipt of version 1")
	}
	if sum := sha256.Sum256(file[head:]); !bytes.Equal(sum[:], file[len(magic):head]) {
		return nil, errors.New("reading a receipt: the file is damaged: its content has another hash than it says")
	}
	r := &wire.Receipt{}
	if err := wire.Unmarshal(file[head:], r); err != nil {
		return nil, fmt.Errorf("reading a receipt: %w", err)
	}
	if len(r.Headers) > MaxHeaders || len(r.Before)+len(r.After) > maxValues {
		return nil, fmt.Errorf("reading a receipt: %d headers and %d store values: at most %d and %d", len(r.Headers), len(r.Before)+len(r.After), MaxHeaders, maxValues)
	}
	return r, nil
}
