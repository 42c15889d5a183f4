package types

import (
	"net/url"

	"cosmossdk.io/math"

	"github.com/phala-go/phala/core/wire"
)

// Bounds of a registration.
const (
	MaxEndpoint   = 256 // bytes
	maxQuote      = 16 << 10
	maxCollateral = 64 << 10
	keySize       = 32
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
	case len(ev.Quote) > maxQuote || len(ev.Collateral) > maxCollateral:
		return ErrMalformed.Wrapf("quote of %d and collateral of %d bytes: at most %d and %d", len(ev.Quote), len(ev.Collateral), maxQuote, maxCollateral)
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
