package keepertest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/phala-go/phala/chain/app/apptest"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// reboot registers another boot of gatekeeper i, which has none of the keys of the boot before.
func (k *gatekeepers) reboot(i int, name string) {
	k.t.Helper()
	k.boots[i] = newBoot(k.Accounts[1], k.boots[i].ref.Slot, wire.ROLE_GATEKEEPER, name)
	if r := k.send(k.registration(k.boots[i])); r[0].Code != 0 {
		k.t.Fatal(r[0].Log)
	}
}

func TestRebootedMemberIsLostToTheGeneration(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	for k.generation().GetPhase() != wire.GENERATION_PHASE_CONTRIBUTE {
		k.step()
	}
	k.down[0] = true
	k.reboot(0, "another boot")
	g := k.run(1, 1)
	if g.Phase != wire.GENERATION_PHASE_DONE || g.Members[0].Fault != wire.MEMBER_FAULT_LOST {
		t.Fatalf("generation: %+v", g)
	}
	if k.bond(0) != k.bond(1) {
		t.Errorf("a reboot costs a bond: %s", k.bond(0))
	}
	k.agree(g)
}

// Below the threshold nobody can be served: a new epoch begins at once, and rebooted members are in it again.
func TestTooFewLeftBeginAnEpochAtOnce(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.run(1, 1)
	k.reboot(0, "second boot of 0")
	k.saw(gatekeepertypes.EventLost, gatekeepertypes.AttributeSlot, "0", gatekeepertypes.AttributeServing, "3")
	k.reboot(1, "second boot of 1")
	for range 3 * phaseBlocks {
		k.step()
	}
	if g := k.generation(); g.Epoch != 1 {
		t.Fatalf("two of four are enough, and yet: %+v", g)
	}
	k.reboot(2, "second boot of 2")
	g := k.run(2, 1)
	k.saw(gatekeepertypes.EventGeneration, gatekeepertypes.AttributeReason, gatekeepertypes.ReasonLost)
	if g.Phase != wire.GENERATION_PHASE_DONE || !slices.Equal(k.faults(), make([]wire.MemberFault, 4)) {
		t.Errorf("generation: %+v", g)
	}
	sets := k.sets()
	if sets.Set.Epoch != 2 || sets.Previous.Epoch != 1 || gatekeepertypes.Serving(sets.Previous) != 1 {
		t.Errorf("sets: %+v", sets)
	}
	k.checkBeacon(g)
	k.agree(g)
}

// A registration that ends takes the parts of its boot with it.
func TestEndedRegistrationIsLost(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.run(1, 1)
	w, err := k.App.WorkerKeeper.Worker(k.Ctx(), k.boots[0].ref)
	k.check(err)
	for i := 1; i < 4; i++ { // the others bring newer evidence
		k.send(k.registration(k.boots[i]))
	}
	k.Blocks(int(w.ExpiryHeight) - int(k.Height) + 1)
	if set := k.sets().Set; set.Members[0].Fault != wire.MEMBER_FAULT_LOST || gatekeepertypes.Serving(set) != 3 {
		t.Errorf("set: %+v", set)
	}
}

func TestEpochsEndByTheirBlocks(t *testing.T) {
	const epoch = 30
	k := newGatekeepers(t, 4, 2, epoch)
	first := k.run(1, 1)
	second := k.run(2, 1)
	if second.StartedHeight != first.PhaseHeight+epoch {
		t.Errorf("epoch 2 began to be made at %d, %d blocks after %d", second.StartedHeight, second.StartedHeight-first.PhaseHeight, first.PhaseHeight)
	}
	k.saw(gatekeepertypes.EventGeneration, gatekeepertypes.AttributeReason, gatekeepertypes.ReasonEpoch)
	k.agree(second)
	if !k.read(storekey.PreviousSetKey(), new(wire.GatekeeperSet)) || !k.read(storekey.BeaconKeyKey(1), new(wire.BeaconKey)) {
		t.Error("the set or the beacon of the epoch before is gone")
	}
}

// Too few members: the attempt fails, the next follows at once, and those after wait longer and longer.
func TestFailedAttemptsWait(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.down = map[int]bool{1: true, 2: true, 3: true}
	var at []uint64
	for attempt := uint32(1); attempt <= 4; attempt++ {
		for k.generation().GetAttempt() != attempt {
			k.step()
		}
		at = append(at, k.generation().StartedHeight)
		k.saw(gatekeepertypes.EventGeneration, gatekeepertypes.AttributeAttempt, fmt.Sprint(attempt))
		for gatekeepertypes.Running(k.generation()) && k.generation().Attempt == attempt {
			k.step()
		}
	}
	for i, wait := range []uint64{0, 1, 3} {
		if got := at[i+1] - at[i]; got != phaseBlocks+wait*phaseBlocks {
			t.Errorf("attempt %d began %d blocks after the one before, want %d", i+2, got, phaseBlocks+wait*phaseBlocks)
		}
	}
	k.down = nil
	g := k.run(1, 5)
	if g.Phase != wire.GENERATION_PHASE_DONE {
		t.Errorf("generation: %+v", g)
	}
	k.agree(g)
}

func (k *gatekeepers) update(threshold uint32, members ...*wire.WorkerRef) *govv1.Proposal {
	k.t.Helper()
	return k.Govern(&gatekeepertypes.MsgUpdateRoster{Authority: authority(), Threshold: threshold, Members: members})
}

func (k *gatekeepers) roster() *gatekeepertypes.QueryRosterResponse {
	k.t.Helper()
	var res gatekeepertypes.QueryRosterResponse
	k.check(k.Query("/phala.gatekeeper.v1.Query/Roster", &gatekeepertypes.QueryRosterRequest{}, &res))
	return &res
}

// 4 → 5 → 4, and one replaced: one vote and one border each; who is added waits for the delay, who is removed goes at once.
func TestRosterChanges(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.run(1, 1)
	fifth := newBoot(k.Accounts[1], 4, wire.ROLE_GATEKEEPER, "gatekeeper 4")
	k.send(k.registration(fifth))
	k.update(2, refs(append(slices.Clone(k.boots), fifth))...)
	r := k.roster()
	if r.Next == nil || len(r.Next.Members) != 5 || r.Next.FromHeight != r.Next.ApprovedHeight+rosterDelay || len(r.InForce.Members) != 4 {
		t.Fatalf("roster: %+v", r)
	}
	if stored := new(wire.GatekeeperRoster); !k.read(storekey.RosterKey(), stored) || len(stored.Members) != 5 {
		t.Errorf("enclaves read the roster %+v", stored)
	}
	for uint64(k.Height) < r.Next.FromHeight-1 {
		k.step()
	}
	if g := k.generation(); g.Epoch != 1 {
		t.Fatalf("the delay is not over: %+v", g)
	}
	k.boots = append(k.boots, fifth)
	g := k.run(2, 1)
	k.saw(gatekeepertypes.EventRosterForce, gatekeepertypes.AttributeMembers, "5")
	if g.Phase != wire.GENERATION_PHASE_DONE || g.StartedHeight != r.Next.FromHeight || len(k.sets().Set.Members) != 5 {
		t.Fatalf("generation: %+v", g)
	}
	k.agree(g)

	// One is removed.
	k.boots = append(k.boots[:1], k.boots[2:]...)
	k.update(2, refs(k.boots)...)
	if r := k.roster(); r.Next != nil || len(r.InForce.Members) != 4 || r.InForce.FromHeight != r.InForce.ApprovedHeight {
		t.Fatalf("roster: %+v", r)
	}
	g = k.run(3, 1)
	if g.Phase != wire.GENERATION_PHASE_DONE || len(g.Members) != 4 {
		t.Fatalf("generation: %+v", g)
	}
	k.agree(g)
	removed := &workertypes.MsgUnregisterWorker{Operator: k.Accounts[1].String(), Slot: 1}
	if res := k.send(removed); res[0].Code != 0 {
		t.Errorf("a removed gatekeeper cannot leave: %s", res[0].Log)
	}

	// Slot 0 is replaced by slot 7.
	k.boots = append(slices.Clone(k.boots[1:]), newBoot(k.Accounts[1], 7, wire.ROLE_GATEKEEPER, "gatekeeper 7"))
	k.send(k.registration(k.boots[3]))
	k.update(2, refs(k.boots)...)
	g = k.run(4, 1)
	if g.Phase != wire.GENERATION_PHASE_DONE || !slices.Equal(k.faults(), make([]wire.MemberFault, 4)) {
		t.Fatalf("generation: %+v", g)
	}
	k.agree(g)
}

// A roster that comes into force ends what is under way for the one before it.
func TestNewRosterEndsTheGenerationUnderWay(t *testing.T) {
	k := newGatekeepers(t, 5, 2, 0)
	k.run(1, 1)
	for i := range 4 { // below the threshold: epoch 2 begins
		k.reboot(i, fmt.Sprint("second boot of ", i))
	}
	k.down = map[int]bool{0: true, 1: true, 2: true}
	k.step()
	if g := k.generation(); g.Epoch != 2 || !gatekeepertypes.Running(g) {
		t.Fatalf("generation: %+v", g)
	}
	p := k.update(2, refs(k.boots[1:])...)
	g := k.generation()
	if p.Status != govv1.StatusPassed || g.Epoch != 2 || len(g.Members) != 4 {
		t.Fatalf("proposal %s, generation %+v", p.Status, g)
	}
	k.boots, k.down = k.boots[1:], nil
	if g = k.run(2, g.Attempt); g.Phase != wire.GENERATION_PHASE_DONE {
		t.Fatalf("generation: %+v", g)
	}
	k.agree(g)
}

func TestRosterIsRefused(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.refused(k.Deliver(k.Accounts[0], &gatekeepertypes.MsgUpdateRoster{Authority: k.Accounts[0].String(), Threshold: 1, Members: refs(k.boots)}),
		gatekeepertypes.ErrUnauthorized, "proposal")
	executor := newBoot(k.Accounts[1], 20, wire.ROLE_EXECUTOR, "executor")
	k.send(k.registration(executor))
	for name, members := range map[string][]*wire.WorkerRef{
		"an executor": {k.boots[0].ref, executor.ref},
		"twice":       {k.boots[0].ref, k.boots[0].ref},
		"nobody":      nil,
	} {
		if p := k.update(1, members...); p.Status != govv1.StatusFailed {
			t.Errorf("%s: %s", name, p.Status)
		}
	}
	if k.roster().Next != nil {
		t.Errorf("roster: %+v", k.roster())
	}
}

// What is under way is exported and goes on from there.
func TestGenerationSurvivesExport(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	for k.generation().GetPhase() != wire.GENERATION_PHASE_CONFIRM {
		k.step()
	}
	ex, err := k.App.Export(nil)
	k.check(err)
	gen := *k.Genesis
	gen.AppState, gen.InitialHeight, gen.GenesisTime = ex.AppState, ex.Height, k.Time
	gen.Consensus = genutiltypes.NewConsensusGenesis(ex.ConsensusParams, ex.Validators)
	k.check(gen.ValidateAndComplete())
	before := k.state()
	accounts := k.Accounts
	k.world = &world{apptest.FromGenesis(t, &gen), t}
	k.Accounts = accounts
	if after := k.state(); before != after {
		t.Errorf("exported\n%s\nthen\n%s", before, after)
	}
	g := k.run(1, 1)
	if g.Phase != wire.GENERATION_PHASE_DONE {
		t.Fatalf("generation: %+v", g)
	}
	k.agree(g)
}

// Everything an enclave reads by proof lies where core/storekey says.
func TestGenerationStoreKeys(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.run(1, 1)
	for i := range k.boots {
		k.reboot(i, fmt.Sprint("second boot of ", i))
	}
	g := k.run(2, 1)
	for name, c := range map[string]struct {
		key   []byte
		value wire.Message
	}{
		"roster":       {storekey.RosterKey(), new(wire.GatekeeperRoster)},
		"generation":   {storekey.GenerationKey(), new(wire.Generation)},
		"join":         {storekey.JoinKey(3), new(wire.GenerationJoin)},
		"contribution": {storekey.ContributionKey(3), new(wire.Contribution)},
		"previous set": {storekey.PreviousSetKey(), new(wire.GatekeeperSet)},
		"set":          {storekey.GatekeeperSetKey(), new(wire.GatekeeperSet)},
		"params":       {storekey.KeyParamsKey(), new(wire.KeyParams)},
		"beacon key":   {storekey.BeaconKeyKey(2), new(wire.BeaconKey)},
	} {
		if !k.read(c.key, c.value) {
			t.Errorf("%s: nothing is stored under %x", name, c.key)
		}
	}
	v := k.view()
	if !bytes.Equal(wire.Hash(v.Contributions[3]), g.Members[3].ContributionHash) || !bytes.Equal(wire.Hash(v.Joins[3]), g.Members[3].JoinHash) {
		t.Error("what is stored is not what the generation names")
	}
}
