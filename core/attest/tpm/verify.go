package tpm

import (
	"bytes"
	"crypto"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// VerifyQuote says that the key ak (TPMT_PUBLIC), which can sign nothing but what its TPM made, has signed quote (TPMS_ATTEST) with
// signature (TPMT_SIGNATURE), that pcrs are what it selects and hash to its digest, and that it answers nonce, which may not be empty.
// It says nothing of whose key ak is: that is the caller's, or Verify's.
func VerifyQuote(ak, quote, signature []byte, pcrs *PCRs, nonce []byte) (*Quote, error) {
	p, err := ParsePublic(ak)
	if err != nil {
		return nil, fmt.Errorf("reading the AK: %w", err)
	}
	return verifyQuote(p, quote, signature, pcrs, nonce)
}

func verifyQuote(p *Public, quote, signature []byte, pcrs *PCRs, nonce []byte) (*Quote, error) {
	if err := p.attests(); err != nil {
		return nil, err
	}
	s, err := ParseSignature(signature)
	if err != nil {
		return nil, err
	}
	if s.Scheme != p.Scheme || s.Hash != p.SchemeHash {
		return nil, claims.Refuse("signature", "scheme", s.Scheme.String()+" "+s.Hash.String(), "the AK's own: "+p.Scheme.String()+" "+p.SchemeHash.String(), "send quote, signature and AK of one TPM")
	}
	return VerifyQuoteKey(p.Key, quote, s, pcrs, nonce)
}

// VerifyQuoteKey is VerifyQuote for a key without its public area: the caller knows from elsewhere that it is restricted and whose it
// is, as of the key that Azure's paravisor puts into the report of the machine. key is *rsa.PublicKey or *ecdsa.PublicKey.
func VerifyQuoteKey(key crypto.PublicKey, quote []byte, s *Signature, pcrs *PCRs, nonce []byte) (*Quote, error) {
	q, err := ParseQuote(quote)
	if err != nil {
		return nil, err
	}
	if err := s.check(key, quote); err != nil {
		return nil, err
	}
	if len(nonce) == 0 || !bytes.Equal(q.ExtraData, nonce) {
		return nil, claims.Refuse("nonce", "extraData", fmt.Sprintf("%x", q.ExtraData), wantNonce(nonce), "quote again with the nonce that was asked for")
	}
	if err := q.values(pcrs, s.Hash); err != nil {
		return nil, err
	}
	return q, nil
}

func wantNonce(nonce []byte) string {
	if len(nonce) == 0 {
		return "a nonce, and none was given to compare with"
	}
	return fmt.Sprintf("%x", nonce)
}
