package boot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/phala-go/phala/core/wire"
)

// magic begins a disk, or a partition, that holds a configuration. The format: magic || role, 4 bytes || size of the genesis in bytes,
// 4 bytes || the genesis file; big endian. What a disk has after that is its size alone.
const magic = "phala/guest-config/v1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

const (
	headSize   = len(magic) + 8
	sector     = 512
	maxGenesis = 64 << 20
)

// Config is what a guest is started for. The disk that carries it is not measured: the hardware records the chain, the genesis's hash
// and the role in a register of their own.
type Config struct {
	Role    wire.Role
	Genesis []byte // the file
}

// Disk is the configuration as a disk, of whole sectors.
func (c Config) Disk() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b := append([]byte(magic), make([]byte, 8)...)
	binary.BigEndian.PutUint32(b[len(magic):], uint32(c.Role))
	binary.BigEndian.PutUint32(b[len(magic)+4:], uint32(len(c.Genesis)))
	b = append(b, c.Genesis...)
	return append(b, make([]byte, (sector-len(b)%sector)%sector)...), nil
}

// parseConfig reads what a disk begins with.
func parseConfig(disk io.Reader) (Config, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(disk, head[:]); err != nil || string(head[:len(magic)]) != magic {
		return Config{}, errors.New("it does not begin as a configuration of this version")
	}
	size := binary.BigEndian.Uint32(head[len(magic)+4:])
	if size > maxGenesis {
		return Config{}, fmt.Errorf("a genesis of %d bytes: want 1 to %d", size, maxGenesis)
	}
	genesis, err := io.ReadAll(io.LimitReader(disk, int64(size))) // grows with what is there
	if err != nil {
		return Config{}, fmt.Errorf("reading the genesis: %w", err)
	}
	if len(genesis) != int(size) {
		return Config{}, fmt.Errorf("a genesis of %d bytes, of which %d are there", size, len(genesis))
	}
	c := Config{Role: wire.Role(binary.BigEndian.Uint32(head[len(magic):])), Genesis: genesis}
	return c, c.check()
}

func (c Config) check() error {
	if c.Role != wire.ROLE_EXECUTOR && c.Role != wire.ROLE_GATEKEEPER {
		return fmt.Errorf("role %d: want %d (executor) or %d (gatekeeper)", c.Role, wire.ROLE_EXECUTOR, wire.ROLE_GATEKEEPER)
	}
	if len(c.Genesis) == 0 || len(c.Genesis) > maxGenesis {
		return fmt.Errorf("a genesis of %d bytes: want 1 to %d", len(c.Genesis), maxGenesis)
	}
	return nil
}
