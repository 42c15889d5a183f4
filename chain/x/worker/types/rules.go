package types

import (
	"net/url"
	"slices"

	"cosmossdk.io/math"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// Bounds of a registration.
const (
	MaxEndpoint = 256 // bytes
	keySize     = 32
)

// ParseAmount reads an amount of ppha in the one form it has: decimal digits without sign or leading zero; empty is 0.
func ParseAmount(s string) (math.Int, error) {
	if s == "" {
		return math.ZeroInt(), nil
	}
	n, ok := math.NewIntFromString(s)
	if !ok || n.IsNegative() || n.String() != s {
		return math.Int{}, ErrMalformed.Wrapf("amount %q: want ppha in decimal digits", s)
	}
	return n, nil
}

// CheckRegistration refuses a registration whose form is wrong, whatever the evidence is worth.
func CheckRegistration(m *MsgRegisterWorker) error {
	id, ev := m.GetEvidence().GetIdentity(), m.GetEvidence().GetEvidence()
	switch {
	case id == nil || ev == nil || id.Worker == nil:
		return ErrMalformed.Wrap("evidence.identity, its worker or evidence.evidence is missing: take all of it from pruntime")
	case id.Worker.Operator != m.Operator:
		return ErrOperator.Wrapf("evidence is for operator %s, the message is from %s: start pruntime with the operator that signs", id.Worker.Operator, m.Operator)
	case id.Role != wire.ROLE_EXECUTOR && id.Role != wire.ROLE_GATEKEEPER:
		return ErrMalformed.Wrapf("role %s: want ROLE_EXECUTOR or ROLE_GATEKEEPER", id.Role)
	case len(id.IdentityKey) != keySize:
		return ErrMalformed.Wrapf("identity_key of %d bytes: want %d", len(id.IdentityKey), keySize)
	case len(ev.Quote) > attest.MaxQuote || len(ev.Collateral) > attest.MaxCollateral:
		return ErrMalformed.Wrapf("quote of %d and collateral of %d bytes: at most %d and %d", len(ev.Quote), len(ev.Collateral), attest.MaxQuote, attest.MaxCollateral)
	}
	return CheckEndpoint(m.Endpoint)
}

// CheckEndpoint refuses what is no URL of a server.
func CheckEndpoint(s string) error {
	if len(s) > MaxEndpoint {
		return ErrMalformed.Wrapf("endpoint of %d bytes: at most %d", len(s), MaxEndpoint)
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return ErrMalformed.Wrapf("endpoint %q: want the URL of the worker's offchaind, as in https://worker.example:8443", s)
	}
	return nil
}

// CheckSuccession decides whether the identity next may follow old as the same worker; oldNonce is the block that the
// evidence of old names. An earlier boot never comes back after a later one.
func CheckSuccession(old *wire.Worker, oldNonce uint64, next *wire.WorkerIdentity) error {
	if old == nil {
		return nil
	}
	if old.Role != next.Role {
		return ErrRole.Wrapf("worker %s is a %s, the evidence says %s: take another slot", old.Worker.Name(), old.Role, next.Role)
	}
	if next.NonceHeight < oldNonce {
		return ErrNonce.Wrapf("worker %s is registered with evidence of block %d, this one names block %d: ask pruntime for newer evidence",
			old.Worker.Name(), oldNonce, next.NonceHeight)
	}
	return nil
}

// Record is what the chain keeps of a registration whose evidence came to v at height.
func Record(m *MsgRegisterWorker, v attest.Verdict, height uint64) *wire.Worker {
	id := m.Evidence.Identity
	w := &wire.Worker{
		Worker: id.Worker, Role: id.Role, IdentityKey: id.IdentityKey, SealingKey: id.SealingKey, Kind: v.Kind, Measurement: v.Measurement,
		Endpoint: m.Endpoint, SoftwareVersion: id.SoftwareVersion, RegisteredHeight: height, ExpiryHeight: v.ExpiryHeight,
		EvidenceHash: wire.Hash(m.Evidence), Level: uint32(v.Level), TcbStatus: v.Status.String(), Advisories: v.Advisories, ChipId: v.ChipID,
	}
	if !v.TCBDate.IsZero() {
		w.TcbDate = v.TCBDate.Unix()
	}
	if !v.NotAfter.IsZero() {
		w.NotAfter = v.NotAfter.Unix()
	}
	return w
}

// EndsUnder is the first height at which a registered worker no longer counts under a policy that replaces another at height.
// Floors and warnings are judged again with its next evidence, and by every gatekeeper before it gives a key.
func EndsUnder(p *wire.Policy, w *wire.Worker, height uint64) uint64 {
	m := attest.Approval(p, w.Measurement)
	level := attest.LevelOf(w.Kind, &claims.Claims{Status: claims.ParseStatus(w.TcbStatus), Advisories: w.Advisories}, p.Advisories)
	switch {
	case m == nil || !slices.Contains(p.Kinds, w.Kind) || uint32(level) > p.WorstLevel || m.ActivationHeight > height:
		return min(w.ExpiryHeight, height)
	case m.RetireHeight != 0:
		return min(w.ExpiryHeight, m.RetireHeight)
	}
	return w.ExpiryHeight
}
