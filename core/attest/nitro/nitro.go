// Package nitro checks what AWS's Nitro system says about a program: attestation documents of enclaves, and of EC2 instances with a
// NitroTPM. AWS's root, pinned here by hash, vouches for a key that lives three hours, and that key has signed the document. The package
// must never believe a root that came with the document, read a clock or fetch anything; a revocation list does not exist.
//
// Sources: AWS Nitro Enclaves user guide and aws-nitro-enclaves-nsm-api, attestation_process.md (enclaves); Amazon EC2 user guide,
// NitroTPM attestation document; RFC 8949 (CBOR); RFC 9052 and 9053 (COSE_Sign1, ES384).
package nitro

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha512"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// maxAhead is how far a document may be ahead of the time that it is judged at: a block's time is a little in the past.
const maxAhead = 5 * time.Minute

// measuredPCRs are the PCRs of a NitroTPM of which the measurement is made: the boot program (4, a unified kernel image whole), what
// boot loaders and kernel add (8, 9, 11 to 14). The firmware's own are left out: AWS's hardware gives it, and vouches with the document.
var measuredPCRs = []int{4, 8, 9, 11, 12, 13, 14}

// Options is what a document is judged by. The zero value accepts nothing.
type Options struct {
	Now   time.Time // every certificate must be in force at this time
	Root  []byte    // DER of the root; AWSRoot in production, another only in tests and development
	Nonce []byte    // if not empty, the document must have it
}

// Verify gives what a document proves. The claims are zero if the error, a claims.Reason, is not nil. Debug is a claim, not an error.
//
// The measurement of an enclave is PCR0 (48 bytes): the hash of its image, which AWS's own policies call ImageSha384. In debug mode all
// PCRs are zero. That of an instance with a NitroTPM is SHA-384("phala/nitrotpm-measurement/v1" || for each of the PCRs 4, 8, 9, 11 to
// 14 that is there: its number in one byte || its value). Report data is user_data, which may be of any size up to 1,024 bytes. ChipID is the
// name of the instance: AWS tells no hardware.
func Verify(document []byte, o Options) (claims.Claims, error) {
	if o.Now.IsZero() || len(o.Root) == 0 {
		return claims.Claims{}, claims.Refuse("no-trust", "Options", "without time or root", "the time of the block and AWS's root", "hand in AWSRoot()")
	}
	d, err := Parse(document)
	if err != nil {
		return claims.Claims{}, err
	}
	var out claims.Claims
	key, err := d.chain(o.Root, o.Now, &out)
	if err != nil {
		return claims.Claims{}, err
	}
	if err := d.signed(key); err != nil {
		return claims.Claims{}, err
	}
	made := time.UnixMilli(int64(d.Timestamp))
	if made.After(o.Now.Add(maxAhead)) {
		return claims.Claims{}, claims.Refuse("not-yet-valid", "timestamp", stamp(made), "at most five minutes after "+stamp(o.Now), "check the clock")
	}
	if len(o.Nonce) > 0 && !bytes.Equal(d.Nonce, o.Nonce) {
		return claims.Claims{}, claims.Refuse("nonce", "nonce", fmt.Sprintf("%x", d.Nonce), fmt.Sprintf("%x", o.Nonce), "take a document with the nonce that was asked for")
	}
	d.claim(&out)
	return out, nil
}

// signed is nil if key has signed the document: ECDSA over the Sig_structure (RFC 9052, 4.4), r || s.
func (d *Document) signed(key *ecdsa.PublicKey) error {
	h := sha512.New384()
	h.Write([]byte("\x84\x6aSignature1")) // an array of four, the first of which is the context
	h.Write(append([]byte{cborBytes<<5 | byte(len(d.protected))}, d.protected...))
	h.Write([]byte{cborBytes << 5}) // no external data
	h.Write(d.encoded)
	r, s := new(big.Int).SetBytes(d.signature[:48]), new(big.Int).SetBytes(d.signature[48:])
	if !ecdsa.Verify(key, h.Sum(nil), r, s) {
		return claims.Refuse("signature", "signature of the document", "not the certificate's", "one over this document", "send the document as the security module gave it")
	}
	return nil
}

// claim writes what the verified document says.
func (d *Document) claim(out *claims.Claims) {
	for i, v := range d.PCRs {
		if v != nil {
			out.Registers = append(out.Registers, claims.Register{Name: fmt.Sprintf("PCR%d", i), Value: v})
		}
	}
	out.ReportData = d.UserData
	if id, ok := instance(d.ModuleID); ok {
		out.ChipID = []byte(id)
	}
	if d.TPM {
		out.Measurement = d.measurement()
		return
	}
	out.Measurement = d.PCRs[0]
	out.Debug = bytes.Equal(d.PCRs[0], make([]byte, pcrSize))
}

func (d *Document) measurement() []byte {
	h := sha512.New384()
	h.Write([]byte("phala/nitrotpm-measurement/v1"))
	for _, i := range measuredPCRs {
		if v := d.PCRs[i]; v != nil {
			h.Write(append([]byte{byte(i)}, v...))
		}
	}
	return h.Sum(nil)
}

// instance is the instance's name in "i-0123456789abcdef0-enc0123456789abcdef".
func instance(module string) (string, bool) {
	rest, ok := strings.CutPrefix(module, "i-")
	name, _, more := strings.Cut(rest, "-")
	if !ok || !more || name == "" || strings.Trim(name, "0123456789abcdef") != "" {
		return "", false
	}
	return "i-" + name, true
}
