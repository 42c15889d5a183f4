package attest

import (
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

func reasonCodes(rs []claims.Reason) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}

// tdx is what a good TD says, and a production policy that takes it.
func tdx() (*claims.Claims, *wire.Policy, *wire.NetworkParams) {
	return &claims.Claims{
			Measurement: digest("program"), Status: claims.UpToDate, Versions: []claims.Version{{Name: "pcesvn", Value: 13}},
		}, &wire.Policy{
			Role: wire.ROLE_EXECUTOR, Kinds: []wire.TeeKind{wire.TEE_KIND_TDX}, WorstLevel: 1,
			Measurements: []*wire.Measurement{{Digest: digest("program"), ActivationHeight: 10}},
		}, &wire.NetworkParams{}
}

func TestP15_Policies(t *testing.T) {
	type change = func(*claims.Claims, *wire.Policy, *wire.NetworkParams)
	for _, c := range []struct {
		name, codes string
		level       int
		change      change
	}{
		{"up to date", "", 1, nil},
		{"no rating", "tcb-status", 0, func(c *claims.Claims, _ *wire.Policy, _ *wire.NetworkParams) { c.Status = claims.Unknown }},
		{"revoked, at the worst level", "tcb-status", 0, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Status = claims.Revoked
			p.WorstLevel = 5
		}},
		{"out of date and configuration", "tcb-status", 0, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Status = claims.OutOfDateConfigurationNeeded
			p.WorstLevel = 5
		}},
		{"a policy without a level", "tcb-level", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) { p.WorstLevel = 0 }},
		{"software hardening", "tcb-level", 2, func(c *claims.Claims, _ *wire.Policy, _ *wire.NetworkParams) { c.Status = claims.SWHardeningNeeded }},
		{"software hardening taken", "", 2, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Status = claims.SWHardeningNeeded
			p.WorstLevel = 2
		}},
		{"configuration with a named advisory", "", 3, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Status, c.Advisories = claims.ConfigurationNeeded, []string{"INTEL-SA-1"}
			p.WorstLevel, p.Advisories = 3, []string{"INTEL-SA-1", "INTEL-SA-2"}
		}},
		{"configuration with another advisory", "tcb-level", 4, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Status, c.Advisories = claims.ConfigurationNeeded, []string{"INTEL-SA-1", "INTEL-SA-3"}
			p.WorstLevel, p.Advisories = 3, []string{"INTEL-SA-1", "INTEL-SA-2"}
		}},
		{"out of date", "tcb-level", 5, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Status = claims.OutOfDate
			p.WorstLevel = 4
		}},
		{"debug", "debug", 1, func(c *claims.Claims, _ *wire.Policy, _ *wire.NetworkParams) { c.Debug = true }},
		{"debug that a production policy names", "debug", 1, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) { c.Debug, p.Debug = true, true }},
		{"debug in development, not named", "debug", 1, func(c *claims.Claims, _ *wire.Policy, n *wire.NetworkParams) { c.Debug, n.Development = true, true }},
		{"debug in development, named", "", 1, func(c *claims.Claims, p *wire.Policy, n *wire.NetworkParams) {
			c.Debug, p.Debug, n.Development = true, true, true
		}},
		{"warnings", "no-crl smt", 1, func(c *claims.Claims, _ *wire.Policy, _ *wire.NetworkParams) { c.Warnings = []string{"no-crl", "smt"} }},
		{"one warning named", "no-crl", 1, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Warnings, p.Warnings = []string{"no-crl", "smt"}, []string{"smt"}
		}},
		{"at its floor", "", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Floors = []*wire.TcbFloor{{Kind: wire.TEE_KIND_TDX, Name: "pcesvn", Least: 13}, {Kind: wire.TEE_KIND_SEV_SNP, Name: "microcode", Least: 99}}
		}},
		{"below its floor", "tcb-floor", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Floors = []*wire.TcbFloor{{Kind: wire.TEE_KIND_TDX, Name: "pcesvn", Least: 14}}
		}},
		{"a floor for what is not told", "tcb-floor", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Floors = []*wire.TcbFloor{{Kind: wire.TEE_KIND_TDX, Name: "microcode", Least: 1}}
		}},
		{"no measurement", "unknown-measurement", 1, func(c *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			c.Measurement = nil
			p.Measurements[0].Digest = nil
		}},
		{"not active", "not-active", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Measurements[0].ActivationHeight = 200_001
		}},
		{"the last block", "", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Measurements[0].RetireHeight = 200_001
		}},
		{"retired", "retired", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Measurements[0].RetireHeight = 200_000
		}},
		{"approved with the delay", "", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Measurements[0].ApprovedHeight, p.Measurements[0].ActivationHeight = 5, 5+MinActivationDelay
		}},
		{"approved with less", "no-delay", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Measurements[0].ApprovedHeight, p.Measurements[0].ActivationHeight = 5, 4+MinActivationDelay
		}},
		{"a delay that ends beyond all heights", "no-delay", 1, func(_ *claims.Claims, p *wire.Policy, n *wire.NetworkParams) {
			n.ActivationDelay = 1<<64 - 1
			p.Measurements[0].ApprovedHeight, p.Measurements[0].ActivationHeight = 5, 5+MinActivationDelay
		}},
		{"the network's own delay", "no-delay", 1, func(_ *claims.Claims, p *wire.Policy, n *wire.NetworkParams) {
			n.ActivationDelay = 2 * MinActivationDelay
			p.Measurements[0].ApprovedHeight, p.Measurements[0].ActivationHeight = 5, 5+MinActivationDelay
		}},
		{"another kind", "kind-not-allowed", 1, func(_ *claims.Claims, p *wire.Policy, _ *wire.NetworkParams) {
			p.Kinds = []wire.TeeKind{wire.TEE_KIND_SGX}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, p, n := tdx()
			if c.change != nil {
				c.change(cl, p, n)
			}
			level, rs := Validate(wire.TEE_KIND_TDX, cl, p, n, 200_000)
			if reasonCodes(rs) != c.codes || level != c.level {
				t.Errorf("level %d, %v; want %d, %q", level, rs, c.level, c.codes)
			}
			for _, r := range rs {
				if r.Field == "" || r.Got == "" || r.Want == "" || r.Advice == "" {
					t.Errorf("a refusal names field, value, what was expected and what to do: %+v", r)
				}
			}
		})
	}
}

// No vote lowers the least delay, and no production genesis either.
func TestP09_NoVoteLowersTheDelay(t *testing.T) {
	for _, c := range []struct {
		n    *wire.NetworkParams
		want uint64
	}{
		{nil, MinActivationDelay},
		{&wire.NetworkParams{}, MinActivationDelay},
		{&wire.NetworkParams{ActivationDelay: 1}, MinActivationDelay},
		{&wire.NetworkParams{ActivationDelay: 100_000}, 100_000},
		{&wire.NetworkParams{Development: true}, 0},
		{&wire.NetworkParams{Development: true, ActivationDelay: 7}, 7},
	} {
		if got := ActivationDelay(c.n); got != c.want {
			t.Errorf("%v: %d, want %d", c.n, got, c.want)
		}
	}
}

// Kinds that vouch for no hidden memory count in development alone; kinds without ratings are level 1 as soon as they verify.
func TestKinds(t *testing.T) {
	for kind, c := range map[wire.TeeKind]struct {
		level int
		codes string
	}{
		wire.TEE_KIND_SIMULATED:     {0, "simulated"},
		wire.TEE_KIND_TPM:           {1, "no-tee"},
		wire.TEE_KIND_NITRO:         {1, ""},
		wire.TEE_KIND_NITRO_TPM:     {1, ""},
		wire.TEE_KIND_SEV_SNP:       {1, ""},
		wire.TEE_KIND_AZURE_SEV_SNP: {1, ""},
		wire.TEE_KIND_SGX:           {1, ""},
		wire.TEE_KIND_TDX:           {1, ""},
	} {
		cl, p, n := tdx()
		p.Kinds = []wire.TeeKind{kind}
		if level, rs := Validate(kind, cl, p, n, 200_000); reasonCodes(rs) != c.codes || level != c.level {
			t.Errorf("%s: level %d, %v", kind, level, rs)
		}
		n.Development = true
		if level, rs := Validate(kind, cl, p, n, 200_000); len(rs) != 0 || level != c.level {
			t.Errorf("%s in development: level %d, %v", kind, level, rs)
		}
	}
	if _, rs := Validate(wire.TEE_KIND_TDX, &claims.Claims{}, nil, nil, 1); reasonCodes(rs) != "incomplete" {
		t.Error("nothing to judge by")
	}
	if LevelOf(wire.TEE_KIND_UNSPECIFIED, &claims.Claims{Status: claims.UpToDate}, nil) != 0 {
		t.Error("no kind has a level")
	}
}
