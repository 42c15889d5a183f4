package main

import (
	"fmt"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/tee"
)

// openTEE makes the hardware record what this enclave is started for; the runtime draws its keys afterwards. Without a name it is
// the hardware that is there, and never the simulated one: that must be asked for.
func openTEE(name string, genesis []byte, role wire.Role) (tee.TEE, error) {
	if name == "simulated" {
		return tee.NewSimulated()
	}
	if name == "" {
		found, err := tee.Detect()
		if err != nil {
			return nil, fmt.Errorf("choosing the TEE: %w. For a development network say --tee simulated, which protects nothing", err)
		}
		name = found
	}
	g, err := light.ParseGenesis(genesis)
	if err != nil {
		return nil, fmt.Errorf("recording the configuration: %w", err)
	}
	return tee.Open(name, tee.Config{ChainID: g.ChainID, GenesisHash: g.Hash, Role: role})
}
