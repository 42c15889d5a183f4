package generation

import (
	"fmt"
	"io"

	"github.com/phala-go/phala/core/wire"
)

// View is what a member has seen proven on the chain at one height.
type View struct {
	Generation    *wire.Generation
	Joins         map[uint32]*wire.GenerationJoin // by index
	Contributions map[uint32]*wire.Contribution   // by index
}

// Step gives what the member has to say at a view and the chain does not have yet, a *wire.GenerationJoin, *wire.Contribution,
// *wire.Confirmation or *wire.Complaint's; nothing when it waits for others. It may be called as often as one likes.
func (m *Member) Step(v View, rand io.Reader) ([]wire.Message, error) {
	g := v.Generation
	if m.cfg.Me >= len(g.GetMembers()) || g.Members[m.cfg.Me] == nil {
		return nil, fmt.Errorf("taking a step: there is no member %d", m.cfg.Me)
	}
	me := g.Members[m.cfg.Me]
	switch {
	case m.join == nil:
		return nil, fmt.Errorf("taking a step: the keys of member %d are wiped", m.cfg.Me)
	case g.Phase == wire.GENERATION_PHASE_JOIN && !joined(me):
		return []wire.Message{m.join}, nil
	case g.Phase == wire.GENERATION_PHASE_CONTRIBUTE && len(me.ContributionHash) == 0:
		c, err := m.Contribute(g, v.Joins, rand)
		if err != nil {
			return nil, err
		}
		return []wire.Message{c}, nil
	case g.Phase == wire.GENERATION_PHASE_CONFIRM && !me.Confirmed:
		complaints, c, err := m.Confirm(g, v.Contributions)
		if err != nil {
			return nil, err
		}
		if c != nil {
			return []wire.Message{c}, nil
		}
		var out []wire.Message
		for _, k := range complaints {
			out = append(out, k)
		}
		return out, nil
	}
	return nil, nil
}
