package sevsnp

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Root is a trusted ARK and what AMD has certified with it.
type Root struct {
	Line Line
	// Key is the SHA-256 of the ARK's SubjectPublicKeyInfo: this is what is trusted.
	Key [32]byte
	// ARK is its certificate, DER. ASK and ASVK are the intermediates for collateral that brings none; they are checked all the same.
	ARK, ASK, ASVK []byte
	// Issued are the SHA-256 of intermediates, in DER, that the ARK is known to have signed: checking the signature over the same bytes at
	// each report would take a fifth of the time. Everything else about them is checked.
	Issued [][32]byte
}

// checkChain is nil if a trusted ARK vouches for the leaf at that time, and has not revoked it. It narrows out's validity.
func (k *leaf) checkChain(c Collateral, o Options, out *claims.Claims) error {
	ark, mid, err := k.anchor(c.Intermediate, o.Roots)
	if err != nil {
		return err
	}
	if err := issued("leaf", k.cert, mid); err != nil {
		return err
	}
	for _, x := range []*x509.Certificate{ark, mid, k.cert} {
		if err := inForce(x.Subject.CommonName+" certificate", x.NotBefore, x.NotAfter, o.Now); err != nil {
			return err
		}
		out.Within(x.NotBefore, x.NotAfter)
	}
	if len(c.CRL) == 0 {
		if !o.AllowMissingCRL {
			return claims.Refuse("missing-crl", "CRL", "empty", "AMD's CRL for "+string(k.line), "send the CRL of AMD's key distribution service with the report")
		}
		return nil
	}
	return checkCRL(c.CRL, ark, []*x509.Certificate{mid, k.cert}, o.Now, out)
}

// anchor is the first of the line's trusted ARKs that vouches for the intermediate, with that intermediate. A development network has
// two for a line: its own and AMD's.
func (k *leaf) anchor(given []byte, roots []Root) (ark, mid *x509.Certificate, err error) {
	err = claims.Refuse("untrusted-root", "product line", string(k.line), "one whose ARK is trusted", "run on a machine of Milan, Genoa or Turin, or name its root to a development network")
	for i := range roots {
		if roots[i].Line != k.line {
			continue
		}
		if ark, err = roots[i].certificate(); err != nil {
			continue
		}
		if mid, err = k.intermediate(given, &roots[i]); err != nil {
			continue
		}
		if err = roots[i].issued(mid, ark); err == nil {
			return ark, mid, nil
		}
	}
	return nil, nil, err
}

// issued is nil if the ARK has signed the intermediate.
func (r *Root) issued(mid, ark *x509.Certificate) error {
	if slices.Contains(r.Issued, sha256.Sum256(mid.Raw)) {
		return mayIssue("intermediate", mid, ark)
	}
	return issued("intermediate", mid, ark)
}

// certificate is the ARK's, if it has the trusted key.
func (r *Root) certificate() (*x509.Certificate, error) {
	certs, err := parseCertificates("ARK", r.ARK, 1)
	if err != nil {
		return nil, err
	}
	return certs[0], r.is(certs[0])
}

func (r *Root) is(ark *x509.Certificate) error {
	if got := sha256.Sum256(ark.RawSubjectPublicKeyInfo); got != r.Key {
		return claims.Refuse("untrusted-root", "key of "+ark.Subject.CommonName, fmt.Sprintf("%x", got), fmt.Sprintf("%x", r.Key), "send the chain that AMD publishes for "+string(r.Line))
	}
	return nil
}

// intermediate is the ASK or ASVK: the given one, or the one known for the root.
func (k *leaf) intermediate(given []byte, root *Root) (*x509.Certificate, error) {
	if len(given) == 0 {
		given = root.ASK
		if k.kind == VLEK {
			given = root.ASVK
		}
	}
	certs, err := parseCertificates("intermediate", given, 2)
	if err != nil {
		return nil, err
	}
	if len(certs) == 2 {
		if err := root.is(certs[1]); err != nil {
			return nil, err
		}
	}
	if len(certs[0].UnhandledCriticalExtensions) > 0 {
		return nil, malformed("intermediate", "one with unknown critical extensions", "AMD's profile (57230)")
	}
	return certs[0], nil
}

func inForce(what string, from, to, now time.Time) error {
	const layout = "2006-01-02 15:04:05Z"
	if now.Before(from) {
		return claims.Refuse("not-yet-valid", what, "in force from "+from.UTC().Format(layout), "at or before "+now.UTC().Format(layout), "check the clock of whoever made the collateral")
	}
	if now.After(to) {
		return claims.Refuse("expired", what, "in force until "+to.UTC().Format(layout), "at or after "+now.UTC().Format(layout), "fetch it anew")
	}
	return nil
}

// checkSignature is nil if key has signed the report: ECDSA on P-384 over the SHA-384 of its first 2A0h bytes.
func (p *Report) checkSignature(key any) error {
	digest := sha512.Sum384(p.signed)
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || !ecdsa.Verify(pub, digest[:], new(big.Int).SetBytes(p.r[:]), new(big.Int).SetBytes(p.s[:])) {
		return claims.Refuse("bad-signature", "SIGNATURE", "not made by the certified key over this report", "the "+p.SigningKey.String()+"'s signature", "send the report unchanged, with the certificate of the key that signed it")
	}
	return nil
}
