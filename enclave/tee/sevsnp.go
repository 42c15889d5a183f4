package tee

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/phala-go/phala/core/wire"
)

// SEVSNP is an AMD SEV-SNP guest. It has no register that a program could extend: the configuration is bound by the report data
// alone, which names chain, genesis and role.
type SEVSNP struct {
	unmeasured
	tsm *tsm
}

// Kind is SEV-SNP.
func (*SEVSNP) Kind() wire.TeeKind { return wire.TEE_KIND_SEV_SNP }

// Evidence is a report, with the certificates that the host has put beside it; those that it has not are added outside.
func (x *SEVSNP) Evidence(reportData []byte) (*wire.Evidence, error) {
	report, aux, err := x.tsm.report(reportData)
	if err != nil {
		return nil, err
	}
	items, err := certificates(aux)
	if err != nil {
		return nil, fmt.Errorf("reading the certificates beside the report: %w", err)
	}
	ev := &wire.Evidence{Kind: wire.TEE_KIND_SEV_SNP, Quote: report}
	if len(items) > 0 {
		ev.Collateral = wire.Marshal(&wire.Collateral{Items: items})
	}
	return ev, nil
}

// certKind is a kind of certificate in AMD's table. Those of one kind never stand together on a sane host; the first counts.
type certKind struct {
	guid string // as the bytes lie: first three fields little endian
	kind wire.CollateralKind
}

// What of AMD's table is used; its root is pinned by verifiers. In the order of the collateral.
// Source: AMD 56421, SEV-ES Guest-Hypervisor Communication Block Standardization, 4.1.8.1.
var certKinds = []certKind{
	{"8d75da6364e66445adc5f4b93be8accd", wire.COLLATERAL_KIND_SNP_LEAF},         // VCEK
	{"c24b07a85aa23e48aae639c045a0b8a1", wire.COLLATERAL_KIND_SNP_LEAF},         // VLEK
	{"79b3b74aacbbe44fa02f05aef327c782", wire.COLLATERAL_KIND_SNP_INTERMEDIATE}, // ASK
	{"c31bf89211583d4d97ffd19f88dc67ea", wire.COLLATERAL_KIND_SNP_CRL},
}

// certificates reads AMD's table: entries of a GUID, an offset and a length, up to one of zeros; then the certificates.
func certificates(table []byte) ([]*wire.CollateralItem, error) {
	const entry = 24
	found := map[string][]byte{}
	for rest := table; len(table) > 0; rest = rest[entry:] {
		if len(rest) < entry {
			return nil, fmt.Errorf("a table of %d bytes has no end", len(table))
		}
		if bytes.Equal(rest[:16], make([]byte, 16)) {
			break
		}
		at, n := binary.LittleEndian.Uint32(rest[16:]), binary.LittleEndian.Uint32(rest[20:])
		if uint64(at)+uint64(n) > uint64(len(table)) {
			return nil, fmt.Errorf("an entry of %d bytes at offset %d lies outside the table's %d bytes", n, at, len(table))
		}
		if id := hex.EncodeToString(rest[:16]); found[id] == nil && n > 0 {
			found[id] = table[at : at+n]
		}
	}
	var out []*wire.CollateralItem
	last := wire.COLLATERAL_KIND_UNSPECIFIED
	for _, k := range certKinds {
		if body := found[k.guid]; body != nil && k.kind != last {
			out = append(out, &wire.CollateralItem{Kind: k.kind, Data: body})
			last = k.kind
		}
	}
	return out, nil
}
