package sevsnptest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/phala-go/phala/core/attest/sevsnp"
)

type certified struct {
	root      sevsnp.Root
	leaf, crl []byte
}

// certify makes the certificates and the list (57230).
func (m Machine) certify() (certified, error) {
	out := certified{root: sevsnp.Root{Line: m.Line}}
	line := string(m.Line)
	ark, err := m.authority(ARK, "ARK-"+line, SerialARK, m.Root, nil, x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	if err != nil {
		return out, err
	}
	ask, err := m.authority(ASK, "SEV-"+line, SerialMid, m.Mid, ark, x509.KeyUsageCertSign)
	if err != nil {
		return out, err
	}
	asvk, err := m.authority(ASVK, "SEV-VLEK-"+line, SerialMid, m.Mid, ark, x509.KeyUsageCertSign)
	if err != nil {
		return out, err
	}
	out.root.Key = sha256.Sum256(ark.RawSubjectPublicKeyInfo)
	out.root.ARK, out.root.ASK, out.root.ASVK = ark.Raw, ask.Raw, asvk.Raw
	out.root.Issued = [][32]byte{sha256.Sum256(ask.Raw), sha256.Sum256(asvk.Raw)}
	if out.leaf, err = m.leaf(ask, asvk); err != nil || m.CRL == nil {
		return out, err
	}
	out.crl, err = m.CRL.make(ark, m.ca(m.CRL.SignedBy))
	return out, err
}

func name(cn string) pkix.Name {
	return pkix.Name{
		OrganizationalUnit: []string{"Engineering"}, Country: []string{"US"}, Locality: []string{"Santa Clara"},
		Province: []string{"CA"}, Organization: []string{"Advanced Micro Devices"}, CommonName: cn,
	}
}

// authority makes the certificate of a CA; without a parent it is signed by itself.
func (m Machine) authority(c CA, cn string, n int64, p Period, parent *x509.Certificate, usage x509.KeyUsage) (*x509.Certificate, error) {
	key, err := m.ca(c).key()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial(n), Subject: name(cn), NotBefore: p.From, NotAfter: p.To, SignatureAlgorithm: x509.SHA384WithRSAPSS,
		KeyUsage: usage, BasicConstraintsValid: true, IsCA: true, SubjectKeyId: []byte(cn),
	}
	if parent == nil {
		parent = t
	}
	raw, err := create(t, parent, &key.PublicKey, m.ca(ARK))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

func create(t, parent *x509.Certificate, key any, by CA) ([]byte, error) {
	signer, err := by.key()
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificate(nil, t, parent, key, salted{signer})
}

// salted signs with a salt that depends on nothing but the digest.
type salted struct{ key *rsa.PrivateKey }

// Public is the key's.
func (s salted) Public() crypto.PublicKey { return s.key.Public() }

// Sign is RSA-PSS.
func (s salted) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(&stream{seed: digest}, digest, o)
}

// leaf makes the certificate of the key that signs reports.
func (m Machine) leaf(ask, asvk *x509.Certificate) ([]byte, error) {
	key, err := leafKey(m.name())
	if err != nil {
		return nil, err
	}
	parent, by, kind := ask, ASK, m.Key
	if m.Cert.Renamed {
		kind = m.Cert.Key
	}
	if kind == sevsnp.VLEK {
		parent, by = asvk, ASVK
	}
	if m.Cert.IsSigned {
		by = m.Cert.SignedBy
	}
	issuer := *parent
	issuer.PublicKey = nil // x509 would compare it with the signer
	if m.Cert.Line != "" {
		issuer.RawSubject, issuer.Subject = nil, name(strings.Replace(parent.Subject.CommonName, string(m.Line), string(m.Cert.Line), 1))
	}
	return create(&x509.Certificate{
		SerialNumber: serial(m.Cert.Serial), Subject: name("SEV-" + kind.String()), NotBefore: m.Cert.From, NotAfter: m.Cert.To,
		SignatureAlgorithm: x509.SHA384WithRSAPSS, ExtraExtensions: m.extensions(kind),
	}, &issuer, &key.PublicKey, m.ca(by))
}

// extensions are AMD's.
func (m Machine) extensions(kind sevsnp.Key) []pkix.Extension {
	line, svns := m.Line, m.Reported
	if m.Cert.Line != "" {
		line = m.Cert.Line
	}
	if m.Cert.SVNs != nil {
		svns = *m.Cert.SVNs
	}
	values := map[string][]byte{"1": {2, 1, 0}, "2": text(string(line))}
	if m.Cert.Product != "" {
		values["2"] = text(m.Cert.Product)
	}
	for id, v := range map[string]uint8{"3.1": svns.Bootloader, "3.2": svns.TEE, "3.3": svns.SNP, "3.4": 0, "3.5": 0, "3.6": 0, "3.7": 0, "3.8": svns.Microcode} {
		values[id] = number(v)
	}
	if line == sevsnp.Turin {
		values["1"] = []byte{2, 1, 1}
		values["3.9"] = number(svns.FMC)
		delete(values, "3.4")
	}
	switch {
	case kind == sevsnp.VLEK:
		values["5"] = text(m.Cert.CSPID)
	case m.Cert.HWID != nil:
		values["4"] = m.Cert.HWID
	default:
		values["4"] = m.ChipID
	}
	maps.Copy(values, m.Cert.AddExtras)
	var out []pkix.Extension
	for _, id := range slices.Sorted(maps.Keys(values)) {
		if !m.Cert.Leave[id] {
			_, extra := m.Cert.AddExtras[id]
			out = append(out, pkix.Extension{Id: below(id), Value: values[id], Critical: extra && m.Cert.Critical})
		}
	}
	return out
}

// below is the object identifier below AMD's arc.
func below(id string) asn1.ObjectIdentifier {
	out := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}
	for part := range strings.SplitSeq(id, ".") {
		n, _ := strconv.Atoi(part)
		out = append(out, n)
	}
	return out
}

func number(v uint8) []byte {
	if v < 0x80 {
		return []byte{2, 1, v}
	}
	return []byte{2, 2, 0, v}
}

func text(s string) []byte { return append([]byte{22, byte(len(s))}, s...) }

// make makes the list.
func (c *CRL) make(ark *x509.Certificate, by CA) ([]byte, error) {
	key, err := by.key()
	if err != nil {
		return nil, err
	}
	t := &x509.RevocationList{Number: serial(1), ThisUpdate: c.From, NextUpdate: c.To, SignatureAlgorithm: x509.SHA384WithRSAPSS}
	for _, n := range c.Revoked {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial(n), RevocationTime: c.From})
	}
	if c.Delta {
		t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: number(1)}}
	}
	return x509.CreateRevocationList(nil, t, ark, salted{key})
}
