package channel

import (
	"bytes"
	"fmt"
	"time"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// skew is how far the chain's clock, by which enclaves date certificates, may run ahead of a reader's.
const skew = time.Minute

// Rules are what a certificate is judged by: what a chain says, at one height, of the worker that the reader means. The zero value
// accepts nothing.
type Rules struct {
	ChainID     string
	GenesisHash []byte
	Height      uint64
	Time        time.Time // the reader's
	Policy      *wire.Policy
	Network     *wire.NetworkParams
	Worker      *wire.Worker // the registration, proven at Height; nil: there is none
	Roots       attest.Roots
	Stored      func(hash []byte) []byte // collateral by hash; who gives it need not be believed
	// Collateral is taken for evidence that carries none: the enclave does not talk to makers, its host completes what the chain
	// gets. It need not be believed either.
	Collateral []byte
}

// Verdict is what a certificate came to. Accepted is false in the zero value.
type Verdict struct {
	attest.Verdict
	Certificate *Certificate // nil if it could not be read
}

// Err is nil for an accepted verdict.
func (v Verdict) Err() error {
	if v.Accepted {
		return nil
	}
	return fmt.Errorf("channel refused: %v", v.Reasons)
}

// Check gives the verdict on the certificate that a channel's other end has shown, in DER. That it holds the private half is TLS's
// part.
func Check(der []byte, r Rules) (v Verdict) {
	c, err := Parse(der)
	if err != nil {
		v.Reasons = claims.Reasons(err, "malformed-certificate")
		return v
	}
	ev := completed(c.Evidence, r.Collateral)
	v.Verdict = attest.Verify(attest.Input{
		Evidence: ev, Policy: r.Policy, Network: r.Network, ChainID: r.ChainID, GenesisHash: r.GenesisHash, Height: r.Height,
		// The chain has checked the age of the registration's evidence, and the registration must stand.
		NonceChecked: true, Time: r.Time, Roots: r.Roots, Stored: r.Stored,
	})
	v.Certificate = c
	v.Reasons = append(append(dates(c, r.Time), registered(c.Evidence.Identity, r)...), v.Reasons...)
	v.Accepted = len(v.Reasons) == 0
	return v
}

// completed is ev with collateral, if it came without.
func completed(ev *wire.WorkerEvidence, collateral []byte) *wire.WorkerEvidence {
	if ev.Evidence == nil || len(ev.Evidence.Collateral) != 0 || ev.Evidence.Kind == wire.TEE_KIND_SIMULATED {
		return ev
	}
	return &wire.WorkerEvidence{Identity: ev.Identity, Evidence: &wire.Evidence{Kind: ev.Evidence.Kind, Quote: ev.Evidence.Quote, Collateral: collateral}}
}

func dates(c *Certificate, now time.Time) []claims.Reason {
	const again = "dial again: an enclave that follows its chain makes a new certificate every few minutes. If it stays so, compare the clocks"
	from, until := stamp(c.NotBefore), stamp(c.NotAfter)
	switch life := c.NotAfter.Sub(c.NotBefore); {
	case life <= 0 || life > MaxLife:
		return []claims.Reason{{Code: "validity", Field: "certificate", Got: from + " to " + until, Want: fmt.Sprintf("at most %s", MaxLife), Advice: takeItAsItIs}}
	case now.Add(skew).Before(c.NotBefore):
		return []claims.Reason{{Code: "not-yet-valid", Field: "certificate", Got: "from " + from, Want: "in force at " + stamp(now), Advice: again}}
	case !now.Before(c.NotAfter):
		return []claims.Reason{{Code: "certificate-expired", Field: "certificate", Got: "until " + until, Want: "in force at " + stamp(now), Advice: again}}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// registered compares the identity with the worker's registration.
func registered(id *wire.WorkerIdentity, r Rules) (no []claims.Reason) {
	refuse := func(code, field, got, want, advice string) {
		no = append(no, claims.Reason{Code: code, Field: field, Got: got, Want: want, Advice: advice})
	}
	w := r.Worker
	if w == nil {
		refuse("not-registered", "worker", id.Worker.Name(), "a worker that is registered on the chain", "wait until its operator has registered it, or name another enclave")
		return no
	}
	if !id.Worker.Is(w.Worker) {
		refuse("other-worker", "worker", id.Worker.Name(), w.Worker.Name(), "this is the channel of another worker: take the address from the operator of the one you mean")
	}
	if !bytes.Equal(id.IdentityKey, w.IdentityKey) {
		refuse("other-identity", "identity key", fmt.Sprintf("%x", id.IdentityKey), fmt.Sprintf("%x, which is registered", w.IdentityKey),
			"the enclave was started anew and is not registered yet: try again in a few blocks. If it stays so, this is another enclave: do not talk to it")
	}
	if w.Role != id.Role {
		refuse("other-role", "role", id.Role.String(), w.Role.String()+", as registered", "do not talk to it")
	}
	if w.ExpiryHeight <= r.Height {
		refuse("registration-ended", "registration", fmt.Sprintf("good up to height %d", w.ExpiryHeight), fmt.Sprintf("more than %d, the height now", r.Height),
			"its operator must register it anew")
	}
	return no
}
