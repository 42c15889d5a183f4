package sevsnp

import (
	"fmt"
	"strings"

	"github.com/phala-go/phala/core/attest/claims"
)

// Line is a product line: the processors that have an ARK in common. Bergamo and Siena are of Genoa's.
type Line string

// The lines, as AMD's certificates write them.
const (
	Milan Line = "Milan"
	Genoa Line = "Genoa"
	Turin Line = "Turin"
)

// CPU is which processor made a report, from version 3 on: family and model with their extensions, as CPUID Fn0000_0001 gives them.
type CPU struct{ Family, Model, Stepping uint8 }

// String is family, model and stepping in hexadecimal.
func (c CPU) String() string {
	return fmt.Sprintf("family %02Xh model %02Xh stepping %Xh", c.Family, c.Model, c.Stepping)
}

// Models by line: AMD reserves sixteen numbers for each die (57230; Linux, arch/x86 tables of models).
var models = []struct {
	family, first, last uint8
	line                Line
}{
	{0x19, 0x00, 0x0f, Milan}, // Zen 3: EPYC 7003 and Milan-X
	{0x19, 0x10, 0x1f, Genoa}, // Zen 4: EPYC 9004 and Genoa-X
	{0x19, 0xa0, 0xaf, Genoa}, // Zen 4c: Bergamo (EPYC 97x4) and Siena (EPYC 8004)
	{0x1a, 0x00, 0x1f, Turin}, // Zen 5 and 5c: EPYC 9005
}

// Line is the product line of the processor.
func (c CPU) Line() (Line, error) {
	for _, m := range models {
		if c.Family == m.family && c.Model >= m.first && c.Model <= m.last {
			return m.line, nil
		}
	}
	return "", claims.Refuse("unknown-product", "CPUID_FAM_ID and CPUID_MOD_ID", c.String(),
		"19h with 00h-1Fh or A0h-AFh, 1Ah with 00h-1Fh", "a newer processor needs a newer verifier")
}

// chipIDSize is how many bytes of CHIP_ID the line uses (57230, hwID).
func (l Line) chipIDSize() int {
	if l == Turin {
		return 8
	}
	return 64
}

// named is whether a productName of a certificate is one of the line: "Genoa", or "Genoa-B1" with the stepping.
func (l Line) named(productName string) bool {
	stepping, ok := strings.CutPrefix(productName, string(l))
	return ok && (stepping == "" || len(stepping) == 3 && stepping[0] == '-')
}
