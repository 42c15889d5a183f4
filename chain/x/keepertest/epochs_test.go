package keepertest

import (
	"fmt"
	"slices"
	"testing"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/phala-go/phala/chain/app"
	gatekeepertypes "github.com/phala-go/phala/chain/x/gatekeeper/types"
	workertypes "github.com/phala-go/phala/chain/x/worker/types"
	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

func TestGatekeepersMakeKeys(t *testing.T) {
	for _, c := range []struct{ n, threshold int }{{1, 1}, {4, 2}, {7, 4}} {
		t.Run(fmt.Sprint(c.threshold, " of ", c.n), func(t *testing.T) {
			k := newGatekeepers(t, c.n, c.threshold, 0)
			g := k.run(1, 1)
			if g.Phase != wire.GENERATION_PHASE_DONE {
				t.Fatalf("generation: %+v", g)
			}
			k.saw(gatekeepertypes.EventGeneration, gatekeepertypes.AttributeReason, gatekeepertypes.ReasonGenesis)
			k.saw(gatekeepertypes.EventEpochBegun, gatekeepertypes.AttributeEpoch, "1", gatekeepertypes.AttributeServing, fmt.Sprint(c.n))
			if blocks := g.PhaseHeight - g.StartedHeight; blocks != 3 {
				t.Errorf("%d blocks from the start to the border, want one for each phase", blocks)
			}
			k.checkBeacon(g)
			k.agree(g)
			set := k.sets().Set
			if set.Epoch != 1 || set.Height != g.PhaseHeight || len(set.Members) != c.n || k.sets().Previous != nil {
				t.Errorf("set: %+v", set)
			}
		})
	}
}

// checkBeacon has the members of a finished generation sign a height and checks it with what the chain has. It comes before keys,
// which leave the members nothing else.
func (k *gatekeepers) checkBeacon(g *wire.Generation) {
	k.t.Helper()
	key := new(wire.BeaconKey)
	if !k.read(storekey.BeaconKeyKey(g.Epoch), key) {
		k.t.Fatal("the epoch has no beacon")
	}
	group, err := beacon.NewGroup(key.Commitments, int(key.Members))
	k.check(err)
	parts := map[int][]byte{}
	for i, m := range g.Members {
		if m.Fault != wire.MEMBER_FAULT_NONE || len(parts) == int(g.Threshold) {
			continue
		}
		share, err := k.members[i].Beacon(g)
		k.check(err)
		parts[i], err = share.Sign(k.Genesis.ChainID, g.Epoch, 7)
		k.check(err)
	}
	sig, err := group.Combine(parts)
	k.check(err)
	k.check(beacon.Verify(key.Commitments[0], k.Genesis.ChainID, g.Epoch, 7, sig))
}

func (k *gatekeepers) bond(i int) string {
	w, err := k.App.WorkerKeeper.Worker(k.Ctx(), k.boots[i].ref)
	k.check(err)
	return w.Bond
}

func TestSilentMemberIsNamedAndTheRestFinish(t *testing.T) {
	for _, phase := range []wire.GenerationPhase{wire.GENERATION_PHASE_JOIN, wire.GENERATION_PHASE_CONTRIBUTE, wire.GENERATION_PHASE_CONFIRM} {
		t.Run(phase.String(), func(t *testing.T) {
			k := newGatekeepers(t, 4, 2, 0)
			for k.generation().GetPhase() != phase {
				k.step()
			}
			k.down[3] = true
			g := k.run(1, 1)
			if g.Phase != wire.GENERATION_PHASE_DONE || g.Members[3].Fault != wire.MEMBER_FAULT_SILENT {
				t.Fatalf("generation: %+v", g)
			}
			k.saw(gatekeepertypes.EventExcluded, gatekeepertypes.AttributeMember, "3", gatekeepertypes.AttributeFault, wire.MEMBER_FAULT_SILENT.String())
			k.saw(workertypes.EventSlashed, workertypes.AttributeSlot, "3", workertypes.AttributeLoss, app.PHA(1).QuoRaw(100).String())
			if got := k.bond(3); got != app.PHA(99).QuoRaw(100).String() {
				t.Errorf("bond %s", got)
			}
			if k.bond(0) != app.PHA(1).String() {
				t.Errorf("an honest member paid: %s", k.bond(0))
			}
			k.checkBeacon(g)
			k.agree(g)
		})
	}
}

func TestLiarIsCaughtByComplaint(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.lie = func(i int, m wire.Message) wire.Message {
		if c, ok := m.(*wire.Contribution); ok && i == 1 {
			c.Shares[1].Ciphertext[5] ^= 1 // to member 2
			resign(k.boots[1], c, k.Genesis.ChainID)
		}
		return m
	}
	// The liar's own enclave does not know what it sent; it is silent from here on.
	for k.generation().GetPhase() != wire.GENERATION_PHASE_CONFIRM {
		k.step()
	}
	k.down[1] = true
	g := k.run(1, 1)
	if g.Phase != wire.GENERATION_PHASE_DONE || g.Members[1].Fault != wire.MEMBER_FAULT_BAD_CONTRIBUTION {
		t.Fatalf("generation: %+v", g)
	}
	k.saw(gatekeepertypes.EventExcluded, gatekeepertypes.AttributeMember, "1", gatekeepertypes.AttributeFault, wire.MEMBER_FAULT_BAD_CONTRIBUTION.String())
	if got := k.bond(1); got != app.PHA(9).QuoRaw(10).String() {
		t.Errorf("bond of the liar %s", got)
	}
	// What is left of the bonds is what the module holds: the rest is burned.
	if held := k.balance(authtypes.NewModuleAddress(workertypes.ModuleName)); !held.Equal(app.PHA(4).Sub(app.PHA(1).QuoRaw(10))) {
		t.Errorf("the bonds' account holds %s", held)
	}
	k.checkBeacon(g)
	k.agree(g)
}

func TestFalseComplaintExcludesWhoMakesIt(t *testing.T) {
	k := newGatekeepers(t, 4, 2, 0)
	k.lie = func(i int, m wire.Message) wire.Message {
		if c, ok := m.(*wire.Confirmation); ok && i == 2 {
			// Member 2's second one-time key is for member 1.
			f := &wire.Complaint{Epoch: c.Epoch, Attempt: c.Attempt, Member: 2, Against: 1, OneTimeKey: slices.Clone(k.seeds[2].Bytes()[32:64])}
			resign(k.boots[2], f, k.Genesis.ChainID)
			return f
		}
		return m
	}
	g := k.run(1, 1)
	if g.Phase != wire.GENERATION_PHASE_DONE || !slices.Equal(k.faults(), []wire.MemberFault{0, 0, wire.MEMBER_FAULT_FALSE_COMPLAINT, 0}) {
		t.Fatalf("generation: %+v", g)
	}
	if got := k.bond(2); got != app.PHA(9).QuoRaw(10).String() {
		t.Errorf("bond of the false complainer %s", got)
	}
	k.agree(g)
}

// A bond that is gone costs nothing more, and a worker that is not registered has none.
func TestSlashEndsAtTheBond(t *testing.T) {
	w := newWorld(t)
	b := w.executors(1)[0]
	ctx := w.Ctx()
	slash := func(parts uint32, want string) {
		t.Helper()
		w.check(w.App.WorkerKeeper.Slash(ctx, b.ref, parts, "test"))
		got, err := w.App.WorkerKeeper.Worker(ctx, b.ref)
		w.check(err)
		if got.Bond != want {
			t.Errorf("after %d of 10000 the bond is %s, want %s", parts, got.Bond, want)
		}
	}
	slash(0, "1000000000000")
	slash(1, "999900000000")
	slash(10_000, "0")
	slash(10_000, "0")
	w.check(w.App.WorkerKeeper.Slash(ctx, &wire.WorkerRef{Operator: b.ref.Operator, Slot: 77}, 10_000, "test"))
	if held := w.App.BankKeeper.GetBalance(ctx, authtypes.NewModuleAddress(workertypes.ModuleName), app.BaseDenom); !held.IsZero() {
		t.Errorf("the bonds' account holds %s", held)
	}
}
