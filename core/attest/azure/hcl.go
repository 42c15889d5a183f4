package azure

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/sevsnp"
)

// Layout of an HCL report in bytes; numbers are little-endian:
//
//	header         32: "HCLA", version 1 or 2, size without padding, request type 2, status 0, 12 reserved
//	report       1184: the SNP report
//	runtime head   20: size with these 20, version 1, report type 2 (SNP), hash type 1 (SHA-256), size of what follows
//	runtime data    …: JSON
//	padding         …: zeros up to the size of the vTPM's NV index, which is read whole
const (
	headerSize  = 32
	runtimeHead = headerSize + sevsnp.ReportSize
	runtimeAt   = runtimeHead + 20
	maxHCL      = 8 << 10
)

const hclSignature = "HCLA"

// hcl is an HCL report taken apart.
type hcl struct {
	report, runtime []byte
	vmpl            uint32 // that asked for the report
}

func parseHCL(b []byte) (*hcl, error) {
	if len(b) < runtimeAt || len(b) > maxHCL {
		return nil, malformed("HCL report", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("%d to %d", runtimeAt, maxHCL))
	}
	if !bytes.HasPrefix(b, []byte(hclSignature)) {
		return nil, malformed("HCL report", fmt.Sprintf("%q", b[:4]), `"HCLA"`)
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	n := u32(runtimeAt - 4)
	if n == 0 || uint64(n) > uint64(len(b)-runtimeAt) {
		return nil, malformed("size of the runtime data", fmt.Sprint(n), fmt.Sprintf("1 to %d, which follow", len(b)-runtimeAt))
	}
	end := runtimeAt + int(n)
	if v := u32(4); v != 1 && v != 2 {
		return nil, claims.Refuse("unknown-version", "version of the HCL report", fmt.Sprint(v), "1 or 2", "a newer report needs a newer verifier")
	}
	for _, f := range []struct {
		name string
		at   int
		want uint32
	}{
		{"size of the HCL report", 8, uint32(end)},
		{"request type", 12, 2},
		{"status", 16, 0},
		{"reserved at 14h", 20, 0},
		{"reserved at 18h", 24, 0},
		{"reserved at 1Ch", 28, 0},
		{"size with the runtime data's head", runtimeHead, n + 20},
		{"version of the runtime data", runtimeHead + 4, 1},
		{"report type", runtimeHead + 8, 2},
		{"hash type", runtimeHead + 12, 1},
	} {
		if got := u32(f.at); got != f.want {
			return nil, malformed(f.name, fmt.Sprint(got), fmt.Sprint(f.want))
		}
	}
	if len(bytes.Trim(b[end:], "\x00")) != 0 {
		return nil, malformed("padding of the HCL report", "not zero", "zeros")
	}
	report := b[headerSize:runtimeHead]
	r, err := sevsnp.Parse(report)
	if err != nil {
		return nil, err
	}
	return &hcl{report, b[runtimeAt:end], r.VMPL}, nil
}

// vouches is nil if the report, whose signature has been checked, was asked for by the paravisor, and for this runtime data. A guest
// above VMPL 0 chooses its own report data, and so could name a key of its own.
func (h *hcl) vouches(reportData []byte) error {
	if h.vmpl != 0 {
		return claims.Refuse("vmpl", "VMPL", fmt.Sprint(h.vmpl), "0, the paravisor's", "only the paravisor's report vouches for its vTPM: read it from the vTPM's NV index")
	}
	want := sha256.Sum256(h.runtime)
	if padded := append(want[:], make([]byte, 32)...); !bytes.Equal(reportData, padded) {
		return claims.Refuse("runtime-data", "REPORT_DATA", fmt.Sprintf("%x", reportData), fmt.Sprintf("%x: SHA-256 of the runtime data, then zeros", padded), "send report and runtime data as the NV index gives them")
	}
	return nil
}
