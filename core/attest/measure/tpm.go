package measure

import "crypto/sha256"

// tpmPCRs are those of which a TPM's measurement is made: the boot program (4, a unified kernel image whole) and what boot loaders and
// kernel add (8, 9, 11 to 14). An image determines them; the firmware's own (0 to 3, 7) it does not.
var tpmPCRs = []int{4, 8, 9, 11, 12, 13, 14}

// TPM is what a policy approves of a machine with a TPM: SHA-256("phala/tpm-measurement/v1" || for each of the PCRs 4, 8, 9, 11 to 14 that
// is there: its number in one byte || its value of the SHA-256 bank). It is nil if none of them is there.
func TPM(pcrs map[int][]byte) []byte {
	h := sha256.New()
	h.Write([]byte("phala/tpm-measurement/v1"))
	none := true
	for _, i := range tpmPCRs {
		if v := pcrs[i]; v != nil {
			h.Write(append([]byte{byte(i)}, v...))
			none = false
		}
	}
	if none {
		return nil
	}
	return h.Sum(nil)
}
