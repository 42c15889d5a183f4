package light

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/types"
)

func TestP03_ForksAreProven(t *testing.T) {
	s := follow(t, 10)
	other := func(change func(b *block)) *types.LightBlock {
		b := newBlock(t, 10, four, four)
		b.header.AppHash = bytes.Repeat([]byte{1}, 32)
		change(b)
		return b.sign(t)
	}
	for name, lb := range map[string]*types.LightBlock{
		"all sign twice":           other(func(*block) {}),
		"three of four sign twice": other(func(b *block) { b.signers = four[:3] }),
		"validators exchanged, two of the known among them": newBlock(t, 10, []int{0, 1, 8}, four).sign(t),
	} {
		if err := s.Conflicts(lb); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []struct {
		name string
		lb   *types.LightBlock
		want string
	}{
		{"nothing", nil, "no header"},
		{"an empty block", &types.LightBlock{SignedHeader: &types.SignedHeader{}, ValidatorSet: set(t, 0)}, "missing header"},
		{"the same header", newBlock(t, 10, four, four).sign(t), "is the verified header"},
		{"another height", newBlock(t, 11, four, four).sign(t), "height 11"},
		{"another chain", other(func(b *block) { b.header.ChainID, b.chainID = "x", "x" }), "another chain"},
		{"half of the power", other(func(b *block) { b.signers = four[:2] }), "power"},
		{"votes for nil", other(func(b *block) { b.nilVotes = true }), ""},
		{"strangers", newBlock(t, 10, []int{5, 6, 7}, four).sign(t), "power"},
		{"one of the known in four", newBlock(t, 10, []int{0, 6, 7, 8}, four).sign(t), "power"},
	} {
		if err := s.Conflicts(c.lb); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	next := newBlock(t, 11, four, four)
	if lb := next.sign(t); !s.Unlinked(lb) {
		t.Error("another header before it was not seen")
	}
	next.header.LastBlockID.Hash = s.Hash
	if lb := next.sign(t); s.Unlinked(lb) || follow(t, 9).Unlinked(lb) {
		t.Error("linked headers, and one that is not adjacent")
	}
	if FromGenesis(genesis(t, four...)).Conflicts(other(func(*block) {})) == nil {
		t.Error("a fork against the genesis")
	}
}

func TestCheckpoint(t *testing.T) {
	g := genesis(t, four...)
	later10 := []int{20, 21, 22, 23} // nobody of the genesis is left
	lb := newBlock(t, 1000, later10, later10).sign(t)
	long := start.Add(400 * opts.TrustingPeriod)
	s, err := FromCheckpoint(g, Checkpoint{Height: 1000, Hash: lb.Hash()})
	if err != nil || s.Height != 999 {
		t.Fatalf("%+v %v", s, err)
	}
	bad := newBlock(t, 1000, later10, later10)
	bad.header.AppHash = bytes.Repeat([]byte{1}, 32)
	few := newBlock(t, 1000, later10, later10)
	few.signers = later10[:2]
	for name, lb := range map[string]*types.LightBlock{
		"another header":      bad.sign(t),
		"the one before":      newBlock(t, 999, later10, later10).sign(t),
		"the one after":       newBlock(t, 1001, later10, later10).sign(t),
		"of the genesis":      newBlock(t, 1, four, four).sign(t),
		"too few have signed": few.sign(t),
	} {
		if _, err := s.Verify(lb, later(1000), opts); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	at, err := s.Verify(lb, long, opts)
	if err != nil || at.Height != 1000 || !bytes.Equal(at.Hash, lb.Hash()) {
		t.Fatalf("%+v %v", at, err)
	}
	if _, err := at.Verify(newBlock(t, 1001, later10, later10).sign(t), later(1001), opts); err != nil {
		t.Error(err)
	}
	if _, err := at.Verify(newBlock(t, 1001, later10, later10).sign(t), long, opts); err == nil {
		t.Error("a checkpoint older than the trusting period leads on")
	}
	for name, c := range map[string]Checkpoint{"nothing": {}, "no hash": {Height: 5}, "a short hash": {Height: 5, Hash: []byte{1}}, "before the chain": {Height: 0, Hash: lb.Hash()}} {
		if _, err := FromCheckpoint(g, c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A set that does not change takes memory once, however many states are kept.
func TestStatesShareTheirSet(t *testing.T) {
	s := follow(t, 1)
	next, err := s.Verify(newBlock(t, 2, four, four).sign(t), later(2), opts)
	if err != nil || next.validators != s.validators {
		t.Errorf("another copy of the set: %v", err)
	}
}
