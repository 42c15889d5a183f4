package gatekeeper

import (
	"errors"
	"fmt"
	"slices"
)

// trusted is nil if the members of a generation may hold the network's keys. Who is new must have been named by governance an
// activation delay ago, whatever the chain says of it; removal counts at once; a lower threshold waits like a new member does.
func trusted(c *chain) error {
	gen, past := c.generation, c.past.roster
	if past == nil {
		return errors.New("no roster stood on the chain before the activation delay")
	}
	if !c.network.Development && (gen.Threshold < 2 || len(gen.Members) < int(gen.Threshold)+2) {
		return fmt.Errorf("%d of %d gatekeepers: outside development at least 2, and two more members than that", gen.Threshold, len(gen.Members))
	}
	if gen.Threshold < past.Threshold {
		return fmt.Errorf("threshold %d: it was %d before the activation delay", gen.Threshold, past.Threshold)
	}
	for _, m := range gen.Members {
		if !slices.ContainsFunc(past.Members, m.GetWorker().Is) {
			return fmt.Errorf("%s was not in the roster before the activation delay", m.GetWorker().Name())
		}
	}
	if r := c.roster; r != nil && r.FromHeight <= c.height {
		for _, m := range gen.Members {
			if !slices.ContainsFunc(r.Members, m.Worker.Is) {
				return fmt.Errorf("%s is not in the roster in force", m.Worker.Name())
			}
		}
	}
	return nil
}
