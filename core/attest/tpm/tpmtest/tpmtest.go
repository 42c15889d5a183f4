// Package tpmtest makes quotes of TPMs for tests, with keys of its own, everything of them open to change. It must never be linked
// into a program.
package tpmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // what must be refused has to be made
	"encoding/binary"
	"fmt"

	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

const sha1 tpm.Alg = 4

// Machine is what to quote. New's is in order.
type Machine struct {
	Scheme     tpm.Alg // ECDSA, RSASSA or RSAPSS, of the AK
	Hash       tpm.Alg // of the AK's scheme
	Curve      int     // 256 or 384
	Attributes tpm.Attributes
	Bank       tpm.Alg
	PCRs       tpm.PCRs // those that are there are quoted
	Nonce      []byte
	Key        *ecdsa.PrivateKey // the AK, on P-256; nil for a new one at each quote

	Magic                    uint32
	Type                     uint16
	Digest                   []byte  // of the PCRs; nil for the right one
	SignedScheme, SignedHash tpm.Alg // what the signature says; zero for the AK's
}

// Quote is a quote with what it needs.
type Quote struct {
	AK        []byte // TPMT_PUBLIC
	Attest    []byte // TPMS_ATTEST
	Signature []byte // TPMT_SIGNATURE
	PCRs      tpm.PCRs
	Key       crypto.Signer // the AK's
}

// Wire is the quote as a guest sends it.
func (q Quote) Wire() []byte {
	w := &wire.TpmQuote{Attest: q.Attest, Signature: q.Signature, AkPublic: q.AK}
	for i, v := range q.PCRs {
		if v != nil {
			w.Pcrs = append(w.Pcrs, &wire.TpmPcr{Index: uint32(i), Value: v})
		}
	}
	return wire.Marshal(w)
}

// New is a machine whose AK signs with ECDSA on P-256, and whose PCRs 0 to 15 are quoted.
func New() *Machine {
	m := &Machine{
		Scheme: tpm.AlgECDSA, Hash: tpm.AlgSHA256, Curve: 256, Bank: tpm.AlgSHA256, Nonce: make([]byte, 64), Magic: 0xff544347, Type: 0x8018,
		Attributes: tpm.FixedTPM | tpm.FixedParent | tpm.SensitiveDataOrigin | tpm.Restricted | tpm.Sign | 1<<6,
	}
	for i := range 16 {
		m.PCRs[i] = make([]byte, 32)
		m.PCRs[i][0] = byte(i)
	}
	return m
}

// Quote makes an AK and a quote by it.
func (m *Machine) Quote() (Quote, error) {
	key, public, err := m.key()
	if err != nil {
		return Quote{}, err
	}
	attest := m.attest()
	signature, err := m.sign(key, attest)
	return Quote{AK: public, Attest: attest, Signature: signature, PCRs: m.PCRs, Key: key}, err
}

func u16(b []byte, v ...uint16) []byte {
	for _, n := range v {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}

func sized(b, v []byte) []byte { return append(u16(b, uint16(len(v))), v...) }

// key makes the AK: its TPMT_PUBLIC (part 2, 12.2.4).
func (m *Machine) key() (crypto.Signer, []byte, error) {
	kind := tpm.AlgRSA
	if m.Scheme == tpm.AlgECDSA {
		kind = tpm.AlgECC
	}
	area := binary.BigEndian.AppendUint32(u16(nil, uint16(kind), uint16(tpm.AlgSHA256)), uint32(m.Attributes))
	area = u16(area, 0, uint16(tpm.AlgNull), uint16(m.Scheme), uint16(m.Hash))
	if kind == tpm.AlgRSA {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, nil, err
		}
		return k, sized(append(u16(area, 2048), 0, 0, 0, 0), k.N.FillBytes(make([]byte, 256))), nil
	}
	curve, id := elliptic.P256(), uint16(3)
	if m.Curve == 384 {
		curve, id = elliptic.P384(), 4
	}
	k := m.Key
	if k == nil {
		var err error
		if k, err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			return nil, nil, err
		}
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		return nil, nil, err
	}
	size := m.Curve / 8
	area = sized(sized(u16(area, id, uint16(tpm.AlgNull)), point[1:1+size]), point[1+size:])
	return k, area, nil
}

func (m *Machine) attest() []byte {
	b := u16(binary.BigEndian.AppendUint32(nil, m.Magic), m.Type)
	b = sized(sized(b, append([]byte{0, 0x0b}, make([]byte, 32)...)), m.Nonce)
	b = append(b, make([]byte, 16)...)           // clock and counters
	b = append(append(b, 1), make([]byte, 8)...) // safe, firmware
	b = u16(append(b, 0, 0, 0, 1), uint16(m.Bank))
	var bitmap [3]byte
	h := hash(m.Hash).New()
	for i, v := range m.PCRs {
		if v != nil {
			bitmap[i/8] |= 1 << (i % 8)
			h.Write(v)
		}
	}
	digest := m.Digest
	if digest == nil {
		digest = h.Sum(nil)
	}
	return sized(append(append(b, 3), bitmap[:]...), digest)
}

func hash(a tpm.Alg) crypto.Hash {
	if a == sha1 {
		return crypto.SHA1
	}
	h, _ := a.Hash()
	return h
}

func (m *Machine) sign(key crypto.Signer, attest []byte) ([]byte, error) {
	scheme, alg := m.Scheme, m.Hash
	if m.SignedScheme != 0 {
		scheme = m.SignedScheme
	}
	if m.SignedHash != 0 {
		alg = m.SignedHash
	}
	h := hash(alg)
	w := h.New()
	w.Write(attest)
	out := u16(nil, uint16(scheme), uint16(alg))
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, w.Sum(nil))
		if err != nil {
			return nil, err
		}
		size := m.Curve / 8
		return sized(sized(out, r.FillBytes(make([]byte, size))), s.FillBytes(make([]byte, size))), nil
	case *rsa.PrivateKey:
		var o crypto.SignerOpts = h
		if scheme == tpm.AlgRSAPSS {
			o = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
		}
		sig, err := k.Sign(rand.Reader, w.Sum(nil), o)
		return sized(out, sig), err
	default:
		return nil, fmt.Errorf("signing with a %T: no key of a TPM", key)
	}
}
