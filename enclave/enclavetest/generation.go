package enclavetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// phaseBlocks is how long a phase of a generation may take.
const phaseBlocks = 8

// Roster is MsgUpdateRoster of governance: who is to hold parts from the height on. Without one the chain binds the gatekeeper of
// its first set when it registers.
func (c *Chain) Roster(from uint64, threshold uint32, members ...*wire.WorkerRef) {
	c.Put(storekey.Gatekeeper, storekey.RosterKey(), &wire.GatekeeperRoster{
		Threshold: threshold, Members: members, ApprovedHeight: c.Height, FromHeight: from,
	})
	if c.set().Epoch == 0 || c.Height == 0 {
		c.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), &wire.GatekeeperSet{Height: 1})
	}
}

// Set reads who holds parts now.
func (c *Chain) Set() *wire.GatekeeperSet { return c.set() }

// Border begins a generation in the next block.
func (c *Chain) Border() { c.border = true }

// Generation reads the newest; nil: none was begun.
func (c *Chain) Generation() *wire.Generation {
	g := &wire.Generation{}
	if !c.Get(storekey.Gatekeeper, storekey.GenerationKey(), g) {
		return nil
	}
	return g
}

func (c *Chain) roster() *wire.GatekeeperRoster {
	r := &wire.GatekeeperRoster{}
	if !c.Get(storekey.Gatekeeper, storekey.RosterKey(), r) {
		return nil
	}
	return r
}

// message is one of a generation's: core/dprf/generation decides.
func (c *Chain) message(name string, run func(g *wire.Generation) error) {
	c.Tx(name, func() error {
		g := c.Generation()
		if g == nil {
			return fmt.Errorf("no generation")
		}
		if err := run(g); err != nil {
			return err
		}
		c.Put(storekey.Gatekeeper, storekey.GenerationKey(), g)
		return nil
	})
}

// Join is MsgJoinGeneration.
func (c *Chain) Join(j *wire.GenerationJoin) {
	c.message("join", func(g *wire.Generation) error {
		if err := generation.CheckJoin(ChainID, g, j); err != nil {
			return err
		}
		if w := c.Worker(g.Members[j.Member].Worker); w == nil || !bytes.Equal(w.IdentityKey, j.IdentityKey) {
			return fmt.Errorf("member %d is not registered with this identity", j.Member)
		}
		generation.RecordJoin(g, j)
		c.Put(storekey.Gatekeeper, storekey.JoinKey(j.Member), j)
		return nil
	})
}

// Contribute is MsgContribute.
func (c *Chain) Contribute(m *wire.Contribution) {
	c.message("contribute", func(g *wire.Generation) error {
		if err := generation.CheckContribution(ChainID, g, m); err != nil {
			return err
		}
		generation.RecordContribution(g, m)
		c.Put(storekey.Gatekeeper, storekey.ContributionKey(m.Member), m)
		return nil
	})
}

// Complain is MsgComplain.
func (c *Chain) Complain(k *wire.Complaint) {
	c.message("complain", func(g *wire.Generation) error {
		join, m := &wire.GenerationJoin{}, &wire.Contribution{}
		c.Get(storekey.Gatekeeper, storekey.JoinKey(k.Member), join)
		c.Get(storekey.Gatekeeper, storekey.ContributionKey(k.Against), m)
		who, fault, err := generation.Judge(ChainID, g, join, m, k)
		if err != nil {
			return err
		}
		generation.Exclude(g, who, fault)
		return nil
	})
}

// Confirm is MsgConfirm.
func (c *Chain) Confirm(m *wire.Confirmation) {
	c.message("confirm", func(g *wire.Generation) error {
		if err := generation.CheckConfirmation(ChainID, g, m); err != nil {
			return err
		}
		generation.RecordConfirmation(g, m)
		return nil
	})
}

// generate ends a block: the generation goes on, or one begins if there is need.
func (c *Chain) generate() {
	c.T.Helper()
	r := c.roster()
	if r == nil {
		return
	}
	g, set := c.Generation(), c.set()
	running := g != nil && g.Phase != wire.GENERATION_PHASE_DONE && g.Phase != wire.GENERATION_PHASE_FAILED
	if running {
		c.lose(g)
		generation.Next(g, c.Height, generation.Least(g.Threshold, true))
		c.Put(storekey.Gatekeeper, storekey.GenerationKey(), g)
		if g.Phase == wire.GENERATION_PHASE_DONE {
			next, err := generation.Set(g)
			if err != nil {
				c.T.Fatal(err)
			}
			c.Put(storekey.Gatekeeper, storekey.PreviousSetKey(), set)
			c.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), next)
			c.keepBeacon(g)
		}
		return
	}
	alive := c.alive(set)
	due := r.FromHeight <= c.Height && r.FromHeight > set.Height
	if !c.border && !due && set.Epoch > 0 && alive >= int(set.Threshold) || !c.allRegistered(r) && set.Epoch == 0 {
		return
	}
	c.border = false
	attempt := uint32(1)
	if g != nil && g.Epoch == set.Epoch+1 {
		attempt = g.Attempt + 1
	}
	g, err := generation.New(set.Epoch+1, attempt, r.Threshold, r.Members, c.Height, phaseBlocks)
	if err != nil {
		c.T.Fatal(err)
	}
	for i := range r.Members {
		c.forget(storekey.JoinKey(uint32(i)))
		c.forget(storekey.ContributionKey(uint32(i)))
	}
	c.Put(storekey.Gatekeeper, storekey.GenerationKey(), g)
}

// forget removes a key of the gatekeepers if it is there.
func (c *Chain) forget(key []byte) {
	c.T.Helper()
	if there, err := c.trees[storekey.Gatekeeper].Has(key); err != nil {
		c.T.Fatal(err)
	} else if there {
		c.Remove(storekey.Gatekeeper, key)
	}
}

// lose excludes the members whose joined boot is not the registered one any more, and notes it of the set in force.
func (c *Chain) lose(g *wire.Generation) {
	for i, m := range g.Members {
		if len(m.IdentityKey) > 0 && !c.is(m.Worker, m.IdentityKey) {
			generation.Exclude(g, uint32(i), wire.MEMBER_FAULT_LOST)
		}
	}
}

func (c *Chain) is(w *wire.WorkerRef, identity []byte) bool {
	r := c.Worker(w)
	return r != nil && bytes.Equal(r.IdentityKey, identity) && r.ExpiryHeight > c.Height
}

// alive counts the members of a set that hold parts, and notes who has lost them.
func (c *Chain) alive(s *wire.GatekeeperSet) (n int) {
	lost := false
	for _, m := range s.Members {
		switch {
		case m.Fault != wire.MEMBER_FAULT_NONE:
		case c.is(m.Worker, m.IdentityKey):
			n++
		default:
			m.Fault, lost = wire.MEMBER_FAULT_LOST, true
		}
	}
	if lost {
		c.Put(storekey.Gatekeeper, storekey.GatekeeperSetKey(), s)
	}
	return n
}

func (c *Chain) allRegistered(r *wire.GatekeeperRoster) bool {
	return !slices.ContainsFunc(r.Members, func(w *wire.WorkerRef) bool { return c.Worker(w) == nil })
}

// keepBeacon stores what the values of a new epoch are checked with.
func (c *Chain) keepBeacon(g *wire.Generation) {
	c.T.Helper()
	dealt := map[uint32]*wire.Contribution{}
	for i := range g.Members {
		m := &wire.Contribution{}
		if c.Get(storekey.Gatekeeper, storekey.ContributionKey(uint32(i)), m) {
			dealt[uint32(i)] = m
		}
	}
	key, err := generation.BeaconKey(g, dealt)
	if err != nil {
		c.T.Fatal(err)
	}
	c.Put(storekey.Gatekeeper, storekey.BeaconKeyKey(g.Epoch), key)
}

// Beacon is MsgSubmitBeacon.
func (c *Chain) Beacon(b *wire.Beacon) {
	c.Tx("beacon", func() error {
		key := &wire.BeaconKey{}
		switch {
		case c.Get(storekey.Gatekeeper, storekey.BeaconAt(b.Height), &wire.Beacon{}):
			return fmt.Errorf("height %d has its value", b.Height)
		case b.Height+beacon.Window < c.Height:
			return fmt.Errorf("the value of height %d is taken no more", b.Height)
		case !c.Get(storekey.Gatekeeper, storekey.BeaconKeyKey(b.Epoch), key):
			return fmt.Errorf("epoch %d has no beacon", b.Epoch)
		}
		if err := beacon.Verify(key.Commitments[0], ChainID, b.Epoch, b.Height, b.Signature); err != nil {
			return err
		}
		b.Taken = c.Height
		c.Put(storekey.Gatekeeper, storekey.BeaconAt(b.Height), b)
		return nil
	})
}

// BeaconOf reads the value of a height; nil: there is none.
func (c *Chain) BeaconOf(height uint64) *wire.Beacon {
	b := &wire.Beacon{}
	if !c.Get(storekey.Gatekeeper, storekey.BeaconAt(height), b) {
		return nil
	}
	return b
}
