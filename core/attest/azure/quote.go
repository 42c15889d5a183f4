package azure

import (
	"crypto/rsa"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

// maxNonce is the size in bytes of the largest hash, which is the longest nonce of any use.
const maxNonce = 64

// verifyTPM is the vTPM's quote, once key has signed it and it explains its PCRs.
func verifyTPM(key *rsa.PublicKey, w *wire.TpmQuote) (*tpm.Quote, *tpm.PCRs, error) {
	if w == nil || len(w.Attest) == 0 {
		return nil, nil, claims.Refuse("no-quote", "tpm", "missing", "a quote of the vTPM", "an HCL report alone says nothing of the guest: send the quote with it")
	}
	if err := sameKey(key, w.AkPublic); err != nil {
		return nil, nil, err
	}
	pcrs, err := tpm.Values(w.Pcrs)
	if err != nil {
		return nil, nil, err
	}
	q, err := tpm.ParseQuote(w.Attest)
	if err != nil {
		return nil, nil, err
	}
	if n := len(q.ExtraData); n == 0 || n > maxNonce {
		return nil, nil, claims.Refuse("nonce", "extraData", fmt.Sprintf("%d bytes", n), fmt.Sprintf("1 to %d", maxNonce), "quote with the report data as nonce")
	}
	if err := checkSelected(q); err != nil {
		return nil, nil, err
	}
	s, err := tpm.ParseSignature(w.Signature)
	if err != nil {
		return nil, nil, err
	}
	// The nonce is the caller's to judge, as report data: nothing is known here that it could be compared with.
	q, err = tpm.VerifyQuoteKey(key, w.Attest, s, pcrs, q.ExtraData)
	return q, pcrs, err
}

// sameKey is nil if the public area, where it came with the quote at all, is of the key that the report names.
func sameKey(key *rsa.PublicKey, area []byte) error {
	if len(area) == 0 {
		return nil
	}
	p, err := tpm.ParsePublic(area)
	if err != nil {
		return fmt.Errorf("reading the AK: %w", err)
	}
	if !key.Equal(p.Key) {
		return claims.Refuse("wrong-ak", "ak_public", "another key", "the HCLAkPub of the runtime data", "leave it away, or send quote and HCL report of one machine")
	}
	return nil
}
