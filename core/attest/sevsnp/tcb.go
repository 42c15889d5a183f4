package sevsnp

import (
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
)

// TCB is a TCB_VERSION as it stands in a report: eight security versions whose places depend on the product line (56860).
type TCB uint64

// SVNs are the security versions in a TCB. FMC is Turin's only.
type SVNs struct{ FMC, Bootloader, TEE, SNP, Microcode uint8 }

// SVNs takes the TCB apart as chips of that line put it together; reserved bytes must be zero.
func (t TCB) SVNs(l Line, field string) (SVNs, error) {
	at := func(i int) uint8 { return uint8(t >> (8 * i)) }
	s, reserved := SVNs{Bootloader: at(0), TEE: at(1), SNP: at(6), Microcode: at(7)}, uint64(0x0000ffffffff0000)
	if l == Turin {
		s, reserved = SVNs{FMC: at(0), Bootloader: at(1), TEE: at(2), SNP: at(3), Microcode: at(7)}, 0x00ffffff00000000
	}
	if uint64(t)&reserved != 0 {
		return SVNs{}, malformed(field, fmt.Sprintf("%#016x", uint64(t)), "the reserved bytes of "+string(l)+" zero")
	}
	return s, nil
}

// String is every version by name.
func (s SVNs) String() string {
	return fmt.Sprintf("fmc %d, bootloader %d, tee %d, snp %d, microcode %d", s.FMC, s.Bootloader, s.TEE, s.SNP, s.Microcode)
}

// less is whether any version is below that of u.
func (s SVNs) less(u SVNs) bool {
	return s.FMC < u.FMC || s.Bootloader < u.Bootloader || s.TEE < u.TEE || s.SNP < u.SNP || s.Microcode < u.Microcode
}

// of is the version of that component.
func (s SVNs) of(c Component) uint8 {
	switch c {
	case FMC:
		return s.FMC
	case Bootloader:
		return s.Bootloader
	case TEE:
		return s.TEE
	case SNP:
		return s.SNP
	case Microcode:
		return s.Microcode
	default:
		return 0
	}
}

// versions are the SVNs by the names of their components, each after prefix; fmc only where the line has one.
func (s SVNs) versions(l Line, prefix string) []claims.Version {
	all := []Component{Bootloader, TEE, SNP, Microcode}
	if l == Turin {
		all = append([]Component{FMC}, all...)
	}
	out := make([]claims.Version, len(all))
	for i, c := range all {
		out[i] = claims.Version{Name: prefix + string(c), Value: uint64(s.of(c))}
	}
	return out
}

// Component is one part of a TCB that has a security version.
type Component string

// The components, by the names they have in claims.Versions.
const (
	FMC        Component = "fmc" // first mutable code; Turin
	Bootloader Component = "bootloader"
	TEE        Component = "tee" // the secure processor's operating system
	SNP        Component = "snp" // its SNP firmware
	Microcode  Component = "microcode"
)
