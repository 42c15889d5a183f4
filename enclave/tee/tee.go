// Package tee is where an enclave asks the hardware it runs in. It must never decide whether evidence is good: core/attest does.
package tee

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/wire"
)

// TEE is the hardware as the enclave sees it.
type TEE interface {
	Kind() wire.TeeKind
	// Measurement is what a person is shown beside the kind; nil where only the evidence tells.
	Measurement() []byte
	// Evidence vouches for 64 bytes of report data. An error means that the hardware does not answer.
	Evidence(reportData []byte) (*wire.Evidence, error)
}

// unmeasured is hardware that tells a program nothing of its measurement but within evidence.
type unmeasured struct{}

// Measurement is nil: the evidence tells.
func (unmeasured) Measurement() []byte { return nil }

// Simulated is no TEE: it measures its own executable and signs with a public key. Only a chain whose genesis says
// "development" accepts it.
type Simulated struct{ measurement []byte }

// NewSimulated measures the running program: SHA-256 of its executable.
func NewSimulated() (*Simulated, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the own executable: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("measuring the own executable: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("measuring the own executable: %w", err)
	}
	return &Simulated{h.Sum(nil)}, nil
}

// SimulatedAs is a simulated TEE with a given measurement of 32 bytes, for tests.
func SimulatedAs(measurement []byte) *Simulated { return &Simulated{measurement} }

// Kind is simulated.
func (s *Simulated) Kind() wire.TeeKind { return wire.TEE_KIND_SIMULATED }

// Measurement is the executable's hash.
func (s *Simulated) Measurement() []byte { return s.measurement }

// Evidence signs with the public simulation key.
func (s *Simulated) Evidence(reportData []byte) (*wire.Evidence, error) {
	return attest.Simulate(s.measurement, reportData), nil
}
