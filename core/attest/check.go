package attest

import (
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest/azure"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/attest/nitro"
	"github.com/phala-go/phala/core/attest/sevsnp"
	"github.com/phala-go/phala/core/attest/tpm"
	"github.com/phala-go/phala/core/wire"
)

// Verifier is what Check judges by. The zero value accepts nothing but simulated evidence, which proves nothing.
type Verifier struct {
	Time   time.Time
	Roots  Roots
	Stored func(hash []byte) []byte // collateral that the evidence names by hash
}

// Check asks the TEE's maker: what the evidence proves, whether or not any policy accepts that. Errors are claims.Reasons.
func Check(ev *wire.Evidence, v Verifier) (claims.Claims, error) {
	if len(ev.GetQuote()) > MaxQuote || len(ev.GetCollateral()) > MaxCollateral {
		return claims.Claims{}, claims.Refuse("too-large", "quote and collateral", fmt.Sprintf("%d and %d bytes", len(ev.GetQuote()), len(ev.GetCollateral())),
			fmt.Sprintf("at most %d and %d", MaxQuote, MaxCollateral), "send what the hardware and its maker gave and nothing else; the chain keeps pieces that many share, by their hash")
	}
	if ev.GetKind() == wire.TEE_KIND_SIMULATED {
		return verifySimulated(ev)
	}
	p, err := resolve(ev.GetCollateral(), v.Stored)
	if err != nil {
		return claims.Claims{}, err
	}
	switch ev.GetKind() {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX:
		return checkIntel(ev, p, v)
	case wire.TEE_KIND_SEV_SNP:
		return checkAMD(ev, p, v, sevsnp.Verify)
	case wire.TEE_KIND_AZURE_SEV_SNP:
		return checkAMD(ev, p, v, azure.Verify)
	case wire.TEE_KIND_NITRO, wire.TEE_KIND_NITRO_TPM:
		return checkNitro(ev, p, v)
	case wire.TEE_KIND_TPM:
		return checkTPM(ev, p, v)
	default:
		return claims.Claims{}, claims.Refuse("no-verifier", "kind", ev.GetKind().String(), "a kind of TEE that this program verifies", "run the worker on such hardware, or ask with a newer program")
	}
}

func checkIntel(ev *wire.Evidence, p parts, v Verifier) (claims.Claims, error) {
	if err := p.only(
		wire.COLLATERAL_KIND_TCB_INFO, wire.COLLATERAL_KIND_TCB_INFO_SIGNATURE, wire.COLLATERAL_KIND_TCB_INFO_CHAIN,
		wire.COLLATERAL_KIND_QE_IDENTITY, wire.COLLATERAL_KIND_QE_IDENTITY_SIGNATURE, wire.COLLATERAL_KIND_QE_IDENTITY_CHAIN,
		wire.COLLATERAL_KIND_PCK_CRL, wire.COLLATERAL_KIND_PCK_CRL_CHAIN, wire.COLLATERAL_KIND_ROOT_CRL, wire.COLLATERAL_KIND_PCK_CHAIN,
	); err != nil {
		return claims.Claims{}, err
	}
	c, err := dcap.Verify(ev.Quote, dcap.Collateral{
		TCBInfo: p.get(wire.COLLATERAL_KIND_TCB_INFO), TCBInfoSignature: p.get(wire.COLLATERAL_KIND_TCB_INFO_SIGNATURE),
		TCBInfoChain: p.get(wire.COLLATERAL_KIND_TCB_INFO_CHAIN),
		QEIdentity:   p.get(wire.COLLATERAL_KIND_QE_IDENTITY), QEIdentitySignature: p.get(wire.COLLATERAL_KIND_QE_IDENTITY_SIGNATURE),
		QEIdentityChain: p.get(wire.COLLATERAL_KIND_QE_IDENTITY_CHAIN),
		PCKCRL:          p.get(wire.COLLATERAL_KIND_PCK_CRL), PCKCRLChain: p.get(wire.COLLATERAL_KIND_PCK_CRL_CHAIN),
		RootCRL: p.get(wire.COLLATERAL_KIND_ROOT_CRL), PCKChain: p.get(wire.COLLATERAL_KIND_PCK_CHAIN),
	}, dcap.Options{Now: v.Time, Root: v.Roots.Intel})
	if err != nil {
		return claims.Claims{}, err
	}
	// The quote's format says which of the two it is; the evidence may not claim the other.
	if tdx := c.Register("MRTD") != nil; tdx != (ev.Kind == wire.TEE_KIND_TDX) {
		return claims.Claims{}, claims.Refuse("wrong-kind", "kind", ev.Kind.String(), "the kind that the quote is of", "name the kind of the hardware that made the quote")
	}
	return c, nil
}

// checkAMD leaves it to the policy's warnings whether evidence without a list of revoked certificates counts.
func checkAMD(ev *wire.Evidence, p parts, v Verifier, verify func([]byte, sevsnp.Collateral, sevsnp.Options) (claims.Claims, error)) (claims.Claims, error) {
	if err := p.only(wire.COLLATERAL_KIND_SNP_LEAF, wire.COLLATERAL_KIND_SNP_INTERMEDIATE, wire.COLLATERAL_KIND_SNP_CRL); err != nil {
		return claims.Claims{}, err
	}
	return verify(ev.Quote, snpCollateral(p), sevsnp.Options{Now: v.Time, Roots: v.Roots.AMD, AllowMissingCRL: true})
}

func snpCollateral(p parts) sevsnp.Collateral {
	return sevsnp.Collateral{
		Leaf: p.get(wire.COLLATERAL_KIND_SNP_LEAF), Intermediate: p.get(wire.COLLATERAL_KIND_SNP_INTERMEDIATE), CRL: p.get(wire.COLLATERAL_KIND_SNP_CRL),
	}
}

// checkNitro needs no collateral: documents carry their certificates, and AWS revokes none.
func checkNitro(ev *wire.Evidence, p parts, v Verifier) (claims.Claims, error) {
	if err := p.only(); err != nil {
		return claims.Claims{}, err
	}
	d, err := nitro.Parse(ev.Quote)
	if err != nil {
		return claims.Claims{}, err
	}
	if d.TPM != (ev.Kind == wire.TEE_KIND_NITRO_TPM) {
		return claims.Claims{}, claims.Refuse("wrong-kind", "kind", ev.Kind.String(), "the kind that the document is of", "name an enclave's document NITRO, an instance's NITRO_TPM")
	}
	return nitro.Verify(ev.Quote, nitro.Options{Now: v.Time, Root: v.Roots.Nitro})
}

// checkTPM believes only authorities and keys that a development network names.
func checkTPM(ev *wire.Evidence, p parts, v Verifier) (claims.Claims, error) {
	if err := p.only(wire.COLLATERAL_KIND_TPM_AK_CHAIN, wire.COLLATERAL_KIND_TPM_EVENT_LOG); err != nil {
		return claims.Claims{}, err
	}
	return tpm.Verify(ev.Quote, tpm.Collateral{Chain: p.get(wire.COLLATERAL_KIND_TPM_AK_CHAIN), Log: p.get(wire.COLLATERAL_KIND_TPM_EVENT_LOG)},
		tpm.Options{Now: v.Time, Roots: v.Roots.TPM, Names: v.Roots.AKs})
}
