package attest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

// simulationKey is public: anybody can sign simulated evidence. That is what makes it a label and not a proof.
func simulationKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("phala simulated TEE: this key is public and proves nothing"))
	return ed25519.NewKeyFromSeed(seed[:])
}

func simulatedBytes(measurement, reportData []byte) []byte {
	h := sha256.New()
	h.Write(measurement)
	h.Write(reportData)
	return h.Sum([]byte("phala/simulated-quote/v1"))
}

// Simulate makes simulated evidence for a program of this measurement (32 bytes).
func Simulate(measurement, reportData []byte) *wire.Evidence {
	q := &wire.SimulatedQuote{
		Measurement: measurement,
		ReportData:  reportData,
		Signature:   ed25519.Sign(simulationKey(), simulatedBytes(measurement, reportData)),
	}
	return &wire.Evidence{Kind: wire.TEE_KIND_SIMULATED, Quote: wire.Marshal(q)}
}

func verifySimulated(ev *wire.Evidence) (claims.Claims, error) {
	if n := len(ev.Collateral); n != 0 {
		return claims.Claims{}, badSimulated("collateral", fmt.Sprintf("%d bytes", n), "none")
	}
	var q wire.SimulatedQuote
	if err := wire.Unmarshal(ev.Quote, &q); err != nil {
		return claims.Claims{}, badSimulated("quote", err.Error(), "a SimulatedQuote")
	}
	if len(q.Measurement) != 32 || len(q.ReportData) != 64 {
		return claims.Claims{}, badSimulated("quote", fmt.Sprintf("a measurement of %d and report data of %d bytes", len(q.Measurement), len(q.ReportData)), "32 and 64 bytes")
	}
	if !ed25519.Verify(simulationKey().Public().(ed25519.PublicKey), simulatedBytes(q.Measurement, q.ReportData), q.Signature) {
		return claims.Claims{}, badSimulated("signature", "by another key, or over other bytes", "the simulation key's")
	}
	return claims.Claims{Measurement: q.Measurement, ReportData: q.ReportData}, nil
}

func badSimulated(field, got, want string) error {
	return claims.Refuse("bad-quote", field, got, want, "take the evidence from pruntime as it is")
}
