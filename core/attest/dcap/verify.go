package dcap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// verification is one call of Verify. It goes on after a reason as far as that makes sense, so that an operator sees all of them.
type verification struct {
	now    time.Time
	errs   []error
	claims claims.Claims

	root      *cert
	ca        *cert  // the last PCK CA that was checked
	tcbSigner *cert  // the last TCB signing certificate that was checked
	underRoot []role // what the root CA's list may revoke
}

type role struct {
	*cert
	what string
}

// Verify checks a quote with its collateral and gives what it proves. The claims are the zero value if the error is not nil; the error
// joins one claims.Reason for each cause. Debug, outdated and revoked TCB levels are claims, not errors.
//
// The measurement of an SGX enclave is MRENCLAVE (32 bytes), that of a TD is
// SHA-384("phala/tdx-measurement/v1" || MRTD || RTMR0 || RTMR1 || RTMR2) (48 bytes): RTMR3 holds the configuration of the running
// program, and is checked for itself.
//
// The chip is named by its Platform Provisioning ID (16 bytes), which stays over boots, updates and quoting enclaves and is the same for
// SGX and TDX. If Intel left it zero, the SHA-256 of the PCK's public key stands for it (32 bytes), which changes when the
// platform's TCB is recovered. FMSPC names a family of platforms and no chip.
func Verify(quote []byte, c Collateral, o Options) (claims.Claims, error) {
	if err := o.check(); err != nil {
		return claims.Claims{}, err
	}
	if err := c.check(); err != nil {
		return claims.Claims{}, err
	}
	q, err := parseQuote(quote)
	if err != nil {
		return claims.Claims{}, err
	}
	v := &verification{now: o.Now}
	v.root = v.anchor(o.Root)
	pck, pckCA := v.pck(q, c)
	info := v.tcbInfo(c, q)
	identity := v.qeIdentity(c, q)
	v.lists(c, pck, pckCA)
	if pck != nil {
		v.signatures(q, pck)
		if p := v.platform(pck); p != nil && v.matches(info, p) {
			v.rate(q, pck, p, info, identity)
		}
	}
	if len(v.errs) != 0 {
		return claims.Claims{}, errors.Join(v.errs...)
	}
	return v.claims, nil
}

func (c Collateral) check() error {
	var errs []error
	for _, p := range []struct {
		name     string
		value    []byte
		optional bool
	}{
		{"TCB info", c.TCBInfo, false}, {"TCB info signature", c.TCBInfoSignature, false}, {"TCB info issuer chain", c.TCBInfoChain, false},
		{"QE identity", c.QEIdentity, false}, {"QE identity signature", c.QEIdentitySignature, false}, {"QE identity issuer chain", c.QEIdentityChain, false},
		{"PCK CRL", c.PCKCRL, false}, {"PCK CRL chain", c.PCKCRLChain, false}, {"root CA CRL", c.RootCRL, false}, {"PCK chain", c.PCKChain, true},
	} {
		if len(p.value) == 0 && !p.optional {
			errs = append(errs, claims.Refuse("collateral-missing", p.name, "none", "what Intel publishes", "fetch all collateral of this platform and hand it in with the quote"))
		}
		if len(p.value) > MaxPart {
			errs = append(errs, claims.Refuse("collateral-malformed", p.name, fmt.Sprintf("%d bytes", len(p.value)), fmt.Sprintf("at most %d", MaxPart), "hand it in as Intel publishes it"))
		}
	}
	return errors.Join(errs...)
}

// pck checks the PCK chain, from the quote or from the collateral.
func (v *verification) pck(q *quote, c Collateral) (leaf, ca *cert) {
	chain := c.PCKChain
	if q.certType == certPCKChain {
		if len(chain) != 0 && !bytes.Equal(bytes.TrimRight(chain, "\x00\n"), bytes.TrimRight(q.certData, "\x00\n")) {
			v.refuse("wrong-certificate", "PCK chain", "another chain in the collateral than in the quote", "one chain", "leave the chain out of the collateral")
			return nil, nil
		}
		chain = q.certData
	}
	if len(chain) == 0 {
		v.refuse("collateral-missing", "PCK chain", fmt.Sprintf("certification data of type %d", q.certType), "a chain in the quote or the collateral",
			"fetch the platform's PCK certificate and hand it in with the collateral")
		return nil, nil
	}
	return v.pckChain(chain, "PCK chain")
}

// signed checks a signature of the TCB signing certificate over JSON.
func (v *verification) signed(what string, body, signature, chain []byte) bool {
	signer := v.signer(chain, what+" issuer chain")
	if signer == nil {
		return false
	}
	if !signedRaw(signer.key, body, signature) {
		v.refuse("bad-signature", what, "not signed by "+signer.Subject.CommonName, "its issuer's signature over these bytes", "hand in the JSON byte for byte as Intel sent it")
		return false
	}
	return true
}

// inDate checks the dates of TCB info or QE identity.
func (v *verification) inDate(what string, d dated) {
	v.claims.Within(d.issue, d.next)
	v.between(what, d.issue, d.next, "collateral", "fetch it again: Intel's collateral counts for 30 days")
}

func (v *verification) tcbInfo(c Collateral, q *quote) *tcbInfo {
	const what = "TCB info"
	if !v.signed(what, c.TCBInfo, c.TCBInfoSignature, c.TCBInfoChain) {
		return nil
	}
	t, err := parseTCBInfo(c.TCBInfo)
	if err != nil {
		v.refuse("collateral-malformed", what, err.Error(), "TCB info of version 3", "fetch it from version 4 of Intel's service")
		return nil
	}
	want := "SGX"
	if q.tdx {
		want = "TDX"
	}
	if t.id != want {
		v.refuse("wrong-collateral", what+" id", t.id, want, "fetch the TCB info of this kind of TEE")
		return nil
	}
	v.inDate(what, t.dated)
	return t
}

func (v *verification) qeIdentity(c Collateral, q *quote) *qeIdentity {
	const what = "QE identity"
	if !v.signed(what, c.QEIdentity, c.QEIdentitySignature, c.QEIdentityChain) {
		return nil
	}
	i, err := parseQEIdentity(c.QEIdentity)
	if err != nil {
		v.refuse("collateral-malformed", what, err.Error(), "enclave identity of version 2", "fetch it from version 4 of Intel's service")
		return nil
	}
	want := "QE"
	if q.tdx {
		want = "TD_QE"
	}
	if i.id != want {
		v.refuse("wrong-collateral", what+" id", i.id, want, "fetch the QE identity of this kind of TEE")
		return nil
	}
	v.inDate(what, i.dated)
	return i
}

// signatures checks the way from the PCK to the quote: it signed the QE's report, which vouches for the attestation key, which signed the quote.
func (v *verification) signatures(q *quote, pck *cert) {
	const advice = "the quote was changed on its way, or put together from several: take a new one"
	if !signedRaw(pck.key, q.qeReport, q.qeSignature) {
		v.refuse("bad-signature", "QE report", "not signed by the PCK", "the PCK's signature", advice)
	}
	sum := sha256.New()
	sum.Write(q.key)
	sum.Write(q.qeAuth)
	want := append(sum.Sum(nil), make([]byte, 32)...)
	if got := report(q.qeReport).reportData(); !bytes.Equal(got, want) {
		v.refuse("wrong-qe", "QE report data", fmt.Sprintf("%x", got), fmt.Sprintf("%x (hash of attestation key and authentication data)", want), advice)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, q.key...))
	if err != nil {
		v.refuse("malformed-quote", "attestation key", fmt.Sprintf("%x", q.key), "a point of P-256", advice)
		return
	}
	if !signedRaw(key, q.signed, q.signature) {
		v.refuse("bad-signature", "quote", "not signed by the attestation key", "the attestation key's signature", advice)
	}
}

// matches is whether the TCB info is about this platform.
func (v *verification) matches(t *tcbInfo, p *platform) bool {
	if t == nil {
		return false
	}
	const advice = "fetch the TCB info of the platform's FMSPC, which its PCK certificate names"
	if t.fmspc != p.fmspc {
		v.refuse("wrong-collateral", "TCB info FMSPC", fmt.Sprintf("%x", t.fmspc), fmt.Sprintf("%x", p.fmspc), advice)
	}
	if t.pceID != p.pceID {
		v.refuse("wrong-collateral", "TCB info PCE id", fmt.Sprintf("%x", t.pceID), fmt.Sprintf("%x", p.pceID), advice)
	}
	return t.fmspc == p.fmspc && t.pceID == p.pceID
}
