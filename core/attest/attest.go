// Package attest decides whether a program runs in a TEE and is one that governance approved: evidence is parsed, verified (the
// maker of the TEE says so), validated (the network's policy accepts what it says), and the verdict gives its reasons. Everything
// it decides on is an argument; the zero value of every option accepts nothing. It must never read a clock or fetch anything.
package attest

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/wire"
)

// NonceWindow is how many blocks back evidence may name at its registration.
const NonceWindow = 256

// Sizes of evidence in bytes; larger is not even parsed.
const (
	MaxQuote      = 16 << 10
	MaxCollateral = 64 << 10
)

// Input is a piece of evidence and everything it is judged by.
type Input struct {
	Evidence    *wire.WorkerEvidence
	Policy      *wire.Policy
	Network     *wire.NetworkParams
	ChainID     string
	Height      uint64
	GenesisHash []byte
	// GenesisUnknown leaves the genesis hash uncompared: the chain does not know its own genesis file. Gatekeepers and clients do.
	GenesisUnknown bool
	// NonceHash is the chain's hash at the evidence's nonce height. Who reads the registration by proof from the chain, which
	// has checked it, sets NonceChecked instead.
	NonceHash    []byte
	NonceChecked bool
}

// Reason is one cause of a refusal.
type Reason struct {
	Code string // stable, kebab-case
	Text string
}

// String is code: text.
func (r Reason) String() string { return r.Code + ": " + r.Text }

// Verdict is what the evidence came to. Accepted is false in the zero value.
type Verdict struct {
	Accepted     bool
	Kind         wire.TeeKind
	Measurement  []byte
	ExpiryHeight uint64
	Reasons      []Reason // empty if and only if accepted
}

// Err is nil for an accepted verdict.
func (v Verdict) Err() error {
	if v.Accepted {
		return nil
	}
	return fmt.Errorf("evidence refused: %v", v.Reasons)
}

// quote is what a verified quote says, whoever made it.
type quote struct {
	measurement []byte
	reportData  []byte
}

// ReportData binds evidence to an identity: SHA-512("phala/worker-identity/v1" || identity), 64 bytes.
func ReportData(id *wire.WorkerIdentity) []byte {
	h := sha512.New()
	h.Write([]byte("phala/worker-identity/v1"))
	h.Write(wire.Marshal(id))
	return h.Sum(nil)
}

// Verify gives the verdict on in.
func Verify(in Input) (v Verdict) {
	deny := func(code, format string, args ...any) {
		v.Reasons = append(v.Reasons, Reason{code, fmt.Sprintf(format, args...)})
	}
	defer func() { v.Accepted = len(v.Reasons) == 0 }()

	id, ev := in.Evidence.GetIdentity(), in.Evidence.GetEvidence()
	if id == nil || ev == nil || in.Policy == nil || in.Network == nil {
		deny("incomplete", "identity, evidence, policy or network parameters are missing")
		return v
	}
	v.Kind = ev.Kind
	checkIdentity(in, id, deny)

	if !slices.Contains(in.Policy.Kinds, ev.Kind) {
		deny("kind-not-allowed", "%s is not among the policy's kinds", ev.Kind)
	}
	if ev.Kind == wire.TEE_KIND_SIMULATED && !in.Network.Development {
		deny("simulated", "simulated evidence counts only where the genesis says development")
	}
	if len(ev.Quote) > MaxQuote || len(ev.Collateral) > MaxCollateral {
		deny("too-large", "quote of %d and collateral of %d bytes: at most %d and %d", len(ev.Quote), len(ev.Collateral), MaxQuote, MaxCollateral)
		return v
	}
	q, err := verifyQuote(ev)
	if err != nil {
		deny("bad-quote", "%v", err)
		return v
	}
	v.Measurement = q.measurement
	if !bytes.Equal(q.reportData, ReportData(id)) {
		deny("report-data", "the quote vouches for another identity")
	}
	checkMeasurement(in, q.measurement, deny)

	v.ExpiryHeight = id.NonceHeight + in.Policy.MaxAgeBlocks
	if v.ExpiryHeight <= in.Height {
		deny("expired", "evidence counts up to height %d, this is %d", v.ExpiryHeight, in.Height)
	}
	return v
}

// verifyQuote asks the TEE's maker. Kinds without a verifier are refused.
func verifyQuote(ev *wire.Evidence) (quote, error) {
	switch ev.Kind {
	case wire.TEE_KIND_SIMULATED:
		return verifySimulated(ev)
	default:
		return quote{}, fmt.Errorf("no verifier for %s in this version", ev.Kind)
	}
}

func checkIdentity(in Input, id *wire.WorkerIdentity, deny func(string, string, ...any)) {
	if len(id.IdentityKey) != 32 || len(id.SealingKey) != 1216 || len(id.GenesisHash) != 32 || len(id.NonceHash) != 32 ||
		id.Worker == nil || id.Worker.Operator == "" || len(id.SoftwareVersion) > 64 {
		deny("malformed-identity", "a key, hash or name of the identity has the wrong size")
	}
	if id.ChainId != in.ChainID {
		deny("wrong-chain", "identity is for chain %q, this is %q", id.ChainId, in.ChainID)
	}
	if !in.GenesisUnknown && !bytes.Equal(id.GenesisHash, in.GenesisHash) {
		deny("wrong-genesis", "identity was started with genesis %x, this is %x", id.GenesisHash, in.GenesisHash)
	}
	if id.Role == wire.ROLE_UNSPECIFIED || id.Role != in.Policy.Role {
		deny("wrong-role", "identity is for %s, the policy for %s", id.Role, in.Policy.Role)
	}
	switch {
	case id.NonceHeight >= in.Height:
		deny("nonce-future", "evidence names block %d, this is %d", id.NonceHeight, in.Height) // or it would live longer
	case in.NonceChecked:
	case in.Height-id.NonceHeight > NonceWindow:
		deny("nonce-too-old", "evidence names block %d, this is %d: at most %d blocks back", id.NonceHeight, in.Height, NonceWindow)
	case len(in.NonceHash) != 32 || !bytes.Equal(in.NonceHash, id.NonceHash):
		deny("nonce-unknown", "evidence names another block %d than this chain has", id.NonceHeight)
	}
}

func checkMeasurement(in Input, digest []byte, deny func(string, string, ...any)) {
	for _, m := range in.Policy.Measurements {
		if !bytes.Equal(m.Digest, digest) {
			continue
		}
		if m.ActivationHeight > in.Height {
			deny("not-active", "measurement %x counts from height %d, this is %d", digest, m.ActivationHeight, in.Height)
		}
		return
	}
	deny("unknown-measurement", "measurement %x is not approved for %s", digest, in.Policy.Role)
}
