//go:build js && wasm

package main

import (
	"encoding/hex"
	"fmt"
)

// hexBytes are bytes that the page writes in hex.
type hexBytes []byte

// UnmarshalText reads them.
func (h *hexBytes) UnmarshalText(s []byte) error {
	b, err := hex.DecodeString(string(s))
	if err != nil {
		return fmt.Errorf("reading %q as hex: %w", s, err)
	}
	*h = b
	return nil
}
