package gatekeeper

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/phala-go/phala/core/dprf/generation"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// again is after how many blocks a message that the chain does not have is given out anew.
const again = 4

// generate takes part in the making of keys: it says what the chain lacks of it, and takes the keys when the epoch has begun.
func (g *Gatekeeper) generate(c *chain) (outs []*wire.Out) {
	gen := c.generation
	if m := g.member; m != nil && (gen == nil || gen.Epoch != m.epoch || gen.Attempt != m.attempt || gen.Phase == wire.GENERATION_PHASE_FAILED) {
		g.leave()
	}
	me := g.index(gen)
	if me < 0 || !g.registered(c) {
		g.leave()
		return nil
	}
	matter := fmt.Sprintf("generation of epoch %d, attempt %d", gen.Epoch, gen.Attempt)
	if f := gen.Members[me].Fault; f != wire.MEMBER_FAULT_NONE {
		if g.member == nil {
			return nil
		}
		g.leave()
		return g.complain("excluded", matter, fmt.Errorf("the chain has excluded this gatekeeper: %s", f), "it takes part again from the next border on")
	}
	outs, err := g.takePart(c, me)
	return append(outs, g.complain("generation", matter, err, "see docs/spec/keys.md; the epoch before is served meanwhile")...)
}

// index is this worker's place in a generation; -1: it is not invited.
func (g *Gatekeeper) index(gen *wire.Generation) int {
	return slices.IndexFunc(gen.GetMembers(), func(m *wire.GenerationMember) bool { return m.GetWorker().Is(g.cfg.Worker()) })
}

func (g *Gatekeeper) takePart(c *chain, me int) (outs []*wire.Out, err error) {
	gen := c.generation
	if g.member == nil {
		if gen.Phase != wire.GENERATION_PHASE_JOIN || len(gen.Members[me].IdentityKey) != 0 {
			return nil, nil // begun without this boot: it waits for the next border
		}
		if err := trusted(c); err != nil {
			return nil, err
		}
		if err := g.join(gen, me); err != nil {
			return nil, err
		}
	}
	v := generation.View{Generation: gen, Joins: map[uint32]*wire.GenerationJoin{}, Contributions: map[uint32]*wire.Contribution{}}
	var ready bool
	switch gen.Phase {
	case wire.GENERATION_PHASE_CONTRIBUTE:
		outs, ready, err = g.receivers(c, me, v.Joins)
	case wire.GENERATION_PHASE_CONFIRM, wire.GENERATION_PHASE_DONE:
		outs, ready, err = g.contributions(gen, v.Contributions)
	default:
		ready = true
	}
	if err != nil || !ready {
		return outs, err
	}
	if gen.Phase == wire.GENERATION_PHASE_DONE {
		return outs, g.finish(c)
	}
	said, err := g.member.Step(v, g.cfg.Random)
	if err != nil {
		return outs, err
	}
	for _, m := range said {
		outs = append(outs, g.speak(m)...)
	}
	return outs, nil
}

func (g *Gatekeeper) join(gen *wire.Generation, me int) error {
	m, _, err := generation.Join(generation.Config{
		ChainID: g.cfg.ChainID, Epoch: gen.Epoch, Attempt: gen.Attempt, Threshold: gen.Threshold, N: len(gen.Members), Me: me,
	}, g.cfg.Identity, g.cfg.Random)
	if err != nil {
		return err
	}
	g.member = &member{Member: m, epoch: gen.Epoch, attempt: gen.Attempt, sent: map[string]uint64{}}
	return nil
}

// speak gives a message out, unless it did so a moment ago.
func (g *Gatekeeper) speak(m wire.Message) []*wire.Out {
	o := &wire.Out{}
	switch m := m.(type) {
	case *wire.GenerationJoin:
		o.Body = &wire.Out_GenerationJoin{GenerationJoin: m}
	case *wire.Contribution:
		o.Body = &wire.Out_Contribution{Contribution: g.tampered(m)}
	case *wire.Complaint:
		o.Body = &wire.Out_Complaint{Complaint: m}
	case *wire.Confirmation:
		o.Body = &wire.Out_Confirmation{Confirmation: m}
	}
	name := string(wire.Hash(m))
	if last, ok := g.member.sent[name]; ok && g.now.height < last+again {
		return nil
	}
	g.member.sent[name] = g.now.height
	return []*wire.Out{o}
}

// tampered is what a liar says instead; m itself in every program but the tests' own.
func (g *Gatekeeper) tampered(m *wire.Contribution) *wire.Contribution {
	if g.cfg.Tamper == nil {
		return m
	}
	c := &wire.Contribution{}
	if err := wire.Unmarshal(wire.Marshal(m), c); err != nil {
		return m
	}
	g.cfg.Tamper(c)
	c.Signature = ed25519.Sign(g.cfg.Identity, generation.ContributionBytes(g.cfg.ChainID, c))
	return c
}

// receivers collects the one-time keys of those who joined. Nothing is sealed to one whose enclave would not be taken here too.
func (g *Gatekeeper) receivers(c *chain, me int, joins map[uint32]*wire.GenerationJoin) (outs []*wire.Out, ready bool, err error) {
	ready = true
	for i, m := range c.generation.Members {
		if len(m.JoinHash) == 0 {
			continue
		}
		k := at(storekey.Gatekeeper, storekey.JoinKey(uint32(i)))
		outs = append(outs, g.ask(k)...)
		if !g.now.has(k) {
			ready = false
			continue
		}
		j, err := read[wire.GenerationJoin](g.now, k)
		if err != nil {
			return outs, false, err
		}
		joins[uint32(i)] = j
		if i == me || g.member.vouched || m.Fault != wire.MEMBER_FAULT_NONE {
			continue
		}
		asked, known, err := g.vouch(c, m, j)
		outs = append(outs, asked...)
		if err != nil {
			return outs, false, fmt.Errorf("nothing is sealed to %s: %w", m.Worker.Name(), err)
		}
		ready = ready && known
	}
	g.member.vouched = ready
	return outs, ready, nil
}

// vouch judges the enclave of a member that joined; known is false while what it is judged by has not come.
func (g *Gatekeeper) vouch(c *chain, m *wire.GenerationMember, j *wire.GenerationJoin) (outs []*wire.Out, known bool, err error) {
	outs, w, known, err := g.judge(c.rules(c.keepers, c.past.keepers), m.Worker)
	switch {
	case err != nil || !known:
		return outs, known, err
	case !bytes.Equal(w.IdentityKey, m.IdentityKey):
		return outs, true, errors.New("another boot is registered than the one that joined")
	case !ed25519.Verify(w.IdentityKey, generation.JoinBytes(g.cfg.ChainID, j), j.GetSignature()):
		return outs, true, errors.New("its one-time keys are not signed by its identity")
	}
	return outs, true, nil
}

// contributions collects what the members sent.
func (g *Gatekeeper) contributions(gen *wire.Generation, into map[uint32]*wire.Contribution) (outs []*wire.Out, ready bool, err error) {
	ready = true
	for i, m := range gen.Members {
		if len(m.ContributionHash) == 0 {
			continue
		}
		k := at(storekey.Gatekeeper, storekey.ContributionKey(uint32(i)))
		outs = append(outs, g.ask(k)...)
		if !g.now.has(k) {
			ready = false
			continue
		}
		if into[uint32(i)], err = read[wire.Contribution](g.now, k); err != nil {
			return outs, false, err
		}
	}
	return outs, ready, nil
}

// finish takes the keys of an epoch that the chain has begun with this boot among its members.
func (g *Gatekeeper) finish(c *chain) error {
	if c.set.GetEpoch() != c.generation.Epoch {
		return fmt.Errorf("the chain says that it is done, and that epoch %d is in force", c.set.GetEpoch())
	}
	if _, ok := g.place(c.set); !ok {
		return fmt.Errorf("this boot is not in the set of epoch %d", c.set.Epoch)
	}
	share, err := g.member.Beacon(c.generation)
	if err != nil {
		return err
	}
	keys, err := g.member.Keys(c.generation)
	if err != nil {
		return err
	}
	g.leave()
	g.epochs = append(g.epochs, newEpoch(c.set.Epoch, keys, share))
	return nil
}
