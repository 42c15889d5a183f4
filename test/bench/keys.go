package main

import "context"

// keys measures what a gatekeeper does for the requests it answers, in process: the enclave alone.
func keys() []group {
	const name = "keys/requests_per_second"
	return []group{{[]string{name}, func(ctx context.Context, report func(figure)) error {
		ns, err := benchmark(ctx, "./enclave/runtime", "BenchmarkKeyRequests")
		if err == nil {
			report(figure{name, 1e9 / ns, "1/s"})
		}
		return err
	}}}
}
