// Package evidencefile reads the files in which people keep evidence of TEEs: quotes and reports as machines give them, documents of
// clouds, logs of measured boots, cases that verifiers record, and our own messages. It says what a file holds and recognises the format
// itself. It must never decide whether any of it is true, and never open a file: bytes are arguments.
package evidencefile

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/wire"
)

// MaxSize is the largest file that is looked into, in bytes: a log's area has 256 KiB, everything else less.
const MaxSize = 2 << 20

// File is what a file holds.
type File struct {
	Format   string               // for people, as in "TDX quote"
	Evidence *wire.Evidence       // nil if the file holds a log alone, or a table
	Worker   *wire.WorkerEvidence // nil unless Evidence came with an identity of our network

	At    time.Time // the time of judgement that the file states; zero if none
	Nonce []byte    // that the file says was asked for; nil if none

	Log     *eventlog.Log // nil without one
	LogKind eventlog.Kind
}

// Unknown is a file whose format nobody recognised.
type Unknown struct {
	Size  int
	Tried []string
}

// Error names the formats that were tried.
func (u *Unknown) Error() string {
	return fmt.Sprintf("none of the formats of evidence that are known (%d bytes; tried: %s)", u.Size, strings.Join(u.Tried, ", "))
}

// format is one that a file may have. Recognise is quick and looks at the beginning or the names of members; read then gives its errors.
type format struct {
	name      string
	recognise func([]byte) bool
	read      func([]byte) (*File, error)
}

func formats() []format {
	return []format{
		{"SNP report", isSNPReport, readSNPReport},
		{"Azure HCL report", isHCLReport, readHCLReport},
		{"Nitro document", isNitro, readNitro},
		{"event log", isLog, readLog},
		{"CCEL table", isCCELTable, readCCELTable},
		{"SGX quote", isSGXQuote, readIntelQuote},
		{"TDX quote", isTDXQuote, readIntelQuote},
		{"TPM quote", isTPMQuote, readTPMQuote},
		{"TPM serial log", isSerial, readSerial},
		{"worker's evidence (protobuf)", isWorkerEvidence, readWorkerEvidence},
		{"evidence (protobuf)", isEvidence, readEvidence},
	}
}

// Read says what the bytes of a file hold. The error is an *Unknown if no format fits; otherwise the format fits and what is in it
// is broken.
func Read(b []byte) (*File, error) {
	if len(b) == 0 {
		return nil, errors.New("the file is empty")
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%d bytes: evidence has at most %d", len(b), MaxSize)
	}
	if text := strings.TrimLeft(string(b[:min(len(b), 64)]), " \t\r\n"); strings.HasPrefix(text, "{") {
		return readJSON(b)
	}
	u := &Unknown{Size: len(b)}
	for _, f := range formats() {
		if !f.recognise(b) {
			u.Tried = append(u.Tried, f.name)
			continue
		}
		out, err := f.read(b)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.name, err)
		}
		if out.Format == "" {
			out.Format = f.name
		}
		return out, nil
	}
	u.Tried = append(u.Tried, "JSON")
	return nil, u
}

func malformed(field, got, want string) error {
	return claims.Refuse("malformed-file", field, got, want, "record the evidence again")
}
