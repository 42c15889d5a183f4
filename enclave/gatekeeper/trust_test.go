package gatekeeper

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

func refs(names ...string) (out []*wire.WorkerRef) {
	for _, n := range names {
		out = append(out, &wire.WorkerRef{Operator: n})
	}
	return out
}

func rosterOf(threshold uint32, from uint64, names ...string) *wire.GatekeeperRoster {
	return &wire.GatekeeperRoster{Threshold: threshold, FromHeight: from, Members: refs(names...)}
}

func generationOf(threshold uint32, names ...string) *wire.Generation {
	g := &wire.Generation{Epoch: 2, Attempt: 1, Threshold: threshold}
	for _, r := range refs(names...) {
		g.Members = append(g.Members, &wire.GenerationMember{Worker: r})
	}
	return g
}

// Who may make keys: what stood on the chain before the activation delay decides, and what stands there now may only take away.
func TestTrusted(t *testing.T) {
	abcd := rosterOf(2, 1, "a", "b", "c", "d")
	for name, c := range map[string]struct {
		development bool
		generation  *wire.Generation
		past, now   *wire.GatekeeperRoster
		why         string // empty: trusted
	}{
		"as it always was":                     {false, generationOf(2, "a", "b", "c", "d"), abcd, abcd, ""},
		"in another order":                     {false, generationOf(2, "d", "c", "b", "a"), abcd, abcd, ""},
		"no roster is told now":                {false, generationOf(2, "a", "b", "c", "d"), abcd, nil, ""},
		"a higher threshold":                   {false, generationOf(3, "a", "b", "c", "d", "e"), rosterOf(2, 1, "a", "b", "c", "d", "e"), rosterOf(3, 1, "a", "b", "c", "d", "e"), ""},
		"one removed at once":                  {true, generationOf(2, "a", "b", "c"), abcd, rosterOf(2, 90, "a", "b", "c"), ""},
		"one approved, not in force yet":       {false, generationOf(2, "a", "b", "c", "d"), abcd, rosterOf(2, height+1, "a", "b", "c", "e"), ""},
		"one added an activation delay ago":    {false, generationOf(2, "a", "b", "c", "d", "e"), rosterOf(2, 90, "a", "b", "c", "d", "e"), rosterOf(2, 90, "a", "b", "c", "d", "e"), ""},
		"one alone, in development":            {true, generationOf(1, "a"), rosterOf(1, 1, "a"), rosterOf(1, 1, "a"), ""},
		"no roster before the delay":           {false, generationOf(2, "a", "b", "c", "d"), nil, abcd, "no roster"},
		"one added since":                      {false, generationOf(2, "a", "b", "c", "d", "e"), abcd, rosterOf(2, 90, "a", "b", "c", "d", "e"), "e/0 was not in the roster"},
		"one put in another's place since":     {false, generationOf(2, "a", "b", "c", "e"), abcd, rosterOf(2, 90, "a", "b", "c", "e"), "e/0 was not in the roster"},
		"one added that no roster names":       {false, generationOf(2, "a", "b", "c", "d", "e"), abcd, abcd, "e/0 was not in the roster"},
		"another slot of a member":             {false, slot(generationOf(2, "a", "b", "c", "d"), 3, 1), abcd, abcd, "d/1 was not in the roster"},
		"a member without a name":              {false, slot(generationOf(2, "a", "b", "c", ""), 3, 0), abcd, abcd, "was not in the roster"},
		"one removed, and invited":             {true, generationOf(2, "a", "b", "c", "d"), abcd, rosterOf(2, 90, "a", "b", "c"), "d/0 is not in the roster in force"},
		"removed in this block":                {true, generationOf(2, "a", "b", "c", "d"), abcd, rosterOf(2, height, "a", "b", "c"), "d/0 is not in the roster in force"},
		"a lower threshold since":              {false, generationOf(2, "a", "b", "c", "d", "e"), rosterOf(3, 1, "a", "b", "c", "d", "e"), rosterOf(2, 90, "a", "b", "c", "d", "e"), "it was 3"},
		"a lower threshold that nobody voted":  {true, generationOf(1, "a", "b", "c", "d"), abcd, abcd, "it was 2"},
		"one of many":                          {false, generationOf(1, "a", "b", "c"), rosterOf(1, 1, "a", "b", "c"), rosterOf(1, 1, "a", "b", "c"), "outside development"},
		"two of three":                         {false, generationOf(2, "a", "b", "c"), rosterOf(2, 1, "a", "b", "c"), rosterOf(2, 1, "a", "b", "c"), "outside development"},
		"all of them":                          {false, generationOf(4, "a", "b", "c", "d"), rosterOf(4, 1, "a", "b", "c", "d"), rosterOf(4, 1, "a", "b", "c", "d"), "outside development"},
		"nobody":                               {false, generationOf(0), rosterOf(0, 1), rosterOf(0, 1), "outside development"},
		"an empty past roster, in development": {true, generationOf(0, "a"), rosterOf(0, 1), rosterOf(0, 1, "a"), "was not in the roster"},
	} {
		x := &chain{height: height, network: &wire.NetworkParams{Development: c.development}, generation: c.generation, roster: c.now}
		x.past.roster = c.past
		err := trusted(x)
		if got := fmt.Sprint(err); (err == nil) != (c.why == "") || !strings.Contains(got, c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
}

func slot(g *wire.Generation, member int, slot uint32) *wire.Generation {
	g.Members[member].Worker.Slot = slot
	return g
}
