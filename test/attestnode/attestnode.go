// Package attestnode judges recorded evidence with core/attest in one small function that the same test runs natively and, compiled for
// js/wasm, under Node: what a browser says of a machine must be what the chain says. It must never import anything outside core.
package attestnode

import (
	"fmt"
	"strings"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/attest/evidencefile"
)

// Judge is one line on what the makers say of the evidence in a file: its kind, ratings, advisories and measurement, or the codes of the
// reasons for which they vouch for nothing. beside is a certificate that lies beside the file, or nil. A file that states no time is
// judged at otherwise.
func Judge(file, beside []byte, otherwise time.Time) string {
	f, err := evidencefile.Read(file)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	if f.Evidence == nil {
		return "no evidence"
	}
	if beside != nil {
		if err := f.AddCollateral(beside); err != nil {
			return "unreadable: " + err.Error()
		}
	}
	if f.At.IsZero() {
		f.At = otherwise
	}
	c, err := attest.Check(f.Evidence, attest.Verifier{Time: f.At, Roots: attest.VendorRoots()})
	if err != nil {
		var codes []string
		for _, r := range claims.Reasons(err, "bad-quote") {
			codes = append(codes, r.Code)
		}
		return fmt.Sprintf("%s refused: %s", f.Evidence.Kind, strings.Join(codes, " "))
	}
	return fmt.Sprintf("%s status=%s platform=%s module=%s qe=%s advisories=%s debug=%t measurement=%x report_data=%x", f.Evidence.Kind,
		c.Status, c.PlatformStatus, c.ModuleStatus, c.QEStatus, strings.Join(c.Advisories, ","), c.Debug, c.Measurement, c.ReportData)
}
