package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/phala-go/phala/devnet"
)

// borders is how many epochs' making is measured, after the first.
const borders = 3

// generation measures how many blocks pass from a border to the new set with seven gatekeepers, of whom four make a key.
func generation(bin string) group {
	const blocks = "keys/generation_n7_blocks"
	return group{[]string{blocks}, func(ctx context.Context, report func(figure)) error {
		cfg := devnet.Config{Gatekeepers: 7, Threshold: 4, Executors: 1, EpochBlocks: 40, PhaseBlocks: 12}
		return withNetwork(ctx, bin, cfg, func(n *devnet.Network) error {
			var took []uint64
			began := map[uint64]uint64{}
			for len(took) < borders {
				g, s, err := generations(ctx, n)
				if err != nil {
					return err
				}
				if g.Attempt == 1 {
					began[g.Epoch] = g.Started
				}
				if h, ok := began[s.Epoch]; ok && s.Epoch > 1 && s.Height > h {
					took = append(took, s.Height-h)
					delete(began, s.Epoch)
				}
				if s.Epoch > 1 && !s.whole() {
					return fmt.Errorf("epoch %d was made without all seven: this machine is too slow for the phases", s.Epoch)
				}
				if err := wait(ctx); err != nil {
					return errors.Join(errors.New("waiting for a border"), err)
				}
			}
			slices.Sort(took)
			report(figure{blocks, float64(took[len(took)/2]), "blocks"})
			return nil
		})
	}}
}

// made is a set in force.
type made struct {
	Epoch   uint64 `json:"epoch,string"`
	Height  uint64 `json:"height,string"`
	Members []struct {
		Fault string `json:"fault"`
	} `json:"members"`
}

func (m made) whole() bool {
	for _, x := range m.Members {
		if x.Fault != "MEMBER_FAULT_NONE" {
			return false
		}
	}
	return true
}

type making struct {
	Epoch   uint64 `json:"epoch,string"`
	Attempt uint32 `json:"attempt"`
	Started uint64 `json:"started_height,string"`
}

func generations(ctx context.Context, n *devnet.Network) (making, made, error) {
	var g struct{ Generation making }
	if err := rest(ctx, n, "/phala/gatekeeper/v1/generation", &g); err != nil {
		return making{}, made{}, err
	}
	var s struct{ Set made }
	err := rest(ctx, n, "/phala/gatekeeper/v1/set", &s)
	return g.Generation, s.Set, err
}
