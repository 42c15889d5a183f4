//go:build liar

package main

import (
	"crypto/sha256"

	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/wire"
)

// tamper makes bin/pruntime-liar: a broken TEE that governance has trusted. It signs a state root that nothing leads to.
var tamper = func(b *wire.Batch) {
	h := sha256.Sum256(append([]byte("phala/liar"), b.NewRoot...))
	b.NewRoot = append([]byte{merkle.Version}, h[:]...)
}

// tamperContribution makes the same of a gatekeeper: what it sends to the first of the others does not open.
var tamperContribution = func(c *wire.Contribution) {
	for _, s := range c.Shares[:min(1, len(c.Shares))] {
		s.Ciphertext[0] ^= 1
	}
}
