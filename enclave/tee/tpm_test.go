package tee

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/attest/tpm/tpmtest"
	"github.com/phala-go/phala/core/wire"
)

// chip answers as a TPM 2.0 does, one answer a command, with PCRs that it keeps and a key of its own.
type chip struct {
	pcrs   [24][]byte
	key    *ecdsa.PrivateKey
	moving bool // another program extends PCR 0 at each quote
	noBank bool
	spoil  func(code uint32, answer []byte) []byte
	more   func(code uint32, cmd []byte) (params []byte, answered bool) // nil: a TPM alone
	answer []byte
}

func newChip() *chip {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // no randomness: no test
	}
	c := &chip{key: key}
	for i := range c.pcrs {
		c.pcrs[i] = make([]byte, 32)
	}
	return c
}

func (c *chip) Read(b []byte) (int, error) { return copy(b, c.answer), nil }

func (c *chip) Write(cmd []byte) (int, error) {
	be := binary.BigEndian
	code, sessions := be.Uint32(cmd[6:]), be.Uint16(cmd) == stSessions
	var handle, params []byte
	answered := false
	if c.more != nil {
		params, answered = c.more(code, cmd)
	}
	switch {
	case answered:
	case code == ccPCRRead:
		params = c.readPCR(cmd[len(cmd)-3:])
	case code == ccPCRExtend:
		i := be.Uint32(cmd[10:])
		h := sha256.Sum256(append(bytes.Clone(c.pcrs[i]), cmd[len(cmd)-32:]...))
		c.pcrs[i] = h[:]
	case code == ccCreatePrimary:
		handle, params = []byte{0x80, 0, 0, 0}, prefixed(c.quote(nil).AK)
	case code == ccQuote:
		if c.moving {
			c.pcrs[0][0]++
		}
		q := c.quote(cmd[29 : 29+be.Uint16(cmd[27:])]) // head, handle, the session of an empty password, length
		params = append(prefixed(q.Attest), q.Signature...)
	}
	if sessions {
		params = append(be.AppendUint32(nil, uint32(len(params))), append(params, 0, 0, 1, 0, 0)...)
	}
	a := append(bytes.Clone(cmd[:2]), 0, 0, 0, 0, 0, 0, 0, 0)
	a = append(append(a, handle...), params...)
	be.PutUint32(a[2:], uint32(len(a)))
	if c.spoil != nil {
		a = c.spoil(code, a)
	}
	c.answer = a
	return len(cmd), nil
}

func (c *chip) readPCR(bits []byte) []byte {
	be := binary.BigEndian
	if c.noBank {
		return append(be.AppendUint32(nil, 1), 0, 0, 0, 0, 0, 0, 0, 0)
	}
	out := append(be.AppendUint32(nil, 1), 0, 0, 0, 1, 0, algSHA256, 3)
	out = append(append(out, bits...), 0, 0, 0, 1)
	for i := range c.pcrs {
		if bits[i/8]>>(i%8)&1 == 1 {
			out = append(out, prefixed(c.pcrs[i])...)
		}
	}
	return out
}

func (c *chip) quote(nonce []byte) tpmtest.Quote {
	m := tpmtest.New()
	m.Key, m.Nonce, m.Attributes = c.key, bytes.Clone(nonce), akAttributes
	copy(m.PCRs[:quotedPCRs], c.pcrs[:])
	q, err := m.Quote()
	if err != nil {
		panic(err) // no randomness: no test
	}
	return q
}

func TestTPMEvidence(t *testing.T) {
	c := newChip()
	if _, err := newTPM(c, testConfig()); err != nil {
		t.Fatal(err)
	}
	x, err := newTPM(c, testConfig())
	if err != nil {
		t.Fatalf("a second start with the same configuration: %v", err)
	}
	ev, err := x.Evidence(make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	q := &wire.TpmQuote{}
	if err := wire.Unmarshal(ev.Quote, q); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	_, want := attest.RuntimeRegister(wire.TEE_KIND_TPM, attest.RuntimeConfig(cfg.ChainID, cfg.GenesisHash, cfg.Role))
	if len(q.Pcrs) != quotedPCRs || !bytes.Equal(q.Pcrs[tpmRegister].Value, want) {
		t.Errorf("%d PCRs, PCR %d %x, want %x", len(q.Pcrs), tpmRegister, q.Pcrs[tpmRegister].Value, want)
	}
	verifies(t, ev, make([]byte, 64), want)
	if _, err := x.Evidence(make([]byte, 63)); err == nil {
		t.Error("report data of 63 bytes is taken")
	}
	c.moving = true
	if _, err := x.Evidence(make([]byte, 64)); err == nil || !strings.Contains(err.Error(), "stand still") {
		t.Errorf("PCRs that move: %v", err)
	}
}

// verifies is what the chain does with the evidence: it counts where the AK's name is believed, and nowhere else.
func verifies(t *testing.T, ev *wire.Evidence, reportData, runtime []byte) {
	t.Helper()
	q := &wire.TpmQuote{}
	if err := wire.Unmarshal(ev.Quote, q); err != nil {
		t.Fatal(err)
	}
	ak, err := tpm.ParsePublic(q.AkPublic)
	if err != nil {
		t.Fatal(err)
	}
	v := attest.Verifier{Time: tpmtest.Now(), Roots: attest.RootsOf(&wire.NetworkParams{Development: true, DevelopmentRoots: []*wire.TrustedRoot{
		{Kind: wire.TEE_KIND_TPM, AkName: ak.Name()},
	}})}
	got, err := attest.Check(ev, v)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.ReportData, reportData) || !bytes.Equal(got.Register("PCR15"), runtime) || len(got.Measurement) != 32 {
		t.Errorf("%+v", got)
	}
	v.Roots = attest.VendorRoots()
	if _, err := attest.Check(ev, v); err == nil {
		t.Error("a TPM's key is believed that nobody has named")
	}
}

func TestTPMRefusals(t *testing.T) {
	on := func(code uint32, f func([]byte) []byte) func(uint32, []byte) []byte {
		return func(c uint32, a []byte) []byte {
			if c == code {
				return f(a)
			}
			return a
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*chip)
		want  string
	}{
		{"recorded by another", func(c *chip) { c.pcrs[tpmRegister][5] = 1 }, "Start the machine anew"},
		{"no SHA-256 bank", func(c *chip) { c.noBank = true }, "no SHA-256 bank"},
		{"an empty answer", func(c *chip) { c.spoil = on(ccPCRRead, func([]byte) []byte { return nil }) }, "answer of 0 bytes"},
		{"cut off", func(c *chip) { c.spoil = on(ccPCRRead, func(a []byte) []byte { return a[:len(a)-1] }) }, "that says it has"},
		{"a forged length", func(c *chip) {
			c.spoil = on(ccCreatePrimary, func(a []byte) []byte { a[18], a[19] = 0xff, 0xff; return a })
		}, "cut off"},
		{"forged parameters", func(c *chip) {
			c.spoil = on(ccCreatePrimary, func(a []byte) []byte { a[14] = 0xff; return a })
		}, "cut off"},
		{"another tag", func(c *chip) { c.spoil = on(ccPCRExtend, func(a []byte) []byte { a[1]--; return a }) }, "tag"},
		{"a refusal", func(c *chip) { c.spoil = on(ccPCRExtend, func(a []byte) []byte { a[8] = 1; return a }) }, "code 0x100"},
	} {
		chip := newChip()
		c.spoil(chip)
		if _, err := newTPM(chip, testConfig()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
