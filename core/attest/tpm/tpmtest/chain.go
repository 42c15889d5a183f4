package tpmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"time"
)

// Now is a time at which everything here is in force.
func Now() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

// Authority certifies AKs: a root and a CA below it, as Edit has changed their certificates.
type Authority struct {
	Root []byte                               // DER
	Edit func(place int, c *x509.Certificate) // of 0, the AK's, and 1, the CA's; nil for certificates in order

	template *x509.Certificate
	key      crypto.Signer
}

// NewAuthority makes the root.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &Authority{template: ca("root of TPMs"), key: key}
	a.Root, err = x509.CreateCertificate(rand.Reader, a.template, a.template, key.Public(), key)
	return a, err
}

func ca(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: Now().AddDate(-1, 0, 0), NotAfter: Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// Chain is the PEM of the AK's certificate and the CA's. The AK's has no subject but a critical name of a directory, as TCG wants it.
func (a *Authority) Chain(ak crypto.PublicKey) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	middle := ca("CA of TPMs")
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: Now().AddDate(0, -1, 0), NotAfter: Now().AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 3}},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: []byte{0x30, 4, 0xa4, 2, 0x30, 0}}},
	}
	if a.Edit != nil {
		a.Edit(0, leaf)
		a.Edit(1, middle)
	}
	one, err := x509.CreateCertificate(rand.Reader, leaf, middle, ak, key)
	if err != nil {
		return nil, err
	}
	two, err := x509.CreateCertificate(rand.Reader, middle, a.template, key.Public(), a.key)
	return append(block(one), block(two)...), err
}

func block(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
