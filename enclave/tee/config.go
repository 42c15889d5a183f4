package tee

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// Config is what an enclave is started for. Hardware with a register for it records it before the first key exists.
type Config struct {
	ChainID     string
	GenesisHash []byte // 32 bytes
	Role        wire.Role
}

// recorder is a register that a program can extend and nobody can set back before the machine starts anew.
type recorder interface {
	// read gives the register's value.
	read() ([]byte, error)
	// extend makes the value hash(value || digest).
	extend(digest []byte) error
}

// record extends r by the configuration, once in the machine's life. A second start with the same configuration finds it there;
// anything else in the register is refused.
func record(r recorder, kind wire.TeeKind, c Config) error {
	if c.ChainID == "" || len(c.GenesisHash) != sha256.Size || c.Role == wire.ROLE_UNSPECIFIED {
		return errors.New("recording the configuration: chain, genesis hash and role are needed")
	}
	config := attest.RuntimeConfig(c.ChainID, c.GenesisHash, c.Role)
	name, want := attest.RuntimeRegister(kind, config)
	if name == "" {
		return fmt.Errorf("recording the configuration: %s has no register for it", kind)
	}
	got, err := r.read()
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if bytes.Equal(got, want) {
		return nil
	}
	if len(got) != len(want) || !bytes.Equal(got, make([]byte, len(got))) {
		return fmt.Errorf("%s holds %x: another program or configuration has been recorded there. Start the machine anew", name, got)
	}
	if err := r.extend(digest(config, len(want))); err != nil {
		return fmt.Errorf("extending %s by the configuration: %w", name, err)
	}
	if got, err = r.read(); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s holds %x after it was extended, want %x: something else extends it. Start the machine anew", name, got, want)
	}
	return nil
}

// digest is the configuration's hash in the bank of a register of size bytes.
func digest(config []byte, size int) []byte {
	if size == sha512.Size384 {
		h := sha512.Sum384(config)
		return h[:]
	}
	h := sha256.Sum256(config)
	return h[:]
}
