package tee

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/phala-go/phala/core/wire"
)

// tpmRegister is the PCR for a system's identity; nothing before init extends it.
const tpmRegister = 15

// quotedPCRs are those of firmware, boot loader, kernel and configuration; above 15 a program can set them back.
const quotedPCRs = 16

// TPM is a machine whose boot a TPM 2.0 has measured. Nothing hides its memory.
type TPM struct {
	unmeasured
	dev    io.ReadWriter
	ak     uint32 // handle of the attestation key
	public []byte // TPMT_PUBLIC
}

// newTPM records the configuration in PCR 15 and makes the attestation key, which the endorsement seed determines: it is the same
// at every boot, so that a policy can name it.
func newTPM(dev io.ReadWriter, c Config) (*TPM, error) {
	if err := record(tpmPCR{dev}, wire.TEE_KIND_TPM, c); err != nil {
		return nil, err
	}
	ak, public, err := createAK(dev)
	if err != nil {
		return nil, fmt.Errorf("making the TPM's attestation key: %w", err)
	}
	return &TPM{dev: dev, ak: ak, public: public}, nil
}

// Kind is TPM.
func (*TPM) Kind() wire.TeeKind { return wire.TEE_KIND_TPM }

// Evidence is a quote over the PCRs 0 to 15 of the SHA-256 bank with their values.
func (x *TPM) Evidence(reportData []byte) (*wire.Evidence, error) {
	if len(reportData) != reportDataSize {
		return nil, fmt.Errorf("report data of %d bytes: want %d", len(reportData), reportDataSize)
	}
	q, err := quotePCRs(x.dev, x.ak, reportData)
	if err != nil {
		return nil, err
	}
	q.AkPublic = x.public
	return &wire.Evidence{Kind: wire.TEE_KIND_TPM, Quote: wire.Marshal(q)}, nil
}

// quotePCRs has the key ak quote the PCRs 0 to 15 of the SHA-256 bank over a nonce, and gives their values too.
func quotePCRs(dev io.ReadWriter, ak uint32, nonce []byte) (*wire.TpmQuote, error) {
	for range 3 { // a PCR that is extended between reading and quoting makes them differ
		pcrs, err := readPCRs(dev, quotedPCRs)
		if err != nil {
			return nil, fmt.Errorf("reading the TPM's PCRs: %w", err)
		}
		attest, signature, err := quote(dev, ak, nonce, quotedPCRs)
		if err != nil {
			return nil, fmt.Errorf("asking the TPM for a quote: %w", err)
		}
		h := sha256.New()
		for _, p := range pcrs {
			h.Write(p)
		}
		if !bytes.HasSuffix(attest, h.Sum(nil)) {
			continue
		}
		q := &wire.TpmQuote{Attest: attest, Signature: signature}
		for i, p := range pcrs {
			q.Pcrs = append(q.Pcrs, &wire.TpmPcr{Index: uint32(i), Value: p})
		}
		return q, nil
	}
	return nil, errors.New("asking the TPM for a quote: its PCRs do not stand still. Something else extends them")
}

type tpmPCR struct{ dev io.ReadWriter }

func (p tpmPCR) read() ([]byte, error) {
	return readPCR(p.dev, tpmRegister)
}

func (p tpmPCR) extend(digest []byte) error { return extendPCR(p.dev, tpmRegister, digest) }
