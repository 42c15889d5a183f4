package keytree

import "bytes"

// Expose gives the secret's bytes, for core/escrow alone, which splits them; a test of the house sees to it. The caller wipes them.
func (s *Secret) Expose() []byte { return bytes.Clone(s.b[:]) }
