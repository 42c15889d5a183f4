package eventlog

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/phala-go/phala/core/attest/claims"
)

// register reads the names that claims use: "PCR7", "RTMR0". Others, as MRTD, are no business of a log.
func register(name string) (Kind, uint32, bool) {
	kind, digits, offset := PCR, "", uint64(0)
	switch {
	case strings.HasPrefix(name, "PCR"):
		digits = name[len("PCR"):]
	case strings.HasPrefix(name, "RTMR"):
		kind, digits, offset = RTMR, name[len("RTMR"):], 1
	default:
		return 0, 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	return kind, uint32(n + offset), err == nil
}

// bank is the hash whose bank a register of that size is in.
func bank(size int) (crypto.Hash, bool) {
	switch size {
	case crypto.SHA256.Size():
		return crypto.SHA256, true
	case crypto.SHA384.Size():
		return crypto.SHA384, true
	default:
		return 0, false
	}
}

// Explain is nil if the log's events lead to the value of every PCR and RTMR among registers; each that they do not lead to is a
// reason of its own. It is an error if none is among them: a log compared with nothing explains nothing.
func (l *Log) Explain(registers []claims.Register) error {
	var reasons []error
	var seen int
	for _, r := range registers {
		kind, index, ok := register(r.Name)
		if !ok {
			continue
		}
		seen++
		if err := l.explain(kind, index, r); err != nil {
			reasons = append(reasons, err)
		}
	}
	if seen == 0 {
		return claims.Refuse("event-log", "registers", "none", "the PCRs or RTMRs of verified evidence", "verify the quote first")
	}
	return errors.Join(reasons...)
}

func (l *Log) explain(kind Kind, index uint32, r claims.Register) error {
	h, ok := bank(len(r.Value))
	if !ok {
		return claims.Refuse("event-log", r.Name, fmt.Sprintf("%d bytes", len(r.Value)), "32 or 48", "quote the SHA-256 or SHA-384 bank")
	}
	value, events, err := l.Replay(kind, h, index)
	if err != nil {
		return err
	}
	if bytes.Equal(value, r.Value) {
		return nil
	}
	advice := "take log and quote in one boot, and log what the program itself has extended"
	if events == 0 {
		advice = "the log has no event of it: log what the program itself has extended"
	}
	return claims.Refuse("event-log", r.Name, fmt.Sprintf("%x", r.Value), fmt.Sprintf("%x, to which %d events lead", value, events), advice)
}
