package tpm

import (
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

const (
	magic       = 0xff544347 // TPM_GENERATED_VALUE: a restricted key signs nothing foreign that starts so
	attestQuote = 0x8018     // TPM_ST_ATTEST_QUOTE
)

// Quote is a TPMS_ATTEST of a quote (part 2, 10.12.12), with one bank selected.
type Quote struct {
	QualifiedSigner []byte // TPM2B_NAME: the key's place in the hierarchy
	ExtraData       []byte // the nonce
	Clock           uint64 // milliseconds
	ResetCount      uint32 // boots of the machine
	RestartCount    uint32 // resumes since
	Safe            bool   // the clock never went back
	FirmwareVersion uint64 // of the TPM, in its maker's counting
	Bank            Alg    // hash of the selected bank
	Selected        []int  // PCRs, ascending
	PCRDigest       []byte // over the selected values, by the AK's scheme hash
}

// ParseQuote reads a TPMS_ATTEST, without the length that a TPM2B_ATTEST has before it.
func ParseQuote(b []byte) (*Quote, error) {
	r := read(b, "TPMS_ATTEST")
	if m := r.U32(); m != magic && !r.Short {
		return nil, claims.Refuse("malformed", "magic", hex(m), "0xff544347: made by a TPM", "attest with a restricted key: a TPM signs only what it has made with such")
	}
	if t := r.U16(); t != attestQuote && !r.Short {
		return nil, claims.Refuse("malformed", "type", hex(t), "0x8018: a quote", "take a quote with TPM2_Quote")
	}
	q := &Quote{QualifiedSigner: r.sized(), ExtraData: r.sized(), Clock: r.U64(), ResetCount: r.U32(), RestartCount: r.U32()}
	safe := r.U8()
	q.Safe = safe == 1
	q.FirmwareVersion = r.U64()
	if n := r.U32(); n != 1 && !r.Short {
		return nil, claims.Refuse("malformed", "pcrSelect", count(int(n), "bank"), "one bank", "quote the SHA-256 bank alone")
	}
	q.Bank = r.alg()
	bitmap := r.Take(uint64(r.U8()))
	q.PCRDigest = r.sized()
	if err := r.end(); err != nil {
		return nil, err
	}
	if safe > 1 {
		return nil, claims.Refuse("malformed", "safe", fmt.Sprint(safe), "0 or 1", "take the evidence anew, and send it as the TPM gave it")
	}
	if n := len(q.QualifiedSigner); n < 2 || n > 66 {
		return nil, claims.Refuse("malformed", "qualifiedSigner", count(n, "byte"), "2 to 66", "take the evidence anew, and send it as the TPM gave it")
	}
	if len(bitmap) != NumPCRs/8 {
		return nil, claims.Refuse("malformed", "sizeofSelect", fmt.Sprint(len(bitmap)), fmt.Sprint(NumPCRs/8), "quote a selection of the PCRs 0 to 23")
	}
	for i := range NumPCRs {
		if bitmap[i/8]>>(i%8)&1 == 1 {
			q.Selected = append(q.Selected, i)
		}
	}
	return q, nil
}

// values is nil if pcrs are exactly the registers that the quote selects, and hash to its digest.
func (q *Quote) values(pcrs *PCRs, scheme Alg) error {
	bank, ok := q.Bank.Hash()
	if !ok {
		return claims.Refuse("bank", "pcrSelect", q.Bank.String(), "SHA256 or SHA384", "quote the SHA-256 bank")
	}
	hash, ok := scheme.Hash()
	if !ok {
		return claims.Refuse("ak-unsupported", "hash of the signature", scheme.String(), "SHA256, SHA384 or SHA512", "make the AK with SHA-256")
	}
	selected := [NumPCRs]bool{}
	w := hash.New()
	for _, i := range q.Selected {
		selected[i] = true
		if n := len(pcrs[i]); n != bank.Size() {
			return claims.Refuse("pcr-missing", fmt.Sprintf("PCR%d", i), count(n, "byte"), fmt.Sprintf("the %d bytes that the quote selects", bank.Size()), "send the value of every quoted PCR")
		}
		w.Write(pcrs[i])
	}
	for i, v := range pcrs {
		if v != nil && !selected[i] {
			return claims.Refuse("pcr-not-quoted", fmt.Sprintf("PCR%d", i), "given", "only registers that the quote selects", "quote it too, or leave its value away")
		}
	}
	if got := w.Sum(nil); string(got) != string(q.PCRDigest) {
		return claims.Refuse("pcr-digest", "pcrDigest", fmt.Sprintf("%x", got), fmt.Sprintf("%x", q.PCRDigest), "send the values that were quoted; quote again if a PCR was extended meanwhile")
	}
	return nil
}
