package collateral

import (
	"slices"
	"strings"

	"github.com/phala-go/phala/core/wire"
)

const formats = "Intel's collateral as JSON (as dcap-qvl writes it), AMD's certificates or a list of revoked ones in DER or PEM, or a Collateral message"

// maker are the pieces that a kind of evidence has a use for; none for kinds that need no collateral.
func maker(k wire.TeeKind) []wire.CollateralKind {
	switch k {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX:
		return append(intel(), wire.COLLATERAL_KIND_PCK_CHAIN)
	case wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP:
		return []wire.CollateralKind{wire.COLLATERAL_KIND_SNP_LEAF, wire.COLLATERAL_KIND_SNP_INTERMEDIATE, wire.COLLATERAL_KIND_SNP_CRL}
	}
	return nil
}

// intel is what every quote of Intel needs.
func intel() (out []wire.CollateralKind) {
	for k := wire.COLLATERAL_KIND_TCB_INFO; k <= wire.COLLATERAL_KIND_ROOT_CRL; k++ {
		out = append(out, k)
	}
	return out
}

// lacking names what evidence cannot do without. A list of AMD's is the policy's to demand.
func lacking(kind wire.TeeKind, have []*wire.CollateralItem) (out []string) {
	want := []wire.CollateralKind{wire.COLLATERAL_KIND_SNP_LEAF}
	if kind == wire.TEE_KIND_TDX || kind == wire.TEE_KIND_SGX {
		want = intel()
	}
	for _, k := range want {
		if !slices.ContainsFunc(have, func(i *wire.CollateralItem) bool { return i.Kind == k }) {
			out = append(out, name(k))
		}
	}
	return out
}

// Fetch says to an operator where a kind's collateral comes from.
func Fetch(k wire.TeeKind) string {
	switch k {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX:
		return "fetch TCB info (of the platform's FMSPC), QE identity, PCK CRL, root CRL and their issuer chains anew from Intel's provisioning certification service, or from a cache of it"
	case wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP:
		return "fetch the VCEK of this chip and its reported TCB (or the cloud's VLEK), the ASK and the line's CRL anew from AMD's key distribution service, or from the cloud"
	}
	return "this kind of evidence needs no collateral"
}

// name is a piece as people call it, as in "TCB info chain".
func name(k wire.CollateralKind) string {
	s := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(k.String(), "COLLATERAL_KIND_"), "_", " "))
	return strings.NewReplacer("tcb", "TCB", "qe", "QE", "pck", "PCK", "crl", "CRL", "snp leaf", "AMD VCEK or VLEK certificate", "snp intermediate", "AMD ASK or ASVK certificate", "snp", "AMD").Replace(s)
}
