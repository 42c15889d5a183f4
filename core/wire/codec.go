// Package wire holds the nouns: every object that crosses a trust boundary, once, generated from proto/phala/wire.
// The files written by hand fix their one encoding. It must never hold a rule, a key or a second form of an object.
package wire

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/cosmos/gogoproto/proto"
)

// Message is any generated message of this package.
type Message interface {
	proto.Message
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// Marshal gives the one encoding of m: fields by number, defaults left out, no unknown fields.
func Marshal(m Message) []byte {
	b, err := m.Marshal()
	if err != nil {
		// Generated marshalling of these messages has no way to fail: no required fields, no custom types.
		panic(fmt.Sprintf("marshalling %T: %v", m, err))
	}
	return b
}

// Unmarshal decodes b into m and refuses every encoding but the one that Marshal gives: unknown fields, numbers that are
// longer than needed, defaults written out, fields out of order.
func Unmarshal(b []byte, m Message) error {
	m.Reset()
	if err := m.Unmarshal(b); err != nil {
		return fmt.Errorf("decoding %T: %w", m, err)
	}
	again, err := m.Marshal()
	if err != nil {
		return fmt.Errorf("decoding %T: %w", m, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("decoding %T: not in the canonical encoding (%d bytes, canonical %d)", m, len(b), len(again))
	}
	return nil
}

// Hash is SHA-256 of m's one encoding.
func Hash(m Message) []byte {
	h := sha256.Sum256(Marshal(m))
	return h[:]
}

// SignBytes is what is signed for m: domain || SHA-256(m).
func SignBytes(domain string, m Message) []byte {
	return append([]byte(domain), Hash(m)...)
}

// Name is how a person reads a worker's name, and the form the CLI takes: operator/slot.
func (w *WorkerRef) Name() string {
	return fmt.Sprintf("%s/%d", w.GetOperator(), w.GetSlot())
}

// Is says whether both name the same worker.
func (w *WorkerRef) Is(o *WorkerRef) bool {
	return w != nil && o != nil && w.Operator == o.Operator && w.Slot == o.Slot
}
