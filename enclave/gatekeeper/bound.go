package gatekeeper

import (
	"fmt"
	"io"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
)

// bound draws the single key of a single gatekeeper on a chain without a roster, which binds its first boot to the set.
func (g *Gatekeeper) bound(c *chain) error {
	if c.roster != nil || c.generation != nil || len(c.set.GetMembers()) != 1 || c.set.Threshold != 1 || len(g.epochs) > 0 {
		return nil
	}
	if _, ok := g.place(c.set); !ok {
		return nil
	}
	var b [keytree.Size]byte
	defer clear(b[:])
	if _, err := io.ReadFull(g.cfg.Random, b[:]); err != nil {
		return fmt.Errorf("drawing the key: %w", err)
	}
	k, err := keytree.NewSecret(b[:])
	if err == nil {
		g.epochs = append(g.epochs, newEpoch(c.set.Epoch, map[dprf.Set]*keytree.Secret{0: k}, nil))
	}
	return err
}
