// Package enclave is the connection to pruntime's socket: frames, and which answer belongs to which call. It must never interpret
// what it carries beyond that.
package enclave

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/phala-go/phala/core/wire"
)

// MaxFrame bounds one message, bytes.
const MaxFrame = 16 << 20

// writeFrame writes 4 bytes length, big endian, and the message.
func writeFrame(w io.Writer, m *wire.In) error {
	n := m.Size()
	if n > MaxFrame {
		return fmt.Errorf("sending to the enclave: a message of %d bytes, at most %d are allowed", n, MaxFrame)
	}
	b := make([]byte, 4+n)
	binary.BigEndian.PutUint32(b, uint32(n))
	if _, err := m.MarshalToSizedBuffer(b[4:]); err != nil {
		return fmt.Errorf("sending to the enclave: %w", err)
	}
	_, err := w.Write(b)
	return err
}

func readFrame(r *bufio.Reader) (*wire.Out, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxFrame {
		return nil, fmt.Errorf("reading from the enclave: a message of %d bytes, at most %d are allowed", n, MaxFrame)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	m := new(wire.Out)
	if err := m.Unmarshal(b); err != nil {
		return nil, fmt.Errorf("reading from the enclave: %w", err)
	}
	return m, nil
}
