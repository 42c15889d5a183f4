package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// rules measures the rules of core, and the engine, with the benchmarks that stand beside their tests.
func rules() []group {
	var out []group
	for _, r := range []struct {
		name, pkg, bench string
		scale            float64 // of nanoseconds; 0: how many in a second
		unit             string
	}{
		{"settle/accept3", "./core/settle", "BenchmarkAccept3", 1e6, "ms"},
		{"seal/open256", "./core/seal", "BenchmarkOpen256", 1e3, "us"},
		{"dprf/combine_2_of_4", "./core/dprf", "BenchmarkCombine/2_of_4", 1e3, "us"},
		{"dprf/combine_7_of_10", "./core/dprf", "BenchmarkCombine/7_of_10", 1e3, "us"},
		{"dprf/combine_11_of_16", "./core/dprf", "BenchmarkCombine/11_of_16", 1e6, "ms"},
		{"keys/dprf_n10_t7", "./core/dprf", "BenchmarkSecret", 1e6, "ms"},
		{"light/header", "./core/light", "BenchmarkHeader", 1e6, "ms"},
		{"light/adjacent_100_validators", "./core/light", "BenchmarkAdjacent100", 0, "/s"},
		{"light/skip_month", "./core/light", "BenchmarkSkipMonth", 1e9, "s"},
		{"light/proof", "./core/light", "BenchmarkProof", 1e3, "us"},
		{"engine/go_query", "./enclave/engine", "BenchmarkGoContract/pool/status", 1e3, "us"},
		{"engine/go_call", "./enclave/engine", "BenchmarkGoContract/pool/bid", 1e3, "us"},
		{"engine/go_query_fresh", "./enclave/engine", "BenchmarkGoContract/fresh/status", 1e3, "us"},
		{"engine/go_start", "./enclave/engine", "BenchmarkStart", 1e3, "us"},
	} {
		out = append(out, group{[]string{r.name}, func(ctx context.Context, report func(figure)) error {
			ns, err := benchmark(ctx, r.pkg, r.bench)
			switch {
			case err != nil:
				return err
			case r.scale == 0:
				report(figure{r.name, 1e9 / ns, r.unit})
			default:
				report(figure{r.name, ns / r.scale, r.unit})
			}
			return nil
		}})
	}
	return out
}

var nsPerOp = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+([0-9.]+) ns/op`)

// benchmark runs one benchmark of a package, in nanoseconds.
func benchmark(ctx context.Context, pkg, name string) (float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-trimpath", "-run", "^$", "-bench", "^"+name+"$", pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("running %s of %s: %w\n%s", name, pkg, err, out.String())
	}
	m := nsPerOp.FindSubmatch(out.Bytes())
	if m == nil {
		return 0, fmt.Errorf("%s of %s gave no figure:\n%s", name, pkg, out.String())
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
