package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/phala-go/phala/client"
	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
)

func worker(b byte) *wire.WorkerRef {
	return &wire.WorkerRef{Operator: address.Encode(bytes.Repeat([]byte{b}, 20))}
}

func TestPlanOfAChangeOfMembers(t *testing.T) {
	a, b, c, d := worker(1), worker(2), worker(3), worker(4)
	v := &client.View{
		Cluster: &wire.Cluster{Id: 1, Members: []*wire.WorkerRef{a, b, c}, Quorum: 2, Roster: 4, Admitted: 5},
		Head:    &wire.Head{InboxNext: 7}, Inbox: &wire.Inbox{Next: 9},
	}
	for name, x := range map[string]struct {
		add, remove, replace []string
		cause                bool
		quorum               uint32
		want                 string // in the steps
		err                  string
	}{
		"removal":       {remove: []string{c.Name()}, want: "3 members with quorum 2 become 2 with quorum 2"},
		"keeps":         {remove: []string{c.Name()}, want: "--for-cause has them rotated"},
		"for cause":     {remove: []string{c.Name()}, cause: true, want: `{"rotate":{}}`},
		"waiting":       {remove: []string{c.Name()}, want: "2 at the moment"},
		"replacement":   {replace: []string{c.Name() + "=" + d.Name()}, want: d.Name() + " is admitted: it is given the state, as 5 workers were before"},
		"the replaced":  {replace: []string{c.Name() + "=" + d.Name()}, want: c.Name() + " is removed"},
		"more":          {add: []string{d.Name()}, quorum: 3, want: "become 4 with quorum 3"},
		"nobody":        {err: "nobody to add"},
		"no cause":      {add: []string{d.Name()}, cause: true, err: "cause is for removals"},
		"a stranger":    {remove: []string{d.Name()}, err: "is not a member"},
		"a half":        {add: []string{d.Name()}, err: "want 3 to 4"},
		"twice":         {add: []string{c.Name()}, quorum: 3, err: "named twice"},
		"no pair":       {replace: []string{c.Name()}, err: "want MEMBER=EXECUTOR"},
		"no address":    {add: []string{"alice"}, err: "alice"},
		"no slot":       {add: []string{d.Operator + "/x"}, err: "want OPERATOR/SLOT"},
		"of both sorts": {replace: []string{c.Name() + "=" + c.Name()}, err: "added and removed"},
	} {
		ch := change{cause: x.cause, quorum: x.quorum}
		err := ch.name(&env{home: t.TempDir()}, x.add, x.remove, x.replace)
		var p *memberPlan
		if err == nil {
			p, err = ch.plan(v)
		}
		switch {
		case x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)):
			t.Errorf("%s: %v, want %q", name, err, x.err)
		case x.err == "" && (err != nil || !strings.Contains(strings.Join(p.Steps, "\n"), x.want)):
			t.Errorf("%s: %+v, %v, want %q", name, p, err, x.want)
		case x.err == "" && (p.Roster != 5 || p.Admitted != 5+uint64(len(ch.add))):
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestProposalOfARoster(t *testing.T) {
	a, b, c, d := worker(1), worker(2), worker(3), worker(4)
	at := func(delay uint64) *rosters {
		return &rosters{
			height: 100, network: &wire.NetworkParams{Development: true, ActivationDelay: delay},
			newest: &wire.GatekeeperRoster{Threshold: 2, Members: []*wire.WorkerRef{a, b, c}, FromHeight: 1}, set: &wire.GatekeeperSet{Epoch: 8},
		}
	}
	for name, x := range map[string]struct {
		add, remove []*wire.WorkerRef
		threshold   uint32
		delay       uint64
		says, err   string
	}{
		"removed":     {remove: []*wire.WorkerRef{c}, delay: 50, says: "with the block that takes the vote; one border, epoch 8 serves until then"},
		"goes":        {remove: []*wire.WorkerRef{c}, says: c.Name() + " goes"},
		"added":       {add: []*wire.WorkerRef{d}, delay: 50, says: "50 blocks after the block that takes the vote"},
		"comes":       {add: []*wire.WorkerRef{d}, says: d.Name() + " comes"},
		"replaced":    {add: []*wire.WorkerRef{d}, remove: []*wire.WorkerRef{a}, says: "3 with threshold 2 become 3 with threshold 2"},
		"lower":       {threshold: 1, delay: 50, says: "50 blocks"},
		"higher":      {threshold: 3, delay: 50, says: "with the block"},
		"nothing":     {err: "nothing changes"},
		"a stranger":  {remove: []*wire.WorkerRef{d}, err: "not on the roster"},
		"twice":       {add: []*wire.WorkerRef{a}, err: "twice"},
		"too few":     {remove: []*wire.WorkerRef{a, b}, err: "threshold"},
		"everybody":   {remove: []*wire.WorkerRef{a, b, c}, err: "members"},
		"a threshold": {threshold: 4, err: "threshold"},
	} {
		s := at(x.delay)
		r, err := s.succeed(x.add, x.remove, x.threshold)
		if x.err != "" {
			if err == nil || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%s: %v, want %q", name, err, x.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var text strings.Builder
		s.text(&text, r)
		if !strings.Contains(text.String(), x.says) {
			t.Errorf("%s: says %s, want %q", name, text.String(), x.says)
		}
	}
	// A roster that is to come is replaced: what is delayed goes by who serves now.
	s := at(50)
	s.newest.FromHeight, s.set.Threshold, s.set.Members = 130, 2, []*wire.GatekeeperMember{{Worker: a}, {Worker: b}}
	r, err := s.succeed(nil, []*wire.WorkerRef{b}, 0)
	if err != nil || r.FromHeight != 150 {
		t.Errorf("%+v, %v", r, err)
	}
	b1, err := json.Marshal(proposal(r, "title", minDeposit))
	if err != nil || !strings.Contains(string(b1), `"authority":"pha10d07y265gmmuvt4z0w9aw880jnsr700j`) || !strings.Contains(string(b1), c.Operator) {
		t.Errorf("%s, %v", b1, err)
	}
}
