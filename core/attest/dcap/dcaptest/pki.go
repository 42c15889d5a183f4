package dcaptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

type pki struct {
	m    Machine
	made map[Role]*x509.Certificate
}

// ListURL is where all certificates say that their issuers' lists are; nothing is there.
const ListURL = "https://lists.invalid/list.der"

const day = 24 * time.Hour

// key is the key of that name, the same each time.
func key(name string) (*ecdsa.PrivateKey, error) {
	sum := sha256.Sum256([]byte("dcaptest key\x00" + name))
	sum[0] &= 0x7f // below the group's order
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
}

func (p *pki) key(r Role) (*ecdsa.PrivateKey, error) {
	if r == PCK {
		return key(p.m.Seed + "/" + string(r) + "/" + p.m.Chip)
	}
	return key(p.m.Seed + "/" + string(r))
}

func (p *pki) caName() string {
	if p.m.Processor {
		return "Intel SGX PCK Processor CA"
	}
	return "Intel SGX PCK Platform CA"
}

func serial(name string) *big.Int {
	sum := sha256.Sum256([]byte(name))
	sum[0] = 1
	return new(big.Int).SetBytes(sum[:20])
}

// certify makes the four certificates.
func (p *pki) certify() error {
	extension, err := p.m.extension()
	if err != nil {
		return fmt.Errorf("encoding the SGX extension: %w", err)
	}
	ca := x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	leaf := x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	for _, c := range []struct {
		role, issuer Role
		name         string
		usage        x509.KeyUsage
		path         int
		from, to     time.Duration
		extra        []pkix.Extension
	}{
		{Root, Root, "Intel SGX Root CA", ca, 1, -3000 * day, 8000 * day, nil},
		{PCKCA, Root, p.caName(), ca, 0, -2000 * day, 3000 * day, nil},
		{PCK, PCKCA, "Intel SGX PCK Certificate", leaf, -1, -400 * day, 2000 * day, []pkix.Extension{extension}},
		{Signer, Root, "Intel SGX TCB Signing", leaf, -1, -300 * day, 2000 * day, nil},
	} {
		t := &x509.Certificate{
			SerialNumber: serial(p.m.Seed + string(c.role)), NotBefore: p.m.At.Add(c.from), NotAfter: p.m.At.Add(c.to),
			Subject:  pkix.Name{CommonName: c.name, Organization: []string{"Intel Corporation"}, Locality: []string{"Santa Clara"}, Province: []string{"CA"}, Country: []string{"US"}},
			KeyUsage: c.usage, BasicConstraintsValid: true, IsCA: c.usage == ca, MaxPathLen: c.path, MaxPathLenZero: c.path == 0,
			SignatureAlgorithm: x509.ECDSAWithSHA256, ExtraExtensions: c.extra, CRLDistributionPoints: []string{ListURL},
		}
		id := sha256.Sum256([]byte("dcaptest key id\x00" + p.m.Seed + string(c.role)))
		t.SubjectKeyId = id[:20]
		if c.role == PCK {
			t.SerialNumber = serial(p.m.Seed + p.m.Chip)
		}
		if p.m.Cert != nil {
			p.m.Cert(c.role, t)
		}
		if err := p.sign(c.role, c.issuer, t); err != nil {
			return fmt.Errorf("making the certificate %s: %w", c.role, err)
		}
	}
	return nil
}

func (p *pki) sign(role, issuer Role, t *x509.Certificate) error {
	own, err := p.key(role)
	if err != nil {
		return err
	}
	by := issuer
	if r, ok := p.m.SignedBy[role]; ok {
		by = r
	}
	signer, err := p.key(by)
	if err != nil {
		return err
	}
	parent := t
	if issuer != role {
		copied := *p.made[issuer]
		copied.PublicKey = nil // x509 would compare it with the signer
		parent = &copied
	}
	der, err := x509.CreateCertificate(nil, t, parent, &own.PublicKey, signer) // no randomness: signatures of RFC 6979
	if err != nil {
		return err
	}
	p.made[role], err = x509.ParseCertificate(der)
	return err
}

// list makes the revocation list of a CA.
func (p *pki) list(issuer Role) ([]byte, error) {
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: p.m.At.Add(-10 * day), NextUpdate: p.m.At.Add(20 * day), SignatureAlgorithm: x509.ECDSAWithSHA256}
	for _, r := range p.m.Revoked {
		if (r == PCK) == (issuer == PCKCA) {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: p.made[r].SerialNumber, RevocationTime: p.m.At.Add(-20 * day)})
		}
	}
	if p.m.List != nil {
		p.m.List(issuer, l)
	}
	k, err := p.key(issuer)
	if err != nil {
		return nil, err
	}
	by := *p.made[issuer]
	by.KeyUsage |= x509.KeyUsageCRLSign
	by.PublicKey = k.Public()
	return x509.CreateRevocationList(nil, l, &by, k)
}

// chain is certificates in PEM.
func (p *pki) chain(roles ...Role) []byte {
	var b bytes.Buffer
	for _, r := range roles {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.made[r].Raw}))
	}
	return b.Bytes()
}
