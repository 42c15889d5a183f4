package light

import (
	"errors"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"
)

func from(first, n int) (members []int) {
	for i := range n {
		members = append(members, first+i)
	}
	return members
}

// BenchmarkAdjacent100 decodes and verifies the next header of a hundred validators.
func BenchmarkAdjacent100(b *testing.B) {
	m := from(0, 100)
	s, err := FromGenesis(genesis(b, m...)).Verify(newBlock(b, 1, m, m).sign(b), later(1), opts)
	if err != nil {
		b.Fatal(err)
	}
	block, err := Encode(newBlock(b, 2, m, m).sign(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		lb, err := Decode(block)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Verify(lb, later(2), opts); err != nil {
			b.Fatal(err)
		}
	}
}

// month is a chain of a hundred validators of which three leave and three come every day, a header every hour.
type month struct{ blocks map[uint64][]byte }

const hours = 30 * 24

// at makes the block of height h when it is asked for the first time.
func (c month) at(b *testing.B, h uint64) []byte {
	if c.blocks[h] == nil {
		day := func(h uint64) []int { return from(int(h/24)*3, 100) }
		blk := newBlock(b, int64(h), day(h), day(h+1))
		blk.header.Time = start.Add(time.Duration(h) * time.Hour)
		enc, err := Encode(blk.sign(b))
		if err != nil {
			b.Fatal(err)
		}
		c.blocks[h] = enc
	}
	return c.blocks[h]
}

// reach bisects, as a host does, and gives the number of headers that were verified.
func (c month) reach(b *testing.B, s State, h uint64, o Options) (State, int) {
	lb, err := Decode(c.at(b, h))
	if err != nil {
		b.Fatal(err)
	}
	next, err := s.Verify(lb, start.Add(hours*time.Hour), o)
	if err == nil {
		return next, 1
	}
	var far types.ErrNotEnoughVotingPowerSigned
	if !errors.As(err, &far) {
		b.Fatal(err)
	}
	mid, n := c.reach(b, s, s.Height+(h-s.Height)/2, o)
	next, m := c.reach(b, mid, h, o)
	return next, n + m
}

// BenchmarkSkipMonth jumps over thirty days in which nine of ten validators were replaced. The trusting period is longer than that here;
// an enclave's is fourteen days.
func BenchmarkSkipMonth(b *testing.B) {
	o := Options{TrustingPeriod: 35 * 24 * time.Hour, MaxClockDrift: opts.MaxClockDrift}
	m := from(0, 100)
	first := newBlock(b, 1, m, m)
	first.header.Time = start.Add(time.Hour)
	s, err := FromGenesis(genesis(b, m...)).Verify(first.sign(b), start.Add(time.Hour), o)
	if err != nil {
		b.Fatal(err)
	}
	c := month{map[uint64][]byte{}}
	c.reach(b, s, hours, o) // makes the blocks
	n := 0
	for b.Loop() {
		end, verified := c.reach(b, s, hours, o)
		if n = verified; end.Height != hours {
			b.Fatal(end.Height)
		}
	}
	b.ReportMetric(float64(n), "headers/op")
}

// A hundred validators as they are: batches of signatures are verified together only where all keys are Ed25519.
func TestHundredValidatorsTwoThirds(t *testing.T) {
	m := from(0, 100)
	s := FromGenesis(genesis(t, m...))
	for signers, taken := range map[int]bool{66: false, 67: true, 100: true} {
		b := newBlock(t, 1, m, m)
		b.signers = m[:signers]
		if _, err := s.Verify(b.sign(t), later(1), opts); (err == nil) != taken {
			t.Errorf("%d of 100: %v", signers, err)
		}
	}
	// One wrong signature among those counted refuses all.
	lb := newBlock(t, 1, m, m).sign(t)
	lb.Commit.Signatures[40].Signature[ed25519.SignatureSize-1] ^= 1
	if _, err := s.Verify(lb, later(1), opts); err == nil {
		t.Error("a wrong signature was counted")
	}
}
