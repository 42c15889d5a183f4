package tpm

import (
	"bytes"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/measure"
	"github.com/phala-go/phala/core/wire"
)

// Options is what evidence is judged by. The zero value accepts nothing.
type Options struct {
	Now   time.Time // every certificate must be in force at this time
	Roots [][]byte  // DER of authorities that certify attestation keys
	Names [][]byte  // of attestation keys that are trusted by themselves, as Public.Name gives them
	Nonce []byte    // if not empty, the quote must have it
}

// Collateral is what may come with a quote.
type Collateral struct {
	Chain []byte // PEM: the AK's certificate, then each one's issuer; the root may be left out. If empty, the AK's name decides
	Log   []byte // the firmware's event log, crypto-agile; if not empty, it must lead to the quoted PCRs
}

// Verify gives what evidence proves: a wire.TpmQuote by a key that o trusts. The claims are zero if the error, claims.Reasons, is not nil.
//
// The measurement is measure.TPM of the quoted PCRs, report data the nonce, the chip the AK's name. Registers are the quoted PCRs.
// Nothing is said of memory, which a TPM does not hide, and nothing of the firmware, whose PCRs are in no measurement.
func Verify(quote []byte, c Collateral, o Options) (claims.Claims, error) {
	if o.Now.IsZero() {
		return claims.Claims{}, claims.Refuse("no-trust", "Options", "without time", "the time of the block", "who asks must say when it is: the evidence is not to blame")
	}
	var w wire.TpmQuote
	if err := wire.Unmarshal(quote, &w); err != nil {
		return claims.Claims{}, claims.Refuse("malformed", "quote", err.Error(), "a TpmQuote", "send it as the guest made it")
	}
	p, err := ParsePublic(w.AkPublic)
	if err != nil {
		return claims.Claims{}, fmt.Errorf("reading the AK: %w", err)
	}
	var out claims.Claims
	if err := p.trusted(c.Chain, o, &out); err != nil {
		return claims.Claims{}, err
	}
	q, pcrs, err := p.quoted(&w, o.Nonce)
	if err != nil {
		return claims.Claims{}, err
	}
	values := map[int][]byte{}
	for _, i := range q.Selected {
		values[i] = pcrs[i]
		out.Registers = append(out.Registers, claims.Register{Name: fmt.Sprintf("PCR%d", i), Value: pcrs[i]})
	}
	if err := explain(c.Log, pcrs); err != nil {
		return claims.Claims{}, err
	}
	if out.Measurement = measure.TPM(values); out.Measurement == nil {
		return claims.Claims{}, claims.Refuse("pcr-missing", "pcrSelect", fmt.Sprint(q.Selected), "some of 4, 8, 9, 11 to 14", "quote the PCRs 0 to 15")
	}
	out.ReportData, out.ChipID = q.ExtraData, p.Name()
	return out, nil
}

// quoted is the quote once p's key has signed it, with its values in the SHA-256 bank. Without a nonce to compare with, the quote's own
// is the caller's to judge, as report data.
func (p *Public) quoted(w *wire.TpmQuote, nonce []byte) (*Quote, *PCRs, error) {
	pcrs, err := Values(w.Pcrs)
	if err != nil {
		return nil, nil, err
	}
	q, err := ParseQuote(w.Attest)
	if err != nil {
		return nil, nil, err
	}
	if q.Bank != AlgSHA256 {
		return nil, nil, claims.Refuse("bank", "pcrSelect", q.Bank.String(), "SHA256", "quote the SHA-256 bank")
	}
	if len(nonce) == 0 {
		nonce = q.ExtraData
	}
	q, err = verifyQuote(p, w.Attest, w.Signature, pcrs, nonce)
	return q, pcrs, err
}

// Values are PCRs by index; each once, ascending and not empty.
func Values(list []*wire.TpmPcr) (*PCRs, error) {
	var out PCRs
	last := -1
	for _, p := range list {
		i := int(p.GetIndex())
		if p == nil || p.Index >= NumPCRs || i <= last {
			return nil, claims.Refuse("malformed", "pcrs", fmt.Sprintf("PCR%d after PCR%d", p.GetIndex(), last), "each once, ascending, below 24", "send the quoted PCRs in the order of their numbers")
		}
		if len(p.Value) == 0 {
			return nil, claims.Refuse("malformed", fmt.Sprintf("PCR%d", i), "empty", "32 bytes", "leave out PCRs that are not quoted")
		}
		out[i], last = p.Value, i
	}
	return &out, nil
}

// explain is nil if log is empty, or leads to every PCR. Programs that run after the firmware may extend 8 to 15 and log it elsewhere: of
// these only those that the log has events of must follow.
func explain(log []byte, pcrs *PCRs) error {
	if len(log) == 0 {
		return nil
	}
	l, err := eventlog.Parse(log)
	if err != nil {
		return err
	}
	logged := [NumPCRs]bool{}
	for _, e := range l.Events {
		if e.Register < NumPCRs && e.Type != eventlog.NoAction {
			logged[e.Register] = true
		}
	}
	const firmware = 8
	var registers []claims.Register
	for i, v := range pcrs {
		if v == nil && logged[i] && i < firmware {
			return claims.Refuse("event-log", fmt.Sprintf("PCR%d", i), "not quoted", "the value to which the log's events lead", "quote the PCRs 0 to 15")
		}
		if v != nil && (i < firmware || logged[i]) {
			registers = append(registers, claims.Register{Name: fmt.Sprintf("PCR%d", i), Value: v})
		}
	}
	return l.Explain(registers)
}

func contains(list [][]byte, b []byte) bool {
	for _, x := range list {
		if bytes.Equal(x, b) {
			return true
		}
	}
	return false
}
