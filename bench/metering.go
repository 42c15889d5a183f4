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

// metering is what metering adds to the CPU time of a call, in percent: the
// largest of the engine's own benchmarks of that name, which run a contract
// beside itself unmetered. Nothing but a test can make such a contract.
func metering(ctx context.Context, name string) (float64, error) {
	file, err := cw20.path(ctx)
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-trimpath", "-run", "^$", "-benchtime", "1x", "-bench", "^BenchmarkMetering$/^"+name+"$", "./enclave/engine")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "PHALA_CW20="+file)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("running the benchmark of metering: %w\n%s", err, out)
	}
	return worst(out)
}

var over = regexp.MustCompile(`([-+.e0-9]+) %over`)

// worst is the largest figure of a benchmark's output.
func worst(out []byte) (float64, error) {
	found := over.FindAllSubmatch(bytes.TrimSpace(out), -1)
	if found == nil {
		return 0, fmt.Errorf("the benchmark of metering gave no figure:\n%s", out)
	}
	most := -100.0 // a call that takes no time at all
	for _, f := range found {
		v, err := strconv.ParseFloat(string(f[1]), 64)
		if err != nil {
			return 0, fmt.Errorf("reading a figure of metering: %w", err)
		}
		most = max(most, v)
	}
	return most, nil
}
