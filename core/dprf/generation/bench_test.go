package generation

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

// What the chain spends on one message of each kind.
func BenchmarkChecks(b *testing.B) {
	for _, s := range [][2]int{{4, 2}, {10, 7}, {16, 11}} {
		x := newNetwork(b, s[0], s[1], "bench")
		join := x.members[0].join
		c := &wire.Contribution{}
		b.Run(fmt.Sprintf("join/%d_of_%d", s[1], s[0]), func(b *testing.B) {
			for b.Loop() {
				if err := CheckJoin(chainID, x.view.Generation, join); err != nil {
					b.Fatal(err)
				}
			}
		})
		x.block()
		b.Run(fmt.Sprintf("contribute/%d_of_%d", s[1], s[0]), func(b *testing.B) {
			for b.Loop() {
				x.members[0].said = nil
				var err error
				if c, err = x.members[0].Contribute(x.view.Generation, x.view.Joins, x.random[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("contribution/%d_of_%d", s[1], s[0]), func(b *testing.B) {
			for b.Loop() {
				if err := CheckContribution(chainID, x.view.Generation, c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.Size()), "B")
		})
		x.block()
		b.Run(fmt.Sprintf("judge/%d_of_%d", s[1], s[0]), func(b *testing.B) {
			k := &wire.Complaint{Epoch: 1, Attempt: 1, Member: 1, Against: 0, OneTimeKey: x.seeds[1][0]}
			k.Signature = ed25519.Sign(identityOf(1), ComplaintBytes(chainID, k))
			for b.Loop() {
				if _, _, err := Judge(chainID, x.view.Generation, x.view.Joins[1], x.view.Contributions[0], k); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
