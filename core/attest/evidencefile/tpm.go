package evidencefile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/wire"
)

// A TPMS_ATTEST begins with TPM_GENERATED_VALUE, after its length if it is a TPM2B.
func isTPMQuote(b []byte) bool {
	const generated = "\xffTCG"
	return bytes.HasPrefix(b, []byte(generated)) || len(b) > 6 && string(b[2:6]) == generated
}

func readTPMQuote(b []byte) (*File, error) {
	return &File{Evidence: tpmEvidence(&wire.TpmQuote{Attest: unsized(b)})}, nil
}

func tpmEvidence(q *wire.TpmQuote) *wire.Evidence {
	return &wire.Evidence{Kind: wire.TEE_KIND_TPM, Quote: wire.Marshal(q)}
}

// unsized is what stands behind the length of a TPM2B; b itself if it begins with no such length.
func unsized(b []byte) []byte {
	if len(b) >= 2 && int(binary.BigEndian.Uint16(b)) == len(b)-2 {
		return b[2:]
	}
	return b
}

// rsassa puts the bytes of an RSASSA signature with SHA-256 into a TPMT_SIGNATURE, where a file has them bare.
func rsassa(sig []byte) []byte {
	b := []byte{0x00, 0x14, 0x00, 0x0b}
	if bytes.HasPrefix(sig, b) && len(sig) > 6 && int(binary.BigEndian.Uint16(sig[4:])) == len(sig)-6 {
		return sig
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(sig)))
	return append(b, sig...)
}

// isSerial is whether b is what a test machine printed on its serial port: lines @@AK, @@QUOTE, @@SIG, @@PCRnn and @@LOG.
func isSerial(b []byte) bool { return bytes.Contains(b, []byte("@@QUOTE ")) }

func readSerial(b []byte) (*File, error) {
	q := &wire.TpmQuote{}
	f := &File{LogKind: eventlog.PCR}
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, MaxSize)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if nonce := word(line, "nonce="); f.Nonce == nil && nonce != "" {
			f.Nonce, _ = hex.DecodeString(nonce)
		}
		rest, ok := strings.CutPrefix(line, "@@")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(rest, " ")
		if seen[name] {
			return nil, malformed("@@"+name, "twice", "each once")
		}
		seen[name] = true
		if err := f.serialLine(q, name, value); err != nil {
			return nil, fmt.Errorf("reading @@%s: %w", name, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	f.Evidence = tpmEvidence(q)
	return f, nil
}

// word is what follows prefix in line up to the next space, where prefix stands before a word.
func word(line, prefix string) string {
	for _, w := range strings.Fields(line) {
		if rest, ok := strings.CutPrefix(w, prefix); ok {
			return rest
		}
	}
	return ""
}

func (f *File) serialLine(q *wire.TpmQuote, name, value string) error {
	if digits, ok := strings.CutPrefix(name, "PCR"); ok {
		return addPCR(q, digits, value)
	}
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	switch name {
	case "AK":
		q.AkPublic = unsized(raw)
	case "QUOTE":
		q.Attest = unsized(raw)
	case "SIG":
		q.Signature = raw
	case "LOG":
		f.Log, err = eventlog.ParseArea(raw)
	}
	return err
}

func addPCR(q *wire.TpmQuote, digits, value string) error {
	n, err := strconv.ParseUint(digits, 10, 5)
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(value)
	if err != nil {
		return err
	}
	q.Pcrs = append(q.Pcrs, &wire.TpmPcr{Index: uint32(n), Value: raw})
	return nil
}
