package redistribution

import (
	"fmt"
	"testing"
)

// What an old gatekeeper does for one label and one new member, and what the member does with what all sent.
func BenchmarkHandOn(b *testing.B) {
	for _, s := range [][2]int{{4, 2}, {7, 4}, {10, 7}} {
		from := Family{s[0], s[1]}
		to := Target{Family: from}
		all := kept(b, from)
		b.Run(fmt.Sprintf("send_%d_of_%d", s[1], s[0]), func(b *testing.B) {
			size := 0
			for b.Loop() {
				shares, err := to.For(all[0], 1)
				if err != nil {
					b.Fatal(err)
				}
				size = 0
				for _, p := range shares {
					size += len(p.Value)
				}
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
