package dcaptest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

var le = binary.LittleEndian

// header is the quote's first 48 bytes.
func (m Machine) header() []byte {
	h := make([]byte, 48)
	le.PutUint16(h, m.Version)
	le.PutUint16(h[2:], 2)
	if m.Version != 3 {
		le.PutUint32(h[4:], 0x81)
	}
	copy(h[12:], []byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07})
	return h
}

func (m Machine) body() []byte {
	if m.Version == 3 {
		b := make([]byte, 384)
		b[48] = 5 // INIT, MODE64BIT
		if m.Debug {
			b[48] |= 2
		}
		copy(b[64:96], m.Measurement[:])
		copy(b[320:], m.ReportData[:])
		return b
	}
	b := make([]byte, 584)
	copy(b, m.TDXSVN[:])
	b[123] = 0x10 // SEPT_VE_DISABLE
	if m.Debug {
		b[120] = 1
	}
	copy(b[128:], []byte{0xe7, 0x02, 0x06})
	copy(b[136:], m.Measurement[:])
	for i, r := range m.RTMR {
		copy(b[328+48*i:], r[:])
	}
	copy(b[520:], m.ReportData[:])
	if m.Version == 5 && m.TDX15 {
		b = append(append(b, m.TDXSVN[:]...), make([]byte, 48)...)
	}
	return b
}

func (m Machine) qeReport() ([]byte, error) {
	_, signer, product := m.qe()
	r := make([]byte, 384)
	r[48] = 0x15 // INIT, MODE64BIT, provision key
	b, err := hex.DecodeString(signer)
	copy(r[128:], b)
	r[256] = product
	le.PutUint16(r[258:], m.QESVN)
	return r, err
}

// sized is the length in 4 bytes, and the bytes.
func sized(b []byte) []byte { return append(le.AppendUint32(nil, uint32(len(b))), b...) }

// quote puts the parts together and signs them.
func (p *pki) quote() ([]byte, error) {
	qe, err := p.m.qeReport()
	if err != nil {
		return nil, err
	}
	parts := Parts{Header: p.m.header(), Body: p.m.body(), QEReport: qe, QEAuth: make([]byte, 32)}
	if p.m.Edit != nil {
		p.m.Edit(&parts)
	}
	signed := append([]byte{}, parts.Header...)
	if p.m.Version == 5 {
		kind := uint16(2)
		if p.m.TDX15 {
			kind = 3
		}
		signed = le.AppendUint32(le.AppendUint16(signed, kind), uint32(len(parts.Body)))
	}
	signed = append(signed, parts.Body...)
	data, err := p.signatureData(signed, parts)
	return append(signed, sized(data)...), err
}

func (p *pki) signatureData(signed []byte, parts Parts) ([]byte, error) {
	attestation, err := key(p.m.Seed + "/attestation/" + p.m.Chip)
	if err != nil {
		return nil, err
	}
	pck, err := p.key(PCK)
	if err != nil {
		return nil, err
	}
	out, err := sign(attestation, signed)
	if err != nil {
		return nil, err
	}
	point, err := public(attestation)
	if err != nil {
		return nil, err
	}
	bound := sha256.Sum256(append(append([]byte{}, point...), parts.QEAuth...))
	copy(parts.QEReport[320:], bound[:])
	vouched, err := sign(pck, parts.QEReport)
	if err != nil {
		return nil, err
	}
	inner := append(append([]byte{}, parts.QEReport...), vouched...)
	inner = append(le.AppendUint16(inner, uint16(len(parts.QEAuth))), parts.QEAuth...)
	if p.m.LoosePCK {
		inner = append(le.AppendUint16(inner, 1), sized(make([]byte, 36))...)
	} else {
		inner = append(le.AppendUint16(inner, 5), sized(p.chain(PCK, PCKCA, Root))...)
	}
	out = append(out, point...)
	if p.m.Version == 3 {
		return append(out, inner...), nil
	}
	return append(le.AppendUint16(out, 6), sized(inner)...), nil
}

// public is x || y.
func public(k *ecdsa.PrivateKey) ([]byte, error) {
	b, err := k.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding the attestation key: %w", err)
	}
	return b[1:], nil
}
