package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phala-go/phala/devnet"
)

// memory is what one process has in its writable memory: all that an attacker gets who has broken a simulated TEE.
type memory struct {
	name    string
	regions [][]byte
}

// dump reads the memory of a program of the network, which this test has started itself.
func dump(t *testing.T, n *devnet.Network, name string) *memory {
	t.Helper()
	for _, p := range n.Processes() {
		if p.Name != name {
			continue
		}
		m := &memory{name: name}
		if err := m.read(filepath.Join("/proc", fmt.Sprint(p.PID))); err != nil {
			t.Fatalf("reading the memory of %s: %v", name, err)
		}
		return m
	}
	t.Fatalf("no program called %s runs", name)
	return nil
}

func (m *memory) read(proc string) error {
	maps, err := os.Open(filepath.Join(proc, "maps"))
	if err != nil {
		return err
	}
	defer maps.Close()
	mem, err := os.Open(filepath.Join(proc, "mem"))
	if err != nil {
		return err
	}
	defer mem.Close()
	const page = 1 << 16
	size := 0
	for s := bufio.NewScanner(maps); s.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(s.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		var region []byte
		for at := from; at < to; at += page {
			b := make([]byte, min(page, to-at))
			k, err := mem.ReadAt(b, int64(at))
			if err != nil && k == 0 || isZero(b[:k]) { // unmapped meanwhile, or never written to
				m.keep(region)
				region = nil
				continue
			}
			region = append(region, b[:k]...)
			size += k
		}
		m.keep(region)
	}
	if size < 1<<20 {
		return fmt.Errorf("only %d bytes were found", size)
	}
	return nil
}

func (m *memory) keep(region []byte) {
	if len(region) > 0 {
		m.regions = append(m.regions, region)
	}
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// has says whether some bytes lie anywhere, at whatever place.
func (m *memory) has(needle []byte) bool {
	for _, r := range m.regions {
		if bytes.Contains(r, needle) {
			return true
		}
	}
	return false
}

// window is 32 bytes of memory that may be a key.
type window [32]byte

// windows gives every 32 bytes that begin at a multiple of step and look random: no two zeros at their ends, and no byte often.
func (m *memory) windows(step int, each func(window)) {
	for _, r := range m.regions {
		for i := 0; i+32 <= len(r); i += step {
			if binary.LittleEndian.Uint16(r[i:]) == 0 || binary.LittleEndian.Uint16(r[i+30:]) == 0 {
				continue
			}
			if w := window(r[i : i+32]); random(&w) {
				each(w)
			}
		}
	}
}

// random is false for text, pointers and counters. Of a key it is false once in 10^15.
func random(w *window) bool {
	var seen [4]uint64
	zeros, distinct := 0, 0
	for _, b := range w {
		if b == 0 {
			zeros++
		}
		if bit := uint64(1) << (b & 63); seen[b>>6]&bit == 0 {
			seen[b>>6] |= bit
			distinct++
		}
	}
	halves := 0
	for _, s := range seen {
		if s != 0 {
			halves++
		}
	}
	return zeros <= 4 && distinct >= 20 && halves == 4
}

// allocated is the windows where Go puts an object of 32 bytes.
func (m *memory) allocated() map[window]bool {
	all := map[window]bool{}
	m.windows(32, func(w window) { all[w] = true })
	return all
}
