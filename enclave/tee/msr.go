package tee

import (
	"encoding/binary"
	"fmt"
	"os"
)

// readMSR reads a register of the first processor through the kernel's msr driver.
func readMSR(register uint32) (uint64, error) {
	f, err := os.Open("/dev/cpu/0/msr")
	if err != nil {
		return 0, fmt.Errorf("reading register 0x%x: %w", register, err)
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], int64(register)); err != nil {
		return 0, fmt.Errorf("reading register 0x%x: %w", register, err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
