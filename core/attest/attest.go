// Package attest decides whether a program runs in a TEE and is one that governance approved: evidence is parsed, verified (the
// maker of the TEE says so; Check), validated (the network's policy accepts what it says; Validate), and the verdict gives its
// reasons. Everything it decides on is an argument; the zero value of every option accepts nothing. It must never read a clock or
// fetch anything.
package attest

import (
	"bytes"
	"crypto/sha512"
	"fmt"
	"slices"
	"time"

	"github.com/phala-go/phala/core/attest/claims"
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

	// Time is that of the block or header at Height, or a reader's own.
	Time time.Time
	// Roots are the makers that are believed; RootsOf a network.
	Roots Roots
	// Stored gives the collateral that the evidence names by hash, nil if it is not there. Who gives it need not be believed.
	Stored func(hash []byte) []byte
}

// Verdict is what the evidence came to. Accepted is false in the zero value.
type Verdict struct {
	Accepted     bool
	Kind         wire.TeeKind
	Level        int // confidence level, 1 to 5; 0 for simulated evidence and for what no level fits
	ExpiryHeight uint64
	claims.Claims
	Reasons []claims.Reason // empty if and only if accepted
}

// Err is nil for an accepted verdict.
func (v Verdict) Err() error {
	if v.Accepted {
		return nil
	}
	return fmt.Errorf("evidence refused: %v", v.Reasons)
}

// ReportData binds evidence to an identity: SHA-512("phala/worker-identity/v1" || identity), 64 bytes.
func ReportData(id *wire.WorkerIdentity) []byte {
	h := sha512.New()
	h.Write([]byte("phala/worker-identity/v1"))
	h.Write(wire.Marshal(id))
	return h.Sum(nil)
}

// AzureNonce is how many bytes of report data a vTPM of Azure is given to quote. TPM 2.0 bounds a nonce by the largest hash that the chip
// has, which need not have 64 bytes; recorded quotes of Azure's have 48.
const AzureNonce = 48

// Carried is what evidence of a kind carries of report data: all of it, or the first AzureNonce bytes.
func Carried(kind wire.TeeKind, reportData []byte) []byte {
	if kind == wire.TEE_KIND_AZURE_SEV_SNP {
		return reportData[:min(len(reportData), AzureNonce)]
	}
	return reportData
}

// denials collects reasons.
type denials []claims.Reason

func (d *denials) add(code, field, got, want, advice string) {
	*d = append(*d, claims.Reason{Code: code, Field: field, Got: got, Want: want, Advice: advice})
}

// Verify gives the verdict on in.
func Verify(in Input) (v Verdict) {
	var no denials
	defer func() {
		v.Reasons = no
		v.Accepted = len(no) == 0
	}()

	id, ev := in.Evidence.GetIdentity(), in.Evidence.GetEvidence()
	if id == nil || ev == nil || in.Policy == nil || in.Network == nil {
		no.add("incomplete", "evidence", "identity, evidence, policy or network parameters are missing", "all of them", "take all of it from pruntime and from the chain")
		return v
	}
	v.Kind = ev.Kind
	checkIdentity(in, id, &no)
	checkKind(in.Policy, in.Network, ev.Kind, &no)

	c, err := Check(ev, Verifier{Time: in.Time, Roots: in.Roots, Stored: in.Stored})
	if err != nil {
		no = append(no, claims.Reasons(err, "bad-quote")...)
		return v
	}
	v.Claims = c
	if !bytes.Equal(c.ReportData, Carried(ev.Kind, ReportData(id))) {
		no.add("report-data", "report data", fmt.Sprintf("%x", c.ReportData), "the hash of this identity", "the quote vouches for another identity: attest anew")
	}
	checkRuntime(ev.Kind, &c, id, &no)
	checkMeasurement(in.Policy, in.Network, in.Height, c.Measurement, &no)
	v.Level = validate(in.Policy, in.Network, ev.Kind, &c, &no)

	v.ExpiryHeight = id.NonceHeight + in.Policy.MaxAgeBlocks
	if m := Approval(in.Policy, c.Measurement); m.GetRetireHeight() != 0 {
		v.ExpiryHeight = min(v.ExpiryHeight, m.RetireHeight)
	}
	if v.ExpiryHeight <= in.Height {
		no.add("expired", "evidence", fmt.Sprintf("good up to height %d", v.ExpiryHeight), fmt.Sprintf("more than %d, the height now", in.Height), "attest anew")
	}
	return v
}

func checkIdentity(in Input, id *wire.WorkerIdentity, no *denials) {
	if len(id.IdentityKey) != 32 || len(id.SealingKey) != 1216 || len(id.GenesisHash) != 32 || len(id.NonceHash) != 32 ||
		id.Worker == nil || id.Worker.Operator == "" || len(id.SoftwareVersion) > 64 {
		no.add("malformed-identity", "identity", "a key, hash or name of the wrong size", "32, 1216, 32 and 32 bytes, an operator, a version of at most 64", "take the identity from pruntime as it is")
	}
	if id.ChainId != in.ChainID {
		no.add("wrong-chain", "chain id", fmt.Sprintf("%q", id.ChainId), fmt.Sprintf("%q", in.ChainID), "start pruntime with this chain's genesis")
	}
	if !in.GenesisUnknown && !bytes.Equal(id.GenesisHash, in.GenesisHash) {
		no.add("wrong-genesis", "genesis hash", fmt.Sprintf("%x", id.GenesisHash), fmt.Sprintf("%x", in.GenesisHash), "start pruntime with this chain's genesis")
	}
	if id.Role == wire.ROLE_UNSPECIFIED || id.Role != in.Policy.Role {
		no.add("wrong-role", "role", id.Role.String(), in.Policy.Role.String(), "start pruntime in that role")
	}
	checkNonce(in, id, no)
}

func checkNonce(in Input, id *wire.WorkerIdentity, no *denials) {
	const again = "attest again with a fresh nonce"
	got := fmt.Sprintf("block %d", id.NonceHeight)
	switch {
	case id.NonceHeight >= in.Height: // or it would live longer
		no.add("nonce-future", "nonce", got, fmt.Sprintf("a block before %d", in.Height), again)
	case in.NonceChecked:
	case in.Height-id.NonceHeight > NonceWindow:
		no.add("nonce-too-old", "nonce", got, fmt.Sprintf("one of the %d blocks before %d", NonceWindow, in.Height), again)
	case len(in.NonceHash) != 32 || !bytes.Equal(in.NonceHash, id.NonceHash):
		no.add("nonce-unknown", "nonce", fmt.Sprintf("%s with hash %x", got, id.NonceHash), fmt.Sprintf("hash %x", in.NonceHash), again)
	}
}

// checkKind says whether a network may take evidence of a kind at all.
func checkKind(p *wire.Policy, n *wire.NetworkParams, kind wire.TeeKind, no *denials) {
	if !slices.Contains(p.Kinds, kind) {
		no.add("kind-not-allowed", "kind", kind.String(), fmt.Sprintf("one of the policy's: %v", p.Kinds), "run the worker on such hardware")
	}
	if DevelopmentOnly(kind) && !n.Development {
		code := "simulated"
		if kind != wire.TEE_KIND_SIMULATED {
			code = "no-tee"
		}
		no.add(code, "kind", kind.String(), "a TEE that hides memory", "such evidence counts only where the genesis says development")
	}
}

// DevelopmentOnly is whether evidence of a kind vouches for no hidden memory, so that only a development genesis takes it.
func DevelopmentOnly(kind wire.TeeKind) bool {
	return kind == wire.TEE_KIND_SIMULATED || kind == wire.TEE_KIND_TPM
}
