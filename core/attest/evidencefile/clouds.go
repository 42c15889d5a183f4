package evidencefile

import (
	"crypto"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/wire"
)

// tpmJSON is a quote as tools for vTPMs write it. The signature is a TPMT_SIGNATURE or RSASSA's bare bytes, pcrs are all 24 of the SHA-256 bank.
type tpmJSON struct {
	Message   blob   `json:"message"`
	Signature blob   `json:"signature"`
	PCRs      []blob `json:"pcrs"`
}

func (t *tpmJSON) quote() (*wire.TpmQuote, error) {
	if len(t.PCRs) > 24 {
		return nil, malformed("pcrs", fmt.Sprint(len(t.PCRs)), "at most 24")
	}
	q := &wire.TpmQuote{Attest: unsized(t.Message), Signature: rsassa(t.Signature)}
	for i, v := range t.PCRs {
		q.Pcrs = append(q.Pcrs, &wire.TpmPcr{Index: uint32(i), Value: v})
	}
	return q, nil
}

func readTPMJSON(b []byte, _ members) (*File, error) {
	var t tpmJSON
	if err := decode(b, "quote", &t); err != nil {
		return nil, err
	}
	q, err := t.quote()
	if err != nil {
		return nil, err
	}
	return &File{Evidence: tpmEvidence(q)}, nil
}

// readTPMEvidence reads what a guest with a TPM of its own sends: a quote, and a key that comes along with it.
func readTPMEvidence(_ []byte, m members) (*File, error) {
	var t tpmJSON
	var key blob
	if err := decode(m["tpm_quote"], "TPM quote", &t); err != nil {
		return nil, err
	}
	if err := decode(m["ak_public"], "AK", &key); err != nil {
		return nil, err
	}
	q, err := t.quote()
	if err != nil {
		return nil, err
	}
	q.AkPublic = unsized(key)
	return &File{Evidence: tpmEvidence(q)}, nil
}

func readAzure(_ []byte, m members) (*File, error) {
	return readAzureParts(m["hcl_report"], m["tpm_quote"], m["vcek"])
}

func readAzureOld(_ []byte, m members) (*File, error) {
	return readAzureParts(m["report"], m["quote"], m["vcek"])
}

// readAzureParts reads what a guest behind Azure's paravisor sends: the report of the machine, the vTPM's quote, the VCEK.
func readAzureParts(report, quote, vcek json.RawMessage) (*File, error) {
	var hcl, leaf blob
	var t tpmJSON
	if err := decode(report, "HCL report", &hcl); err != nil {
		return nil, err
	}
	if err := decode(quote, "TPM quote", &t); err != nil {
		return nil, err
	}
	q, err := t.quote()
	if err != nil {
		return nil, err
	}
	f := &File{Evidence: azure(hcl, q)}
	if vcek == nil {
		return f, nil
	}
	if err := decode(vcek, "VCEK", &leaf); err != nil {
		return nil, err
	}
	return f, f.addCertificates(leaf)
}

// dstackEvent is one of dstack's log. Imr counts RTMRs from 0.
type dstackEvent struct {
	IMR     uint32 `json:"imr"`
	Type    uint32 `json:"event_type"`
	Digest  string `json:"digest"`
	Event   string `json:"event"`
	Payload string `json:"event_payload"`
}

// readDstack reads what dstack's guest agent answers: a quote, and a log as JSON within the JSON.
func readDstack(_ []byte, m members) (*File, error) {
	var quote blob
	var text string
	if err := decode(m["quote"], "quote", &quote); err != nil {
		return nil, err
	}
	if err := decode(m["event_log"], "event_log", &text); err != nil {
		return nil, err
	}
	var events []dstackEvent
	if err := json.Unmarshal([]byte(text), &events); err != nil {
		return nil, fmt.Errorf("reading event_log: %w", err)
	}
	f := &File{Evidence: intel(quote), LogKind: eventlog.RTMR, Log: &eventlog.Log{Banks: []crypto.Hash{crypto.SHA384}}}
	for i, e := range events {
		out, err := e.event(i + 1)
		if err != nil {
			return nil, fmt.Errorf("reading event %d: %w", i+1, err)
		}
		f.Log.Events = append(f.Log.Events, out)
	}
	return f, nil
}

func (e dstackEvent) event(number int) (eventlog.Event, error) {
	if e.IMR > 3 {
		return eventlog.Event{}, malformed("imr", fmt.Sprint(e.IMR), "0 to 3")
	}
	payload, err := hex.DecodeString(e.Payload)
	if err != nil {
		return eventlog.Event{}, fmt.Errorf("reading its payload: %w", err)
	}
	digest, err := hex.DecodeString(e.Digest)
	if err != nil {
		return eventlog.Event{}, fmt.Errorf("reading its digest: %w", err)
	}
	out := eventlog.Event{Number: number, Register: e.IMR + 1, Type: eventlog.Type(e.Type), Data: payload}
	if out.Type == eventlog.DstackRuntime {
		// dstack hashes the type, the name and the payload with colons between; where the log leaves the digest out, it follows.
		out.Data = append(binary.LittleEndian.AppendUint32(nil, e.Type), ":"+e.Event+":"+string(payload)...)
		want := sha512.Sum384(out.Data)
		if len(digest) != 0 && string(digest) != string(want[:]) {
			return out, malformed("digest of "+e.Event, e.Digest, hex.EncodeToString(want[:])+", which its text hashes to")
		}
		digest = want[:]
	}
	out.Digests = []eventlog.Digest{{Hash: crypto.SHA384, Value: digest}}
	return out, nil
}
