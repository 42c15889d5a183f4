// Package nitrotest makes attestation documents of Nitro enclaves and NitroTPMs for tests, under a root of its own, everything of them
// open to change. It must never be linked into a program.
package nitrotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"
)

// Cert is one certificate of the chain. What of it is zero is as New has it.
type Cert struct {
	From, To time.Time
	Edit     func(*x509.Certificate) // of the template
	Key      *ecdsa.PrivateKey
	SignedBy *ecdsa.PrivateKey // if it is not the one before
}

// Machine is what to make a document of.
type Machine struct {
	Now   time.Time
	Chain []Cert // root, CAs, and the one that signs documents
	TPM   bool
	PCRs  map[int][]byte

	ModuleID                   string
	PublicKey, UserData, Nonce []byte

	// Payload changes the members before they are signed, in their order.
	Payload func([]Member) []Member
	// Closed writes the payload's length at its beginning, where the security module leaves it open.
	Closed bool
	// Protected and Unprotected are the encoded headers; nil for those that a security module gives.
	Protected, Unprotected []byte
	Signer                 *ecdsa.PrivateKey // if it is not the last certificate's
}

// Member is one of the payload, its value encoded.
type Member struct {
	Name  string
	Value []byte
}

// New is a machine in order: an enclave whose PCRs 0 to 2 have values, with 64 bytes of user data.
func New() (*Machine, error) {
	m := &Machine{Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ModuleID: "i-0123456789abcdef0-enc0123456789abcdef", PCRs: map[int][]byte{}, UserData: make([]byte, 64)}
	for range 4 {
		key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			return nil, err
		}
		m.Chain = append(m.Chain, Cert{Key: key})
	}
	for i := range 16 {
		m.PCRs[i] = make([]byte, 48)
		if i < 3 {
			v := sha512.Sum384([]byte{byte(i)})
			m.PCRs[i] = v[:]
		}
	}
	return m, nil
}

// Document makes the document and gives it with the root's certificate in DER.
func (m *Machine) Document() (doc, root []byte, err error) {
	var ders [][]byte
	for i := range m.Chain {
		der, err := m.certify(i)
		if err != nil {
			return nil, nil, err
		}
		ders = append(ders, der)
	}
	last := len(ders) - 1
	payload := m.encode(m.members(ders[last], ders[:last]))
	signer := m.Signer
	if signer == nil {
		signer = m.Chain[last].Key
	}
	doc, err = m.sign(signer, payload)
	return doc, ders[0], err
}

func (m *Machine) certify(i int) ([]byte, error) {
	last := len(m.Chain) - 1
	name := func(i int) pkix.Name { return pkix.Name{CommonName: fmt.Sprintf("nitrotest %d", i)} }
	c := m.Chain[i]
	t := &x509.Certificate{
		SerialNumber: big.NewInt(int64(i + 1)), Subject: name(i), NotBefore: m.Now.Add(-time.Hour), NotAfter: m.Now.Add(2 * time.Hour),
		BasicConstraintsValid: true, IsCA: i < last, KeyUsage: x509.KeyUsageCertSign, SignatureAlgorithm: x509.ECDSAWithSHA384,
	}
	if i == last {
		t.KeyUsage = x509.KeyUsageDigitalSignature
	}
	if !c.From.IsZero() {
		t.NotBefore = c.From
	}
	if !c.To.IsZero() {
		t.NotAfter = c.To
	}
	if c.Edit != nil {
		c.Edit(t)
	}
	parent, signer := &x509.Certificate{Subject: name(max(i-1, 0))}, c.SignedBy
	if signer == nil {
		signer = m.Chain[max(i-1, 0)].Key
	}
	return x509.CreateCertificate(rand.Reader, t, parent, c.Key.Public(), signer)
}

func (m *Machine) members(leaf []byte, bundle [][]byte) []Member {
	pcrs, name := Head(5, len(m.PCRs)), "pcrs"
	if m.TPM {
		name = "nitrotpm_pcrs"
	}
	for i := range 64 {
		if v, ok := m.PCRs[i]; ok {
			pcrs = append(append(pcrs, Head(0, i)...), Bytes(v)...)
		}
	}
	cas := Head(4, len(bundle))
	for _, der := range bundle {
		cas = append(cas, Bytes(der)...)
	}
	out := []Member{
		{"module_id", Text(m.ModuleID)}, {"digest", Text("SHA384")},
		{"timestamp", binary.BigEndian.AppendUint64([]byte{0x1b}, uint64(m.Now.UnixMilli()))},
		{name, pcrs}, {"certificate", Bytes(leaf)}, {"cabundle", cas},
		{"public_key", orNull(m.PublicKey)}, {"user_data", orNull(m.UserData)}, {"nonce", orNull(m.Nonce)},
	}
	if m.Payload != nil {
		out = m.Payload(out)
	}
	return out
}

func (m *Machine) encode(members []Member) []byte {
	b := []byte{0xbf}
	if m.Closed {
		b = Head(5, len(members))
	}
	for _, x := range members {
		b = append(append(b, Text(x.Name)...), x.Value...)
	}
	if !m.Closed {
		b = append(b, 0xff)
	}
	return b
}

func (m *Machine) sign(key *ecdsa.PrivateKey, payload []byte) ([]byte, error) {
	protected, unprotected := m.Protected, m.Unprotected
	if protected == nil {
		protected = []byte{0xa1, 0x01, 0x38, 0x22}
	}
	if unprotected == nil {
		unprotected = []byte{0xa0}
	}
	signed := append(Head(4, 4), Text("Signature1")...)
	signed = append(append(append(signed, Bytes(protected)...), Bytes(nil)...), Bytes(payload)...)
	h := sha512.Sum384(signed)
	r, s, err := ecdsa.Sign(rand.Reader, key, h[:])
	if err != nil {
		return nil, err
	}
	doc := append(append(append(Head(4, 4), Bytes(protected)...), unprotected...), Bytes(payload)...)
	return append(doc, Bytes(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...))...), nil
}

func orNull(b []byte) []byte {
	if b == nil {
		return []byte{0xf6}
	}
	return Bytes(b)
}

// Head is a head of CBOR in its shortest form.
func Head(major byte, n int) []byte {
	m := major << 5
	switch {
	case n < 24:
		return []byte{m | byte(n)}
	case n < 1<<8:
		return []byte{m | 24, byte(n)}
	case n < 1<<16:
		return []byte{m | 25, byte(n >> 8), byte(n)}
	default:
		return binary.BigEndian.AppendUint32([]byte{m | 26}, uint32(n))
	}
}

// Bytes is a byte string of CBOR.
func Bytes(b []byte) []byte { return append(Head(2, len(b)), b...) }

// Text is a text of CBOR.
func Text(s string) []byte { return append(Head(3, len(s)), s...) }
