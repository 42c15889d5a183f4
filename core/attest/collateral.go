package attest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// Sizes of collateral.
const (
	MaxItems      = 16
	MaxItem       = 32 << 10 // bytes of one piece; Intel's largest, the CRL of the PCK CA, has some 20 KiB
	hashSize      = sha256.Size
	shareFromSize = 256 // bytes: smaller pieces are no longer than their hash and its record
)

// parts is collateral by ascending kind, all of it with its bytes.
type parts []*wire.CollateralItem

func (p parts) get(kind wire.CollateralKind) []byte {
	for _, i := range p {
		if i.Kind == kind {
			return i.Data
		}
	}
	return nil
}

// ParseCollateral reads the collateral of evidence: pieces in ascending order of their kinds, each with its bytes or their hash.
func ParseCollateral(b []byte) ([]*wire.CollateralItem, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var c wire.Collateral
	if err := wire.Unmarshal(b, &c); err != nil {
		return nil, claims.Refuse("bad-collateral", "collateral", err.Error(), "a Collateral", "take it from offchaind as it is")
	}
	if len(c.Items) == 0 || len(c.Items) > MaxItems {
		return nil, claims.Refuse("bad-collateral", "collateral", fmt.Sprintf("%d pieces", len(c.Items)), fmt.Sprintf("1 to %d", MaxItems), "send what the kind of evidence needs and nothing else, or no collateral at all")
	}
	last := wire.COLLATERAL_KIND_UNSPECIFIED
	for _, i := range c.Items {
		if i == nil || i.Kind <= last {
			return nil, claims.Refuse("bad-collateral", "collateral", fmt.Sprintf("%s after %s", i.GetKind(), last), "each kind once, in ascending order", "order the pieces by the number of their kind")
		}
		last = i.Kind
		if (len(i.Data) == 0) == (len(i.Hash) == 0) || len(i.Data) > MaxItem || (len(i.Hash) != 0 && len(i.Hash) != hashSize) {
			return nil, claims.Refuse("bad-collateral", i.Kind.String(), fmt.Sprintf("%d bytes of data and %d of hash", len(i.Data), len(i.Hash)),
				fmt.Sprintf("up to %d bytes of data, or %d of hash", MaxItem, hashSize), "send each piece either itself or by the hash under which the chain keeps it")
		}
	}
	return c.Items, nil
}

// Share replaces pieces that many workers have in common by their hashes, and gives what a chain must store for that. Pieces of
// one platform only, and small ones, stay.
func Share(c *wire.Collateral) (short *wire.Collateral, store [][]byte) {
	short = &wire.Collateral{}
	for _, i := range c.GetItems() {
		if len(i.Data) < shareFromSize || i.Kind == wire.COLLATERAL_KIND_PCK_CHAIN || i.Kind == wire.COLLATERAL_KIND_SNP_LEAF {
			short.Items = append(short.Items, i)
			continue
		}
		h := sha256.Sum256(i.Data)
		short.Items = append(short.Items, &wire.CollateralItem{Kind: i.Kind, Hash: h[:]})
		store = append(store, i.Data)
	}
	return short, store
}

// Hashes are those of the pieces that the chain keeps for ev; nil if its collateral cannot be read.
func Hashes(ev *wire.Evidence) (out [][]byte) {
	items, _ := ParseCollateral(ev.GetCollateral())
	for _, i := range items {
		if len(i.Hash) != 0 {
			out = append(out, i.Hash)
		}
	}
	return out
}

// resolve reads collateral and looks up what it names by hash. What is found is checked against the hash.
func resolve(b []byte, stored func([]byte) []byte) (parts, error) {
	items, err := ParseCollateral(b)
	if err != nil {
		return nil, err
	}
	var out parts
	for _, i := range items {
		data := i.Data
		if len(i.Hash) != 0 {
			if stored != nil {
				data = stored(i.Hash)
			}
			if h := sha256.Sum256(data); !bytes.Equal(h[:], i.Hash) {
				return nil, claims.Refuse("collateral-missing", i.Kind.String(), fmt.Sprintf("hash %x, which nobody keeps", i.Hash), "bytes of that hash",
					"store it on the chain first, or send the bytes")
			}
		}
		out = append(out, &wire.CollateralItem{Kind: i.Kind, Data: data})
	}
	return out, nil
}

// only refuses pieces that a kind of evidence has no use for.
func (p parts) only(kinds ...wire.CollateralKind) error {
	for _, i := range p {
		if !slices.Contains(kinds, i.Kind) {
			return claims.Refuse("bad-collateral", i.Kind.String(), "given", "only what this kind of evidence uses", "leave it out")
		}
	}
	return nil
}
