package nitro

import (
	"bytes"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// MaxSize is the largest document that is read, in bytes: the security module answers with at most 12 KiB.
const MaxSize = 16 << 10

// Limits of a document's parts, in numbers and bytes.
const (
	numPCRs        = 32
	pcrSize        = 48 // SHA-384
	maxBundle      = 8
	maxCertificate = 2 << 10
	maxUser        = 1024
	maxTime        = 1 << 45 // milliseconds: the year 3084
)

// Document is what a security module has signed. Nothing in it is proven before Verify.
type Document struct {
	TPM         bool   // PCRs are those of a NitroTPM; else of an enclave
	ModuleID    string // the instance's name and the enclave's
	Timestamp   uint64 // milliseconds since 1970
	PCRs        [numPCRs][]byte
	Certificate []byte   // DER, of the key that signed the document
	CABundle    [][]byte // DER, from the root to what signed Certificate
	PublicKey   []byte   // these three are the program's; nil where it gave none
	UserData    []byte
	Nonce       []byte

	protected, payload, signature []byte
	encoded                       []byte // the payload with its head, which has the one shortest form
}

// algES384 are protected headers that name ECDSA on P-384 with SHA-384 and nothing else: {1: -35} (RFC 9053, 2.1).
var algES384 = []byte{0xa1, 0x01, 0x38, 0x22}

// Parse reads a COSE_Sign1 (RFC 9052, 4.2), with its tag or without, in which the payload is a document. Unknown, doubled and missing
// members are refused, as is whatever follows.
func Parse(b []byte) (*Document, error) {
	if len(b) > MaxSize {
		return nil, malformed("document", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at most %d", MaxSize))
	}
	const tag = 0xd2 // 18
	r := &reader{b: b}
	if len(b) > 0 && b[0] == tag {
		r.b = b[1:]
	}
	if n := r.head("COSE_Sign1", cborArray); r.err == nil && n != 4 {
		r.fail("COSE_Sign1", fmt.Sprintf("an array of %d", n), "an array of four")
	}
	d := &Document{protected: r.take("protected headers", cborBytes)}
	if n := r.head("unprotected headers", cborMap); r.err == nil && n != 0 {
		r.fail("unprotected headers", fmt.Sprintf("%d", n), "none")
	}
	rest := r.b
	d.payload = r.take("payload", cborBytes)
	d.encoded = rest[:len(rest)-len(r.b)]
	d.signature = r.take("signature", cborBytes)
	r.end("COSE_Sign1")
	if r.err != nil {
		return nil, r.err
	}
	if !bytes.Equal(d.protected, algES384) {
		return nil, claims.Refuse("malformed", "protected headers", fmt.Sprintf("%x", d.protected), "a1013822: ES384 alone", "send the document as the security module gave it")
	}
	if len(d.signature) != 96 {
		return nil, malformed("signature", fmt.Sprintf("%d bytes", len(d.signature)), "96")
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d, d.complete()
}

// read takes the members of the payload, each once.
func (d *Document) read() error {
	r := &reader{b: d.payload}
	seen := map[string]bool{}
	r.each("payload", 10, func() {
		name := string(r.take("name of a member", cborText))
		if r.err != nil {
			return
		}
		if seen[name] {
			r.fail(name, "twice", "once")
			return
		}
		seen[name] = true
		d.member(r, name)
	})
	r.end("payload")
	if r.err == nil && seen["pcrs"] == seen["nitrotpm_pcrs"] {
		r.fail("PCRs", fmt.Sprintf("pcrs there: %v, nitrotpm_pcrs there: %v", seen["pcrs"], seen["nitrotpm_pcrs"]), "one of the two")
	}
	return r.err
}

func (d *Document) member(r *reader, name string) {
	switch name {
	case "module_id":
		d.ModuleID = string(r.take(name, cborText))
	case "timestamp":
		d.Timestamp = r.head(name, cborUint)
	case "digest":
		if got := string(r.take(name, cborText)); r.err == nil && got != "SHA384" {
			r.fail(name, fmt.Sprintf("%q", got), "SHA384")
		}
	case "pcrs", "nitrotpm_pcrs":
		d.TPM = name == "nitrotpm_pcrs"
		r.each(name, numPCRs, func() { d.pcr(r, name) })
	case "certificate":
		d.Certificate = r.take(name, cborBytes)
	case "cabundle":
		n := r.head(name, cborArray)
		if r.err == nil && (n == 0 || n > maxBundle) {
			r.fail(name, fmt.Sprintf("%d certificates", n), fmt.Sprintf("1 to %d", maxBundle))
		}
		for ; n > 0 && r.err == nil; n-- {
			d.CABundle = append(d.CABundle, r.take(name, cborBytes))
		}
	case "public_key":
		d.PublicKey = r.optional(name)
	case "user_data":
		d.UserData = r.optional(name)
	case "nonce":
		d.Nonce = r.optional(name)
	default:
		r.fail("member", fmt.Sprintf("%q", name), "those that AWS documents")
	}
}

func (d *Document) pcr(r *reader, name string) {
	index := r.head(name, cborUint)
	value := r.take(name, cborBytes)
	switch {
	case r.err != nil:
	case index >= numPCRs || len(value) != pcrSize:
		r.fail(name, fmt.Sprintf("PCR%d of %d bytes", index, len(value)), fmt.Sprintf("PCR0 to PCR%d of %d", numPCRs-1, pcrSize))
	case d.PCRs[index] != nil:
		r.fail(name, fmt.Sprintf("PCR%d twice", index), "each once")
	default:
		d.PCRs[index] = value
	}
}

// complete refuses a document whose members have impossible sizes or are missing.
func (d *Document) complete() error {
	for _, x := range []struct {
		field       string
		n, from, to int
	}{
		{"module_id", len(d.ModuleID), 1, 128},
		{"certificate", len(d.Certificate), 1, maxCertificate},
		{"cabundle", len(d.CABundle), 1, maxBundle},
		{"public_key", len(d.PublicKey), 0, maxUser},
		{"user_data", len(d.UserData), 0, maxUser},
		{"nonce", len(d.Nonce), 0, maxUser},
	} {
		if x.n < x.from || x.n > x.to {
			return malformed(x.field, fmt.Sprint(x.n), fmt.Sprintf("%d to %d", x.from, x.to))
		}
	}
	for _, c := range d.CABundle {
		if len(c) == 0 || len(c) > maxCertificate {
			return malformed("cabundle", fmt.Sprintf("a certificate of %d bytes", len(c)), fmt.Sprintf("1 to %d", maxCertificate))
		}
	}
	if d.Timestamp == 0 || d.Timestamp > maxTime {
		return malformed("timestamp", fmt.Sprint(d.Timestamp), "milliseconds since 1970")
	}
	if d.PCRs[0] == nil {
		return malformed("PCRs", "without PCR0", "at least PCR0")
	}
	return nil
}
