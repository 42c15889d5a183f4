// Package azure checks what a confidential VM of Azure on AMD SEV-SNP says about itself. There the guest does not speak to AMD's secure
// processor: a paravisor at VMPL 0 does, which runs the guest's vTPM. Its report vouches for the vTPM's attestation key, and the vTPM's
// quote for what the guest has booted. It must never believe a vTPM whose key no report of VMPL 0 names, nor look anything up.
//
// Sources: Microsoft, "Azure confidential VMs guest attestation design detail" and the structures of its OpenHCL paravisor (the HCL report
// and the runtime data); AMD 56860; TCG, TPM 2.0 Library Specification, part 2.
package azure

import (
	"crypto/sha512"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

// measuredPCRs are the PCRs of which, with the launch digest, the measurement is made: the boot program (4, a unified kernel image
// whole), what boot loaders and kernel add (8, 9, 11 to 14). The firmware belongs to the paravisor's image, which the launch digest covers.
var measuredPCRs = []int{4, 8, 9, 11, 12, 13, 14}

// Verify gives what an AzureQuote in deterministic protobuf proves. The claims are zero if the error, claims.Reasons, is not nil.
// Collateral and options are those of package sevsnp; it judges the report, and what it claims of the platform is claimed here too.
//
// Measurement is SHA-384("phala/azure-measurement/v1" || launch digest of the paravisor, 48 bytes || for each of the PCRs 4, 8, 9, 11 to 14:
// its number in one byte || its value, 32 bytes). ReportData is the nonce of the vTPM's quote, 1 to 64 bytes; it is for the caller to
// compare. Registers are the report's, then the quoted PCRs. Policies read the report's floors and warnings as for a report alone.
func Verify(quote []byte, c sevsnp.Collateral, o sevsnp.Options) (claims.Claims, error) {
	var w wire.AzureQuote
	if err := wire.Unmarshal(quote, &w); err != nil {
		return claims.Claims{}, malformed("quote", err.Error(), "an AzureQuote")
	}
	h, err := parseHCL(w.HclReport)
	if err != nil {
		return claims.Claims{}, err
	}
	out, err := sevsnp.Verify(h.report, c, o)
	if err != nil {
		return claims.Claims{}, err
	}
	if err := h.vouches(out.ReportData); err != nil {
		return claims.Claims{}, err
	}
	key, err := attestationKey(h.runtime)
	if err != nil {
		return claims.Claims{}, err
	}
	q, pcrs, err := verifyTPM(key, w.Tpm)
	if err != nil {
		return claims.Claims{}, err
	}
	out.ReportData = q.ExtraData
	out.Measurement = measurement(out.Register("MEASUREMENT"), pcrs)
	for _, i := range q.Selected {
		out.Registers = append(out.Registers, claims.Register{Name: fmt.Sprintf("PCR%d", i), Value: pcrs[i]})
	}
	out.Versions = append(out.Versions, claims.Version{Name: "vtpm-firmware", Value: q.FirmwareVersion})
	return out, nil
}

func measurement(launch []byte, pcrs *tpm.PCRs) []byte {
	h := sha512.New384()
	h.Write([]byte("phala/azure-measurement/v1"))
	h.Write(launch)
	for _, i := range measuredPCRs {
		h.Write(append([]byte{byte(i)}, pcrs[i]...))
	}
	return h.Sum(nil)
}

// checkSelected is nil if every PCR that something rests on stands in the quote.
func checkSelected(q *tpm.Quote) error {
	if q.Bank != tpm.AlgSHA256 {
		return claims.Refuse("bank", "pcrSelect", q.Bank.String(), "SHA256", "quote the SHA-256 bank")
	}
	for _, i := range append(slices.Clone(measuredPCRs), runtimePCR) {
		if !slices.Contains(q.Selected, i) {
			return claims.Refuse("pcr-missing", fmt.Sprintf("PCR%d", i), "not quoted", "quoted", "quote the PCRs 0 to 15")
		}
	}
	return nil
}

// runtimePCR holds the configuration of the running program (attest.RuntimeRegister).
const runtimePCR = 15

func malformed(field, got, want string) error {
	return claims.Refuse("malformed", field, got, want, "take the evidence anew")
}
