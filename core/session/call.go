package session

import (
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// Check refuses a call that no session could take: sizes and counters that do not exist.
func Check(c *wire.SessionCall) error {
	switch {
	case c == nil:
		return errors.New("no call")
	case len(c.Session) != IDSize:
		return fmt.Errorf("a session id of %d bytes, want %d", len(c.Session), IDSize)
	case c.Counter == 0 || c.Counter > MaxRequests:
		return fmt.Errorf("request %d of a session: it has the requests 1 to %d", c.Counter, MaxRequests)
	case !seal.ValidCiphertextSize(len(c.Ciphertext)):
		return fmt.Errorf("ciphertext of %d bytes is in no padding class", len(c.Ciphertext))
	}
	return nil
}

// Request reads the plaintext of a request: a query of a contract that leaves the permit to the session.
func Request(plain []byte) (*wire.QueryRequest, error) {
	q := new(wire.QueryRequest)
	if err := wire.Unmarshal(plain, q); err != nil {
		return nil, err
	}
	if q.Permit != nil {
		return nil, errors.New("a request within a session has no permit of its own: the opening's counts")
	}
	return q, nil
}
