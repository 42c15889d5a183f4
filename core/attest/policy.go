package attest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// MinActivationDelay is the least number of blocks between the block that approves a measurement and the first that takes it,
// about a day. It is part of every program that checks, so no vote lowers it; a development genesis may.
const MinActivationDelay = 86_400

// ActivationDelay is the delay that holds on a network, in blocks.
func ActivationDelay(n *wire.NetworkParams) uint64 {
	if n.GetDevelopment() {
		return n.ActivationDelay
	}
	return max(n.GetActivationDelay(), MinActivationDelay)
}

// checkMeasurement decides whether governance has approved digest for now.
func checkMeasurement(p *wire.Policy, n *wire.NetworkParams, height uint64, digest []byte, no *denials) {
	m := Approval(p, digest)
	if m == nil {
		got := "empty"
		if len(digest) > 0 {
			got = fmt.Sprintf("%x", digest)
		}
		no.add("unknown-measurement", "measurement", got, fmt.Sprintf("one that governance approved for %s", p.Role),
			"run a build that is approved, or propose this one")
		return
	}
	now := fmt.Sprintf("height %d now", height)
	if m.ActivationHeight > height {
		no.add("not-active", "measurement", fmt.Sprintf("%x, which counts from height %d", digest, m.ActivationHeight), now, "wait until then")
	}
	if m.RetireHeight != 0 && m.RetireHeight <= height {
		no.add("retired", "measurement", fmt.Sprintf("%x, which ended at height %d", digest, m.RetireHeight), now, "upgrade to a build that is approved")
	}
	if delay := ActivationDelay(n); m.ApprovedHeight != 0 && (m.ActivationHeight < m.ApprovedHeight || m.ActivationHeight-m.ApprovedHeight < delay) {
		no.add("no-delay", "activation height", fmt.Sprint(m.ActivationHeight), fmt.Sprintf("at least %d blocks after its approval at %d", delay, m.ApprovedHeight),
			"the chain skipped the delay: do not trust it")
	}
}

// Approval is what a policy says of a measurement; nil: it does not approve it. An empty digest is never approved.
func Approval(p *wire.Policy, digest []byte) *wire.Measurement {
	i := slices.IndexFunc(p.GetMeasurements(), func(m *wire.Measurement) bool { return len(digest) > 0 && bytes.Equal(m.Digest, digest) })
	if i < 0 {
		return nil
	}
	return p.Measurements[i]
}

// rated is whether the maker of a kind rates its platforms. For the others evidence that verifies is level 1.
func rated(kind wire.TeeKind) bool {
	switch kind {
	case wire.TEE_KIND_TDX, wire.TEE_KIND_SGX, wire.TEE_KIND_SEV_SNP, wire.TEE_KIND_AZURE_SEV_SNP:
		return true
	}
	return false
}

// LevelOf is the confidence level of verified claims under a policy's advisories; 0 for simulated evidence and for what no level fits.
func LevelOf(kind wire.TeeKind, c *claims.Claims, advisories []string) int {
	switch {
	case kind == wire.TEE_KIND_SIMULATED || kind == wire.TEE_KIND_UNSPECIFIED:
		return 0
	case rated(kind):
		return claims.Level(c.Status, c.Advisories, advisories)
	default:
		return 1
	}
}

// validate decides whether the policy accepts what verified evidence says of the platform, and gives its level.
func validate(p *wire.Policy, n *wire.NetworkParams, kind wire.TeeKind, c *claims.Claims, no *denials) int {
	if c.Debug && !(p.Debug && n.Development) {
		no.add("debug", "debug", "on", "off", "start the enclave without debug: its host can look inside")
	}
	for _, w := range c.Warnings {
		if !slices.Contains(p.Warnings, w) {
			no.add(w, "platform", w, "not so, or a policy that names it", "see docs/spec for what it means on this kind")
		}
	}
	for _, f := range p.Floors {
		if f.Kind == kind {
			checkFloor(f, c, no)
		}
	}
	level := LevelOf(kind, c, p.Advisories)
	switch {
	case kind == wire.TEE_KIND_SIMULATED:
	case level == 0:
		no.add("tcb-status", "TCB status", fmt.Sprintf("%q", c.Status), "a status that a confidence level stands for", "update the platform's firmware and microcode")
	case uint32(level) > p.WorstLevel:
		no.add("tcb-level", "confidence level", fmt.Sprintf("%d (%s, advisories %v)", level, c.Status, c.Advisories), fmt.Sprintf("at most %d", p.WorstLevel),
			"update the platform's firmware and microcode; phala attest status says what is short")
	}
	return level
}

func checkFloor(f *wire.TcbFloor, c *claims.Claims, no *denials) {
	v, ok := c.Version(f.Name)
	switch {
	case !ok:
		no.add("tcb-floor", f.Name, "not in the evidence", fmt.Sprintf("at least %d", f.Least), "the policy asks for a version that this kind does not tell")
	case v < f.Least:
		no.add("tcb-floor", f.Name, fmt.Sprint(v), fmt.Sprintf("at least %d", f.Least), "update the firmware that this version belongs to")
	}
}

// Validate is the policy's part alone, for evidence that stands by itself: whether a network with this policy takes a program
// with these claims at a height.
func Validate(kind wire.TeeKind, c *claims.Claims, p *wire.Policy, n *wire.NetworkParams, height uint64) (level int, reasons []claims.Reason) {
	var no denials
	if p == nil || n == nil {
		no.add("incomplete", "policy", "policy or network parameters are missing", "both", "take them from the chain")
		return 0, no
	}
	checkKind(p, n, kind, &no)
	checkMeasurement(p, n, height, c.Measurement, &no)
	level = validate(p, n, kind, c, &no)
	return level, no
}
