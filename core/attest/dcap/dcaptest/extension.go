package dcaptest

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// arc is Intel's SGX extension of PCK certificates.
var arc = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}

type member struct {
	ID    asn1.ObjectIdentifier
	Value any
}

func below(n ...int) asn1.ObjectIdentifier {
	return append(append(asn1.ObjectIdentifier{}, arc...), n...)
}

// PPID names the platform.
func (m Machine) PPID() [16]byte {
	sum := sha256.Sum256([]byte("dcaptest PPID\x00" + m.Seed + "/" + m.Chip))
	return [16]byte(sum[:16])
}

// extension is what Intel certifies about the platform. Source: PCK Certificate and CRL Profile 1.5, section 1.3.5.
func (m Machine) extension() (pkix.Extension, error) {
	var tcb []member
	for i, n := range m.SVN {
		tcb = append(tcb, member{below(2, i+1), int(n)})
	}
	tcb = append(tcb, member{below(2, 17), m.PCESVN}, member{below(2, 18), m.SVN[:]})
	ppid := m.PPID()
	all := []member{
		{below(1), ppid[:]}, {below(2), tcb}, {below(3), []byte{0, 0}}, {below(4), m.FMSPC[:]}, {below(5), asn1.Enumerated(1)},
	}
	if !m.Processor {
		all = append(all, member{below(6), ppid[:]}, member{below(7), []member{{below(7, 1), true}, {below(7, 2), true}, {below(7, 3), false}}})
	}
	value, err := asn1.Marshal(all)
	return pkix.Extension{Id: arc, Value: value}, err
}
