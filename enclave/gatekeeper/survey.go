package gatekeeper

import (
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

const (
	surveyAfter = 40 // blocks that clusters have to follow a border before they lag
	surveyEvery = 16 // blocks from one survey to the next, at least
	surveyOnce  = 16 // clusters looked at at one height
)

// survey goes through all clusters, some at each height, to find those that lag. Their numbers run from 1 without a gap.
type survey struct {
	epoch  uint64 // of the gatekeepers, in which it began
	began  uint64 // height
	next   uint64 // cluster to look at next; 0: none is under way
	height uint64 // at which the last were looked at
	found  map[keptLabel]bool
	named  map[keptLabel]bool // kept, and still named by its cluster
}

func inboxKey(cluster uint64) *wire.StoreKey {
	return at(storekey.Cluster, storekey.InboxKey(cluster))
}

// lookAround takes the survey one step further at the height that is worked on.
func (g *Gatekeeper) lookAround(c *chain) (outs []*wire.Out, err error) {
	s := &g.kept.survey
	if c.height < c.set.Height+surveyAfter || s.height == c.height {
		return nil, nil
	}
	if s.next == 0 || s.epoch != c.set.Epoch {
		if s.epoch == c.set.Epoch && c.height < s.began+surveyEvery {
			return nil, nil
		}
		*s = survey{epoch: c.set.Epoch, began: c.height, next: 1, found: map[keptLabel]bool{}, named: map[keptLabel]bool{}}
	}
	var keys []*wire.StoreKey
	for id := s.next; id < s.next+surveyOnce; id++ {
		keys = append(keys, at(storekey.Cluster, storekey.ClusterKey(id)), inboxKey(id))
	}
	if outs = g.ask(keys...); !g.now.has(keys...) {
		return outs, nil
	}
	for id := s.next; id < s.next+surveyOnce; id++ {
		cl, err := read[wire.Cluster](g.now, at(storekey.Cluster, storekey.ClusterKey(id)))
		if err != nil {
			return outs, err
		}
		if cl == nil {
			g.surveyed()
			return outs, nil
		}
		in, err := read[wire.Inbox](g.now, inboxKey(id))
		if err != nil {
			return outs, err
		}
		g.note(cl, in.GetEscrow() != "" && in.GetEscrow() != "0", c.set.Epoch)
	}
	s.next, s.height = s.next+surveyOnce, c.height
	return outs, nil
}

// note takes one cluster: its label in force lags if it is of an older epoch than the gatekeepers' own, and the one before if nobody
// holds the keys of its epoch any more, until the next takes its place.
func (g *Gatekeeper) note(cl *wire.Cluster, money bool, epoch uint64) {
	s := &g.kept.survey
	now := keptLabel{cl.Id, cl.Epoch, cl.Roster}
	before := keptLabel{cl.Id, cl.PreviousEpoch, cl.PreviousRoster}
	for _, l := range []keptLabel{now, before} {
		if g.kept.parts[l] != nil {
			s.named[l] = true
		}
	}
	if now.epoch > 0 && now.epoch < epoch {
		s.find(now, money)
	}
	if before.epoch > 0 && before.epoch+1 < epoch {
		s.find(before, money)
	}
}

// find notes a label that lags, among at most maxKept.
func (s *survey) find(l keptLabel, money bool) {
	if len(s.found) >= maxKept {
		if !money {
			return
		}
		for o, rich := range s.found {
			if !rich {
				delete(s.found, o)
				break
			}
		}
		if len(s.found) >= maxKept {
			return
		}
	}
	s.found[l] = money
}

// surveyed ends a survey: what no cluster names any more is erased.
func (g *Gatekeeper) surveyed() {
	s := &g.kept.survey
	for l := range g.kept.parts {
		if !s.named[l] {
			g.kept.drop(l)
		}
	}
	g.kept.lags = s.found
	s.next, s.found, s.named = 0, nil, nil
}
