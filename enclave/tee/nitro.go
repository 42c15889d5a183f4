package tee

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

// nsm is the Nitro Security Module: a request of at most 4 KiB gives a response of at most 12 KiB, both CBOR.
// Source: aws-nitro-enclaves-nsm-api, whose requests are a text, or a map of one text to a map of arguments.
type nsm interface {
	call(request []byte) ([]byte, error)
}

// nitroRegister is the first one that belongs to programs.
const nitroRegister = 16

// Nitro is an AWS Nitro enclave.
type Nitro struct {
	unmeasured
	nsm nsm
}

// newNitro records the configuration in PCR 16 and locks it.
func newNitro(n nsm, c Config) (*Nitro, error) {
	if err := record(nitroPCR{n}, wire.TEE_KIND_NITRO, c); err != nil {
		return nil, err
	}
	locked, _, err := describePCR(n)
	if err != nil {
		return nil, fmt.Errorf("reading the lock of PCR %d: %w", nitroRegister, err)
	}
	if !locked {
		if err := lockPCR(n); err != nil {
			return nil, fmt.Errorf("locking PCR %d: %w", nitroRegister, err)
		}
	}
	return &Nitro{nsm: n}, nil
}

// Kind is Nitro.
func (*Nitro) Kind() wire.TeeKind { return wire.TEE_KIND_NITRO }

// Evidence is an attestation document with the report data as its user_data.
func (x *Nitro) Evidence(reportData []byte) (*wire.Evidence, error) {
	if len(reportData) != reportDataSize {
		return nil, fmt.Errorf("report data of %d bytes: want %d", len(reportData), reportDataSize)
	}
	const none = 0xf6 // null
	req := cborHead(nil, cborMap, 1)
	req = cborHead(cborString(req, "Attestation"), cborMap, 3)
	req = cborData(cborString(req, "user_data"), reportData)
	req = append(cborString(req, "nonce"), none)
	req = append(cborString(req, "public_key"), none)
	answer, err := ask(x.nsm, "Attestation", req)
	if err != nil {
		return nil, err
	}
	doc := answer["document"]
	if len(doc) == 0 {
		return nil, errors.New("asking the security module for a document: it gave none")
	}
	return &wire.Evidence{Kind: wire.TEE_KIND_NITRO, Quote: doc}, nil
}

type nitroPCR struct{ nsm nsm }

func (p nitroPCR) read() ([]byte, error) {
	_, value, err := describePCR(p.nsm)
	return value, err
}

func (p nitroPCR) extend(digest []byte) error {
	req := cborHead(nil, cborMap, 1)
	req = cborHead(cborString(req, "ExtendPCR"), cborMap, 2)
	req = cborHead(cborString(req, "index"), cborUint, nitroRegister)
	req = cborData(cborString(req, "data"), digest)
	_, err := ask(p.nsm, "ExtendPCR", req)
	return err
}

func describePCR(n nsm) (locked bool, value []byte, err error) {
	req := cborHead(nil, cborMap, 1)
	req = cborHead(cborString(req, "DescribePCR"), cborMap, 1)
	req = cborHead(cborString(req, "index"), cborUint, nitroRegister)
	answer, err := ask(n, "DescribePCR", req)
	if err != nil {
		return false, nil, err
	}
	return bytes.Equal(answer["lock"], []byte{1}), answer["data"], nil
}

func lockPCR(n nsm) error {
	req := cborHead(nil, cborMap, 1)
	req = cborHead(cborString(req, "LockPCR"), cborMap, 1)
	req = cborHead(cborString(req, "index"), cborUint, nitroRegister)
	_, err := ask(n, "LockPCR", req)
	return err
}

// ask sends a request and gives the answer's byte strings by name, and its true values as one byte 1.
func ask(n nsm, name string, request []byte) (map[string][]byte, error) {
	response, err := n.call(request)
	if err != nil {
		return nil, fmt.Errorf("asking the security module (%s): %w", name, err)
	}
	answer, err := parseAnswer(name, response)
	if err != nil {
		return nil, fmt.Errorf("reading the security module's answer to %s: %w", name, err)
	}
	return answer, nil
}

func parseAnswer(name string, response []byte) (map[string][]byte, error) {
	r := &cborReader{b: response}
	if len(response) > 0 && response[0]>>5 == cborText { // an answer without content
		if got := string(r.take(cborText)); r.err != nil || got != name || len(r.b) > 0 {
			return nil, fmt.Errorf("%w: %q", errCBOR, got)
		}
		return nil, nil
	}
	if major, n := r.head(); major != cborMap || n != 1 {
		return nil, fmt.Errorf("%w: no map of one answer", errCBOR)
	}
	got := string(r.take(cborText))
	if got == "Error" {
		return nil, fmt.Errorf("it refuses: %s", r.take(cborText))
	}
	major, n := r.head()
	if r.err != nil || got != name || major != cborMap || n > 8 {
		return nil, fmt.Errorf("%w: an answer %q with %d values", errCBOR, got, n)
	}
	out := map[string][]byte{}
	for range n {
		key := string(r.take(cborText))
		switch {
		case r.err != nil:
			return nil, r.err
		case len(r.b) > 0 && r.b[0]>>5 == cborBytes:
			out[key] = r.take(cborBytes)
		case len(r.b) > 0 && r.b[0] == 0xf5: // true
			out[key] = []byte{1}
			r.b = r.b[1:]
		default:
			r.skip()
		}
	}
	if r.err == nil && len(r.b) > 0 {
		r.fail(fmt.Sprintf("%d bytes follow", len(r.b)))
	}
	return out, r.err
}
