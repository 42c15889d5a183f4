package gatekeeper_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/enclave/enclavetest"
)

// A test that looks for key bytes in its own memory must not hold them itself: it keeps them masked.
const mask = 0x5a

type needle [32]byte // masked

func (n needle) xor(o needle) (x needle) {
	for i := range n {
		x[i] = n[i] ^ o[i] ^ mask
	}
	return x
}

// planted is randomness that is known afterwards: SHA-256(seed || counter).
type planted struct {
	seed byte
	n    uint64
	draw [][]needle // what each Read gave, in blocks of 32 bytes
}

func (p *planted) Read(b []byte) (int, error) {
	var blocks []needle
	for rest := b; len(rest) > 0; rest = rest[min(32, len(rest)):] {
		h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte{p.seed}, p.n))
		p.n++
		copy(rest, h[:])
		var m needle
		for i := range h {
			m[i] = h[i] ^ mask
		}
		blocks = append(blocks, m)
		clear(h[:])
	}
	p.draw = append(p.draw, blocks)
	return len(b), nil
}

// keys gives k_B of the newest generation among n with threshold t, and everything that was drawn for it. Each member reads a seed
// for each other one, then its contributions, then the beacon's coefficients of 64 bytes.
func keys(t *testing.T, from []*planted, n, threshold int) (keys map[dprf.Set]needle, drawn []needle) {
	t.Helper()
	sets, err := dprf.Sets(n, threshold)
	if err != nil {
		t.Fatal(err)
	}
	keys = map[dprf.Set]needle{}
	for i, p := range from {
		if len(p.draw) != n-1+1+threshold {
			t.Fatalf("gatekeeper %d drew %d times", i, len(p.draw))
		}
		own := p.draw[n-1]
		for _, b := range sets {
			if !b.Holds(i) {
				continue
			}
			if k, ok := keys[b]; ok {
				keys[b] = k.xor(own[0])
			} else {
				keys[b] = own[0]
			}
			own = own[1:]
		}
		for _, d := range p.draw[:n] {
			drawn = append(drawn, d...)
		}
		p.draw = nil
	}
	return keys, drawn
}

// memory finds needles in this process's writable memory, and says where.
func memory(t *testing.T, needles []needle) (found []string) {
	t.Helper()
	var first [1 << 16]bool
	for _, n := range needles {
		first[uint16(n[0]^mask)<<8|uint16(n[1]^mask)] = true
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	buf := make([]byte, 1<<20)
	defer clear(buf)
	for s := bufio.NewScanner(maps); s.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(s.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		for at := from; at+32 <= to; at += uint64(len(buf)) - 31 {
			n, err := mem.ReadAt(buf[:min(uint64(len(buf)), to-at)], int64(at))
			if err != nil && n == 0 {
				break
			}
			found = append(found, search(buf[:n], at, &first, needles)...)
		}
	}
	return found
}

func search(b []byte, at uint64, first *[1 << 16]bool, needles []needle) (found []string) {
	for i := 0; i+32 <= len(b); i++ {
		if !first[uint16(b[i])<<8|uint16(b[i+1])] {
			continue
		}
		for k, n := range needles {
			if n.is(b[i : i+32]) {
				found = append(found, fmt.Sprintf("needle %d at %x", k, at+uint64(i)))
			}
		}
	}
	return found
}

func (n needle) is(b []byte) bool {
	for i := range n {
		if n[i]^mask != b[i] {
			return false
		}
	}
	return true
}

func values(m map[dprf.Set]needle) (out []needle) {
	for _, n := range m {
		out = append(out, n)
	}
	return out
}

// P7: what a generation is made of is gone with its end, and k_B of an epoch with the beginning of the one after the next; all of it
// is looked for in the memory of the process, where four gatekeepers run.
func TestP07_KeysAreErased(t *testing.T) {
	const gatekeepers, threshold = 4, 2
	var random []*planted
	n := enclavetest.New(t, 1, 1, enclavetest.Gatekeepers(gatekeepers, threshold), func(n *enclavetest.Net) {
		for i, x := range n.Keepers {
			random = append(random, &planted{seed: byte(i)})
			x.Random = random[i]
		}
	})
	border := func() (map[dprf.Set]needle, []needle) {
		t.Helper()
		was := n.Chain.Epoch()
		n.Chain.Border()
		for range 40 {
			n.Blocks(1)
			if n.Chain.Epoch() == was+1 {
				n.Blocks(2)
				return keys(t, random, gatekeepers, threshold)
			}
		}
		t.Fatalf("epoch %d does not end: %q", was, n.Failures())
		return nil, nil
	}
	n.Blocks(2)
	one, drawn := keys(t, random, gatekeepers, threshold)
	if got := memory(t, values(one)); len(got) < len(one)*(gatekeepers-threshold+1) {
		t.Fatalf("keys that are held are not found: %q", got)
	}
	if got := memory(t, drawn); len(got) > 0 {
		t.Errorf("of the generation of epoch 1 there is still: %q", got)
	}
	two, drawn := border()
	if got := memory(t, values(one)); len(got) == 0 {
		t.Error("keys of epoch 1 are gone in their grace")
	}
	if got := memory(t, drawn); len(got) > 0 {
		t.Errorf("of the generation of epoch 2 there is still: %q", got)
	}
	border()
	if got := memory(t, values(one)); len(got) > 0 {
		t.Errorf("keys of epoch 1 are in memory after epoch 3 has begun: %q", got)
	}
	if got := memory(t, values(two)); len(got) == 0 {
		t.Error("keys of epoch 2 are gone in their grace")
	}

	// A gatekeeper whose identity is lost forgets at once: all of them restart elsewhere.
	three, _ := border()
	for _, x := range n.Keepers {
		old := x.RT
		x.Boot()
		x.Register()
		x.RT = old // the old boot lives on, and is told of the headers
	}
	n.Blocks(3)
	for epoch, k := range map[int]map[dprf.Set]needle{2: two, 4: three} {
		if got := memory(t, values(k)); len(got) > 0 {
			t.Errorf("keys of epoch %d are in memory after the identities were lost: %q", epoch, got)
		}
	}
	if two[1] == three[1] {
		t.Error("two epochs have the same key")
	}
}
