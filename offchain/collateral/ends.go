package collateral

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// End is when a piece stops counting.
type End struct {
	What string // the piece, as in "TCB info"
	At   time.Time
}

// Ends are the ends that the pieces state, the first one first. It verifies nothing: a piece that says none or cannot be read is left out,
// and whoever verifies refuses it.
func Ends(items []*wire.CollateralItem) (out []End) {
	for _, i := range items {
		if at := ends(i.Data); !at.IsZero() {
			out = append(out, End{name(i.Kind), at})
		}
	}
	slices.SortStableFunc(out, func(a, b End) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.What, b.What)) })
	return out
}

// ends is the earliest end in a JSON of Intel's, a list, a certificate or a chain of these; zero if there is none.
func ends(b []byte) (at time.Time) {
	earlier := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if l, err := x509.ParseRevocationList(b); err == nil {
		return l.NextUpdate
	}
	if c, err := x509.ParseCertificate(b); err == nil {
		return c.NotAfter
	}
	var said struct {
		NextUpdate time.Time `json:"nextUpdate"`
	}
	if json.Unmarshal(b, &said) == nil {
		return said.NextUpdate
	}
	for p, rest := pem.Decode(b); p != nil; p, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(p.Bytes); err == nil {
			earlier(c.NotAfter)
		}
	}
	return at
}
