package tee

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// module behaves as Nitro's does: it takes exactly the requests that are made of it, extends PCR 16 until it is locked, and signs
// (here: repeats) the user data.
type module struct {
	pcr    []byte
	locked bool
	err    error
	spoil  func([]byte) []byte
	asked  []string
}

func (m *module) call(request []byte) ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	out := m.answer(request)
	if m.spoil != nil {
		out = m.spoil(out)
	}
	return out, nil
}

func (m *module) answer(request []byte) []byte {
	r := &cborReader{b: request}
	if major, n := r.head(); major != cborMap || n != 1 {
		return refusal("InvalidOperation")
	}
	name := string(r.take(cborText))
	m.asked = append(m.asked, name)
	_, n := r.head()
	args := map[string][]byte{}
	var index uint64
	for range n {
		key := string(r.take(cborText))
		switch {
		case key == "index":
			_, index = r.head()
		case len(r.b) > 0 && r.b[0] == 0xf6:
			r.skip()
		default:
			args[key] = r.take(cborBytes)
		}
	}
	if r.err != nil || len(r.b) > 0 {
		return refusal("InvalidOperation")
	}
	if name != "Attestation" && index != 16 {
		return refusal("InvalidIndex")
	}
	switch name {
	case "DescribePCR":
		b := cborHead(cborString(cborHead(nil, cborMap, 1), name), cborMap, 2)
		b = append(cborString(b, "lock"), map[bool]byte{false: 0xf4, true: 0xf5}[m.locked])
		return cborData(cborString(b, "data"), m.pcr)
	case "ExtendPCR":
		if m.locked {
			return refusal("ReadOnlyIndex")
		}
		h := sha512.Sum384(append(bytes.Clone(m.pcr), args["data"]...))
		m.pcr = h[:]
		b := cborHead(cborString(cborHead(nil, cborMap, 1), name), cborMap, 1)
		return cborData(cborString(b, "data"), m.pcr)
	case "LockPCR":
		m.locked = true
		return cborString(nil, name)
	case "Attestation":
		b := cborHead(cborString(cborHead(nil, cborMap, 1), name), cborMap, 1)
		return cborData(cborString(b, "document"), append([]byte("document:"), args["user_data"]...))
	}
	return refusal("InvalidOperation")
}

func refusal(code string) []byte {
	return cborString(cborString(cborHead(nil, cborMap, 1), "Error"), code)
}

func TestNitroEvidence(t *testing.T) {
	m := &module{pcr: make([]byte, 48)}
	x, err := newNitro(m, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig()
	_, want := attest.RuntimeRegister(wire.TEE_KIND_NITRO, attest.RuntimeConfig(c.ChainID, c.GenesisHash, c.Role))
	if !bytes.Equal(m.pcr, want) || !m.locked {
		t.Errorf("PCR16 is %x (locked %t), want %x", m.pcr, m.locked, want)
	}
	ev, err := x.Evidence(reportData())
	if err != nil || ev.Kind != wire.TEE_KIND_NITRO || x.Kind() != ev.Kind || string(ev.Quote) != "document:"+string(reportData()) {
		t.Errorf("%v %v", ev, err)
	}
	if _, err := newNitro(m, testConfig()); err != nil { // a second start
		t.Error(err)
	}
	if got := strings.Join(m.asked, " "); got != "DescribePCR ExtendPCR DescribePCR DescribePCR LockPCR Attestation DescribePCR DescribePCR" {
		t.Error(got)
	}
	other := testConfig()
	other.ChainID = "another"
	if _, err := newNitro(m, other); err == nil {
		t.Error("two chains in one boot")
	}
	if _, err := x.Evidence(nil); err == nil {
		t.Error("no report data")
	}
}

func TestNitroRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		m    *module
		want string
	}{
		{"no answer", &module{err: errors.New("no such device")}, "no such device"},
		{"locked by another", &module{pcr: make([]byte, 48), locked: true}, "it refuses: ReadOnlyIndex"},
		{"empty", &module{pcr: make([]byte, 48), spoil: func([]byte) []byte { return nil }}, "malformed CBOR"},
		{"cut", &module{pcr: make([]byte, 48), spoil: func(b []byte) []byte { return b[:len(b)-1] }}, "malformed CBOR"},
		{"trailing", &module{pcr: make([]byte, 48), spoil: func(b []byte) []byte { return append(b, 0) }}, "follow"},
		{"another answer", &module{pcr: make([]byte, 48), spoil: func([]byte) []byte { return cborString(nil, "LockPCR") }}, "malformed CBOR"},
		{"a short register", &module{pcr: make([]byte, 32)}, "holds"},
	} {
		if _, err := newNitro(c.m, testConfig()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCBORHeads(t *testing.T) {
	for _, n := range []uint64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1} {
		r := &cborReader{b: cborHead(nil, cborUint, n)}
		if major, got := r.head(); major != cborUint || got != n || r.err != nil || len(r.b) != 0 {
			t.Errorf("%d comes back as %d, %v", n, got, r.err)
		}
	}
}

func FuzzNitroAnswer(f *testing.F) {
	f.Add(refusal("x"))
	f.Add((&module{pcr: make([]byte, 48)}).answer(cborHead(cborString(cborHead(cborString(cborHead(nil, cborMap, 1), "DescribePCR"), cborMap, 1), "index"), cborUint, 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := parseAnswer("DescribePCR", b); err == nil && len(out) > 8 {
			t.Error("more than eight values")
		}
	})
}
