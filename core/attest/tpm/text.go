package tpm

import (
	"crypto"
	"fmt"
)

// count is "1 byte", "2 bytes".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// hex is 0x and digits.
func hex[T uint16 | uint32 | uint64](v T) string { return fmt.Sprintf("0x%x", v) }

func sum(h crypto.Hash, parts ...[]byte) []byte {
	w := h.New()
	for _, p := range parts {
		w.Write(p)
	}
	return w.Sum(nil)
}
