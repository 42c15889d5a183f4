// Package eventlog replays what firmware, loaders and programs have logged of their measurements (a TPM's TCG2 log, the CCEL of a TDX
// guest, dstack's JSON), says whether it explains the registers that evidence has signed, and shows it to people. A log proves nothing
// by itself: only where the replay equals signed registers do its digests count, and the text beside a digest counts only where it
// hashes to it. The package must never judge what was measured, only whether it was.
//
// Sources: TCG PC Client Platform Firmware Profile (10: event logging, crypto-agile format); TCG Guidance on CC event logs and UEFI
// 2.10, 38 (measurement registers of confidential computing); little-endian throughout.
package eventlog

import (
	"crypto"
	_ "crypto/sha1"   // linked: logs carry a SHA-1 bank, which is shown and never relied on
	_ "crypto/sha256" // linked for crypto.Hash
	_ "crypto/sha512" // linked for crypto.Hash
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// MaxSize is the largest log that is read, in bytes.
const MaxSize = 1 << 20

// Kind says which registers a log is about.
type Kind uint8

// Kinds of registers.
const (
	PCR  Kind = iota // of a TPM: index n is PCRn
	RTMR             // of a TDX guest: index n is RTMR(n-1); 0 is MRTD, which no event extends
)

// Name is the register's name in claims.
func (k Kind) Name(index uint32) string {
	switch {
	case k == PCR:
		return fmt.Sprintf("PCR%d", index)
	case index == 0:
		return "MRTD"
	default:
		return fmt.Sprintf("RTMR%d", index-1)
	}
}

// Digest is an event's digest in one bank. Hash is 0 for banks that we do not know.
type Digest struct {
	Hash  crypto.Hash
	Value []byte
}

// Event is one measurement.
type Event struct {
	Number   int    // in the log, from 1; the header is 0
	Register uint32 // PCR, or index of a measurement register
	Type     Type
	Digests  []Digest
	Data     []byte
}

// Digest is the event's digest in the bank of h; nil if the log has none.
func (e *Event) Digest(h crypto.Hash) []byte {
	for _, d := range e.Digests {
		if d.Hash == h {
			return d.Value
		}
	}
	return nil
}

// Log is a parsed log.
type Log struct {
	Banks  []crypto.Hash // as the header lists them; 0 for one that we do not know
	Events []Event
}

// Replay is what the events extend the register to in the bank of h, and how many they were. A register that nothing extends keeps
// the value that it starts with: zero, ones for the PCRs 17 to 22 of the dynamic root of trust, and the locality in PCR0.
func (l *Log) Replay(kind Kind, h crypto.Hash, register uint32) (value []byte, events int, err error) {
	value = make([]byte, h.Size())
	if kind == PCR && register >= 17 && register <= 22 {
		for i := range value {
			value[i] = 0xff
		}
	}
	for i := range l.Events {
		e := &l.Events[i]
		if e.Register != register {
			continue
		}
		if e.Type == NoAction {
			if locality, ok := startupLocality(e); ok && kind == PCR && register == 0 && events == 0 {
				value[len(value)-1] = locality
			}
			continue
		}
		digest := e.Digest(h)
		if len(digest) != h.Size() {
			return nil, 0, claims.Refuse("event-log", fmt.Sprintf("event %d", e.Number), "without a digest of "+h.String(), "one in every bank of the log", "take the log anew")
		}
		w := h.New()
		w.Write(value)
		w.Write(digest)
		value = w.Sum(value[:0])
		events++
	}
	return value, events, nil
}

// startupLocality reads the event in which the firmware says from where it started the TPM (Firmware Profile, 10.4.5.3).
func startupLocality(e *Event) (byte, bool) {
	const signature = "StartupLocality\x00"
	if len(e.Data) != len(signature)+1 || string(e.Data[:len(signature)]) != signature {
		return 0, false
	}
	return e.Data[len(signature)], true
}
