package dcap

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

const (
	pemBegin = "-----BEGIN CERTIFICATE-----\n"
	pemEnd   = "\n-----END CERTIFICATE-----"
)

// splitPEM reads exactly n certificates as Intel writes them: base64 in lines, nothing between the blocks but one line feed, and at the
// end nothing but one line feed and one zero byte, each of which may be missing. The standard decoder skips whatever stands around
// the blocks, so that bytes nobody signed would not matter.
func splitPEM(text []byte, n int) ([][]byte, error) {
	text = bytes.TrimSuffix(text, []byte{0})
	var out [][]byte
	for i := range n {
		rest, ok := bytes.CutPrefix(text, []byte(pemBegin))
		if !ok {
			return nil, fmt.Errorf("certificate %d of %d does not begin with %q", i+1, n, pemBegin)
		}
		body, after, ok := bytes.Cut(rest, []byte(pemEnd))
		if !ok {
			return nil, fmt.Errorf("certificate %d of %d does not end with %q", i+1, n, pemEnd)
		}
		der, err := decodeLines(body)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of %d: %w", i+1, n, err)
		}
		out = append(out, der)
		text = bytes.TrimPrefix(after, []byte{'\n'})
	}
	if len(text) != 0 {
		return nil, fmt.Errorf("%d bytes after certificate %d", len(text), n)
	}
	return out, nil
}

// decodeLines reads base64 whose lines have 64 characters, the last one up to 64.
func decodeLines(body []byte) ([]byte, error) {
	flat := make([]byte, 0, len(body))
	for len(body) > 64 {
		if body[64] != '\n' {
			return nil, fmt.Errorf("a line of base64 has not 64 characters")
		}
		flat = append(flat, body[:64]...)
		body = body[65:]
	}
	flat = append(flat, body...)
	if bytes.ContainsAny(flat, "\r\n") {
		return nil, fmt.Errorf("a line of base64 has not 64 characters")
	}
	der := make([]byte, base64.StdEncoding.DecodedLen(len(flat)))
	size, err := base64.StdEncoding.Strict().Decode(der, flat)
	return der[:size], err
}
