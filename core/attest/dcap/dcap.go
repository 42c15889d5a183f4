// Package dcap verifies Intel's evidence: SGX quotes of version 3, TDX quotes of versions 4 and 5, with all the collateral that
// Intel signs about the platform. It says what a quote proves (claims), never whether that is enough: debug, an old TCB and a
// revoked level are reported for a policy to judge. It must never fetch, read a clock, keep anything between two calls, or
// look a certificate up by its serial number: Intel has issued two TCB signing certificates with the same one.
//
// Sources: Intel SGX ECDSA QuoteGenReference (quote version 3), Intel TDX DCAP Quoting Library API (versions 4 and 5), Intel SGX
// and TDX Provisioning Certification Service API version 4 (TCB info 3, enclave identity 2), Intel SGX PCK Certificate and
// Certificate Revocation List Profile 1.5. docs/spec/attestation-dcap.md says what is checked in which order.
package dcap

import (
	"errors"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
)

// Sizes in bytes; what is larger is not even parsed.
const (
	MaxQuote = 16 << 10 // real ones are about 5,000, and 8,000 with padding
	MaxPart  = 64 << 10 // each field of Collateral
)

// Collateral is what Intel publishes about a platform, as Intel signed it. The PCK chain alone may be empty.
type Collateral struct {
	TCBInfo          []byte // JSON: the value of "tcbInfo", byte for byte
	TCBInfoSignature []byte // 64 bytes, r || s
	TCBInfoChain     []byte // PEM: TCB signing certificate, root

	QEIdentity          []byte // JSON: the value of "enclaveIdentity", byte for byte
	QEIdentitySignature []byte // 64 bytes, r || s
	QEIdentityChain     []byte // PEM: TCB signing certificate, root

	PCKCRL      []byte // DER, of the CA that issued the platform's PCK certificate
	PCKCRLChain []byte // PEM: PCK CA, root
	RootCRL     []byte // DER, of the root CA

	// PCKChain is PEM: PCK certificate, PCK CA, root. It is needed for quotes whose certification data name the platform
	// only (types 1 to 3); if a quote carries its chain, this must be empty or say the same.
	PCKChain []byte
}

// Options is what a quote is judged by. The zero value accepts nothing.
type Options struct {
	Now  time.Time // everything relied on must be in force at this time
	Root []byte    // DER of the root CA; IntelRoot in production, another only in tests
}

func (o Options) check() error {
	var errs []error
	if o.Now.IsZero() {
		errs = append(errs, claims.Refuse("no-time", "Options.Now", "none", "the time at which the evidence must hold", "hand in the block's time"))
	}
	if len(o.Root) == 0 {
		errs = append(errs, claims.Refuse("no-root", "Options.Root", "none", "the root CA to trust", "hand in IntelRoot()"))
	}
	return errors.Join(errs...)
}
