package main

import "context"

// dcap measures the verification of TDX and SGX quotes with full collateral, and the former as a share of the time that go-tdx-guest takes
// in the same run.
func dcap() []group {
	const beside = "attest/dcap_vs_go_tdx_guest"
	out := []group{{[]string{beside}, func(ctx context.Context, report func(figure)) error {
		ours, theirs, err := besidePeer(ctx, "BenchmarkTDX", "go-tdx-guest")
		if err == nil {
			report(figure{beside, ours / theirs, "x"})
		}
		return err
	}}}
	for _, tee := range []string{"tdx", "sgx"} {
		name := "attest/dcap_" + tee
		out = append(out, group{[]string{name}, func(ctx context.Context, report func(figure)) error {
			ns, err := benchmark(ctx, "./core/attest/dcap", "BenchmarkVerify/"+tee)
			if err == nil {
				report(figure{name, ns / 1e6, "ms"})
			}
			return err
		}})
	}
	return out
}
