package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

// four gatekeepers in epoch 3: one is lost, one was excluded; epoch 4 is being made, and a fifth member is on its way.
func keysOfFour() *keyRecords {
	ref := func(i uint32) *wire.WorkerRef { return &wire.WorkerRef{Operator: "pha1op", Slot: i} }
	k := &keyRecords{
		height: 1010, params: &wire.KeyParams{EpochBlocks: 1000, PhaseBlocks: 20},
		set:    &wire.GatekeeperSet{Epoch: 3, Threshold: 2, Height: 5},
		roster: &wire.GatekeeperRoster{Threshold: 2, ApprovedHeight: 900, FromHeight: 1900},
		generation: &wire.Generation{
			Epoch: 4, Attempt: 2, Threshold: 2, Phase: wire.GENERATION_PHASE_CONTRIBUTE, PhaseHeight: 1007, Deadline: 1027,
		},
	}
	for i := range uint32(4) {
		m := &wire.GatekeeperMember{Worker: ref(i), IdentityKey: make([]byte, 32)}
		g := &wire.GenerationMember{Worker: ref(i), JoinHash: []byte{1}}
		switch i {
		case 1:
			m.Fault = wire.MEMBER_FAULT_LOST
		case 2:
			m.Fault = wire.MEMBER_FAULT_SILENT
			g.ContributionHash = []byte{1}
		case 3:
			g.Fault = wire.MEMBER_FAULT_FALSE_COMPLAINT
		}
		k.set.Members, k.generation.Members = append(k.set.Members, m), append(k.generation.Members, g)
	}
	for i := range uint32(5) {
		k.roster.Members = append(k.roster.Members, ref(i))
	}
	return k
}

func TestGatekeeperStatusReads(t *testing.T) {
	text := func(k *keyRecords) string {
		var b strings.Builder
		k.view().text(&b)
		return b.String()
	}
	const want = `epoch   3 since block 5, 2 of 4 members serve, 2 derive a secret
  member pha1op/0  serving
  member pha1op/1  lost: another boot has registered, or the registration ended: it is back with the next epoch
  member pha1op/2  excluded: sent nothing in time
  member pha1op/3  serving
making  epoch 4, attempt 2: contribute since block 1007, until block 1027
  waits for pha1op/0
  waits for pha1op/1
  without pha1op/3  excluded: complained about what was right
roster  5 members, threshold 2, approved at block 900, in force in 890 blocks, from block 1900
  next pha1op/0
  next pha1op/1
  next pha1op/2
  next pha1op/3
  next pha1op/4
proven against block 1010
`
	if got := text(keysOfFour()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	for line, change := range map[string]func(*keyRecords){
		"border  due since block 1005, until enough gatekeepers are registered": func(k *keyRecords) { k.generation.Phase = wire.GENERATION_PHASE_DONE },
		"border  in 55 blocks, at block 1065": func(k *keyRecords) {
			k.generation, k.set.Height = &wire.Generation{}, 65
		},
		"border  only when one is needed": func(k *keyRecords) { k.generation, k.params.EpochBlocks = &wire.Generation{}, 0 },
		"epoch   none yet":                func(k *keyRecords) { k.set = &wire.GatekeeperSet{} },
		"FEWER THAN THE THRESHOLD":        func(k *keyRecords) { k.set.Members[0].Fault = wire.MEMBER_FAULT_BAD_CONTRIBUTION },
		"failed since block 1007\n": func(k *keyRecords) {
			k.generation.Phase, k.generation.Deadline = wire.GENERATION_PHASE_FAILED, 0
		},
		"approved at block 900, in force\n": func(k *keyRecords) { k.roster.FromHeight = 1010 },
	} {
		k := keysOfFour()
		change(k)
		if got := text(k); !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
}

func TestGatekeeperStatusIsJSON(t *testing.T) {
	b, err := json.Marshal(keysOfFour().view())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"epoch":3`, `"border_height":1005`, `"serving":2`, `{"worker":"pha1op/2","state":"excluded","why":"sent nothing in time"}`,
		`"phase":"contribute"`, `"missing":["pha1op/0","pha1op/1"]`, `"from_height":1900,"in_force":false`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
}
