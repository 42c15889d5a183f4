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

// sevsnp measures the verification of SEV-SNP reports with full collateral and keys of AMD's sizes: alone, and as a share of the time that
// go-sev-guest takes in the same run.
func sevsnp() []group {
	const alone, beside, azure = "attest/sevsnp", "attest/sevsnp_vs_go_sev_guest", "attest/azure"
	return []group{
		single(alone, "./core/attest/sevsnp"),
		{[]string{beside}, func(ctx context.Context, report func(figure)) error {
			ours, theirs, err := besidePeer(ctx, "BenchmarkSNP", "go-sev-guest")
			if err == nil {
				report(figure{beside, ours / theirs, "x"})
			}
			return err
		}},
		single(azure, "./core/attest/azure"),
		single("attest/tpm", "./core/attest/tpm"),
		single("attest/nitro", "./core/attest/nitro"),
		registrations(),
	}
}

// registrations is how many workers a second the chain's state machine registers, with TDX evidence whose collateral it keeps.
func registrations() group {
	const name, each = "attest/registrations_per_second", 64 // in a block, as in the benchmark
	return group{[]string{name}, func(ctx context.Context, report func(figure)) error {
		ns, err := benchmark(ctx, "./chain/x/keepertest", "BenchmarkRegistrations")
		if err == nil {
			report(figure{name, each * 1e9 / ns, "1/s"})
		}
		return err
	}}
}

func single(name, pkg string) group {
	return group{[]string{name}, func(ctx context.Context, report func(figure)) error {
		ns, err := benchmark(ctx, pkg, "BenchmarkVerify")
		if err == nil {
			report(figure{name, ns / 1e6, "ms"})
		}
		return err
	}}
}

// besidePeer runs a benchmark of test/attestpeers, whose parts are "ours" and the peer's, and gives nanoseconds of each. That module is not
// of the workspace: what it compares with is nothing that the project links.
func besidePeer(ctx context.Context, name, peer string) (ours, theirs float64, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-trimpath", "-run", "^$", "-bench", "^"+name+"$", ".")
	cmd.Dir = "test/attestpeers"
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("running %s of test/attestpeers: %w\n%s", name, err, out.String())
	}
	for part, to := range map[string]*float64{"ours": &ours, peer: &theirs} {
		m := regexp.MustCompile(`(?m)^` + name + "/" + regexp.QuoteMeta(part) + `\S*\s+\d+\s+([0-9.]+) ns/op`).FindSubmatch(out.Bytes())
		if m == nil {
			return 0, 0, fmt.Errorf("%s gave no figure for %s:\n%s", name, part, out.String())
		}
		if *to, err = strconv.ParseFloat(string(m[1]), 64); err != nil {
			return 0, 0, err
		}
	}
	return ours, theirs, nil
}
