package evidencefile

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"fmt"

	"github.com/phala-go/phala/core/attest/eventlog"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/wire"
)

// quoteHeader is what a quote of Intel begins with: version, attestation key type, TEE type, each little endian.
func quoteHeader(b []byte) (version uint16, tee uint32, ok bool) {
	if len(b) < 48 || binary.LittleEndian.Uint16(b[2:]) > 3 {
		return 0, 0, false
	}
	return binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint32(b[4:]), true
}

func isSGXQuote(b []byte) bool {
	v, tee, ok := quoteHeader(b)
	return ok && v == 3 && tee == 0
}

func isTDXQuote(b []byte) bool {
	v, tee, ok := quoteHeader(b)
	return ok && (v == 4 || v == 5) && tee == 0x81
}

func readIntelQuote(b []byte) (*File, error) { return &File{Evidence: intel(b)}, nil }

// intel takes the kind from the quote's TEE type; whoever verifies it looks again.
func intel(quote []byte) *wire.Evidence {
	kind := wire.TEE_KIND_TDX
	if len(quote) >= 8 && binary.LittleEndian.Uint32(quote[4:]) == 0 {
		kind = wire.TEE_KIND_SGX
	}
	return &wire.Evidence{Kind: kind, Quote: quote}
}

func isSNPReport(b []byte) bool {
	if len(b) < 8 || len(b) > sevsnp.ReportSize {
		return false
	}
	v := binary.LittleEndian.Uint32(b)
	// A cut one is told from a quote by the policy, whose bit 17 is always one.
	return v >= 2 && v <= 5 && (len(b) == sevsnp.ReportSize || len(b) >= 16 && b[10]&2 != 0)
}

func readSNPReport(b []byte) (*File, error) {
	return &File{Evidence: &wire.Evidence{Kind: wire.TEE_KIND_SEV_SNP, Quote: b}}, nil
}

// An HCL report begins with "HCLA" and a version. Alone it has a report of the machine, and no quote of the vTPM that it names.
func isHCLReport(b []byte) bool { return len(b) > 8 && bytes.HasPrefix(b, []byte("HCLA")) }

func readHCLReport(b []byte) (*File, error) {
	return &File{Evidence: azure(b, &wire.TpmQuote{})}, nil
}

func azure(hcl []byte, quote *wire.TpmQuote) *wire.Evidence {
	return &wire.Evidence{Kind: wire.TEE_KIND_AZURE_SEV_SNP, Quote: wire.Marshal(&wire.AzureQuote{HclReport: hcl, Tpm: quote})}
}

// isLog is whether b begins with a Spec ID event in the format of old: register 0 or 1, EV_NO_ACTION, a digest of zeros.
func isLog(b []byte) bool {
	if len(b) < 48 {
		return false
	}
	return binary.LittleEndian.Uint32(b) <= 1 && binary.LittleEndian.Uint32(b[4:]) == uint32(eventlog.NoAction) && bytes.HasPrefix(b[32:], []byte("Spec ID Event"))
}

// readLog tells a CCEL from a TPM's log by its registers: firmware gives the CCEL's Spec ID event the index 1 and logs SHA-384 alone.
func readLog(b []byte) (*File, error) {
	l, err := eventlog.ParseArea(b)
	if err != nil {
		return nil, err
	}
	f := &File{Format: "TPM event log", Log: l, LogKind: eventlog.PCR}
	if binary.LittleEndian.Uint32(b) == 1 || len(l.Banks) == 1 && l.Banks[0] == crypto.SHA384 {
		f.Format, f.LogKind = "CCEL event log", eventlog.RTMR
	}
	return f, nil
}

func isCCELTable(b []byte) bool { return bytes.HasPrefix(b, []byte("CCEL")) }

// readCCELTable reads the ACPI table that says where the log lies (UEFI 2.10, 38.4.1): type, subtype, least length, address.
func readCCELTable(b []byte) (*File, error) {
	if len(b) != 56 || binary.LittleEndian.Uint32(b[4:]) != 56 {
		return nil, malformed("length", fmt.Sprint(len(b)), "56")
	}
	return &File{Format: fmt.Sprintf("CCEL table: it says that a log of at most %d bytes lies at %#x, and holds no evidence itself",
		binary.LittleEndian.Uint64(b[40:]), binary.LittleEndian.Uint64(b[48:]))}, nil
}

func isWorkerEvidence(b []byte) bool {
	var w wire.WorkerEvidence
	return wire.Unmarshal(b, &w) == nil && w.Identity != nil && w.Evidence != nil
}

func readWorkerEvidence(b []byte) (*File, error) {
	w := &wire.WorkerEvidence{}
	if err := wire.Unmarshal(b, w); err != nil {
		return nil, err
	}
	return &File{Evidence: w.Evidence, Worker: w}, nil
}

func isEvidence(b []byte) bool {
	var e wire.Evidence
	return wire.Unmarshal(b, &e) == nil && e.Kind != wire.TEE_KIND_UNSPECIFIED && len(e.Quote) > 0
}

func readEvidence(b []byte) (*File, error) {
	e := &wire.Evidence{}
	if err := wire.Unmarshal(b, e); err != nil {
		return nil, err
	}
	return &File{Evidence: e}, nil
}
