package sevsnp

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"testing"
	"time"
)

// AMD's constants vouch for one another, and are the files that were recorded.
func TestRootsOfAMD(t *testing.T) {
	roots := AMD()
	if len(roots) != 3 {
		t.Fatal(len(roots))
	}
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, r := range roots {
		ark, err := r.certificate()
		if err != nil {
			t.Fatal(err)
		}
		if err := issued("ARK", ark, ark); err != nil {
			t.Error(err)
		}
		for kind, der := range map[Key][]byte{VCEK: r.ASK, VLEK: r.ASVK} {
			mid, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if err := issued(mid.Subject.CommonName, mid, ark); err != nil {
				t.Error(err)
			}
			if !slices.Contains(r.Issued, sha256.Sum256(mid.Raw)) || len(r.Issued) != 2 {
				t.Errorf("%s: the hash of its certificate is not the constant's", mid.Subject.CommonName)
			}
			if mid.Subject.CommonName != intermediateName(r.Line, kind) || now.Before(mid.NotBefore) || now.After(mid.NotAfter) {
				t.Errorf("%s until %s", mid.Subject.CommonName, mid.NotAfter)
			}
		}
	}
}

func TestRootsAreTheRecorded(t *testing.T) {
	dir := evidence(t)
	for i, files := range [][2]string{
		{"ask_ark_milan.pem", "ask_ark_milan_vlek.pem"},
		{"ask_ark_genoa.pem", "ask_ark_genoa_vlek.pem"},
		{"ask_ark_turin_vcek.pem", "ask_ark_turin_vlek.pem"},
	} {
		r := AMD()[i]
		for j, mid := range [][]byte{r.ASK, r.ASVK} {
			certs, err := parseCertificates(files[j], read(t, dir, "roots", files[j]), 2)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(certs[0].Raw, mid) || !bytes.Equal(certs[1].Raw, r.ARK) {
				t.Errorf("%s differs", files[j])
			}
		}
	}
}

func TestBrokenConstantsTrustNothing(t *testing.T) {
	if der("?") != nil || hash("xyz") != [32]byte{} {
		t.Error("something came out of nothing")
	}
	r := Root{Line: Milan, ARK: der(milanARK)}
	if _, err := r.certificate(); err == nil {
		t.Error("a root without a key is trusted")
	}
}
