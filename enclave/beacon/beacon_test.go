package beacon

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/beacon"
	"github.com/phala-go/phala/core/wire"
)

const chainID = "phala-test"

// group makes the signers of an epoch that began with block 10.
func group(t *testing.T, n, threshold int) []*Signer {
	t.Helper()
	commitments, dealt, err := beacon.Deal(n, threshold, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var out []*Signer
	for i := range n {
		g, err := beacon.NewGroup(commitments, n)
		if err != nil {
			t.Fatal(err)
		}
		share, err := beacon.NewShare(i, dealt[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, New(Config{ChainID: chainID, Epoch: 2, Since: 10, Members: n, Me: i, Share: share, Group: g}))
	}
	return out
}

func sign(t *testing.T, s *Signer, final uint64) []*wire.BeaconPart {
	t.Helper()
	p, err := s.Sign(final)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func last(t *testing.T, s *Signer, final uint64) *wire.BeaconPart {
	t.Helper()
	p := sign(t, s, final)
	return p[len(p)-1]
}

// lacks is a chain without any value.
func lacks(uint64) bool { return true }

// One member sends each value, the next ones only if the chain goes without it.
func TestTurns(t *testing.T) {
	all := group(t, 4, 2)
	parts := make([]*wire.BeaconPart, 4)
	for i, s := range all {
		parts[i] = last(t, s, 13)
	}
	for i, s := range all {
		for j, p := range parts {
			if i != j {
				if err := s.Take(p); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var sent []int
	var value []byte
	for newest := uint64(13); newest <= 13+3*turn; newest++ {
		for i, s := range all {
			for _, b := range s.Due(newest, lacks) {
				if b.Height != 13 {
					continue
				}
				if err := beacon.Verify(s.cfg.Group.PublicKey(), chainID, 2, 13, b.Signature); err != nil {
					t.Error(err)
				}
				if value == nil {
					value = b.Signature
				}
				if !bytes.Equal(value, b.Signature) {
					t.Error("height 13 has two values")
				}
				sent = append(sent, i)
			}
		}
	}
	if !slices.Equal(sent, []int{1, 2, 3, 0}) { // 13 mod 4 is 1
		t.Errorf("sent by %v", sent)
	}
	for newest := uint64(30); newest < 40; newest++ {
		for _, s := range all {
			if len(s.Due(newest, func(uint64) bool { return false })) != 0 {
				t.Error("what the chain may have is sent again")
			}
		}
	}
	all[2].Known(13)
	if slices.Contains(all[2].Waiting(), 13) || !slices.Contains(all[3].Waiting(), 13) {
		t.Error("what the chain has is waited for, or what it lacks is not")
	}
	for newest := uint64(23); newest < 40; newest++ {
		for _, b := range all[2].Due(newest, lacks) {
			if b.Height == 13 {
				t.Error("what the chain has is sent again")
			}
		}
	}
}

// A wrong part is named and does not stop the right ones.
func TestLiarIsFound(t *testing.T) {
	all := group(t, 4, 3)
	right := []*wire.BeaconPart{nil, last(t, all[1], 10), last(t, all[2], 10), last(t, all[3], 10)}
	lie := *right[1]
	lie.Part = right[2].Part
	sign(t, all[0], 10)
	if err := all[0].Take(&lie); err != nil {
		t.Fatal(err)
	}
	if err := all[0].Take(right[2]); err == nil || !strings.Contains(err.Error(), "member 1") {
		t.Errorf("the liar is not named: %v", err)
	}
	if err := all[0].Take(right[3]); err != nil {
		t.Error(err)
	}
	if got := all[0].Waiting(); !slices.Equal(got, []uint64{10}) {
		t.Errorf("values of %v after three right parts", got)
	}
}

// Parts may come before this member has seen the height: it signs nothing on their word, and uses them later.
func TestPartsBeforeTheHeader(t *testing.T) {
	all := group(t, 2, 2)
	if err := all[0].Take(last(t, all[1], 11)); err != nil {
		t.Fatal(err)
	}
	if len(all[0].Due(11, lacks)) != 0 {
		t.Error("a value of a height that was not proven")
	}
	sign(t, all[0], 11)
	if got := all[0].Due(14, lacks); len(got) != 1 || got[0].Height != 11 {
		t.Errorf("%v", got)
	}
}

func TestWhatIsSigned(t *testing.T) {
	s := group(t, 1, 1)[0]
	if p := sign(t, s, 9); len(p) != 0 {
		t.Error("a height of the epoch before is signed")
	}
	if p := sign(t, s, 12); len(p) != 3 || p[0].Height != 10 {
		t.Errorf("%d parts up to height 12", len(p))
	}
	if p := sign(t, s, 12); len(p) != 0 {
		t.Error("a height is signed twice")
	}
	if p := sign(t, s, 1000); len(p) != window || p[0].Height != 1000-window+1 {
		t.Errorf("%d parts after a long sleep", len(p))
	}
	if len(s.heights) > window {
		t.Errorf("%d heights are kept", len(s.heights))
	}
}

func TestTakeRefuses(t *testing.T) {
	all := group(t, 3, 2)
	right := last(t, all[1], 20)
	sign(t, all[0], 200)
	change := func(f func(*wire.BeaconPart)) *wire.BeaconPart {
		p := *right
		p.Height = 200
		f(&p)
		return &p
	}
	for name, p := range map[string]*wire.BeaconPart{
		"nothing":          nil,
		"another epoch":    change(func(p *wire.BeaconPart) { p.Epoch = 3 }),
		"before the epoch": change(func(p *wire.BeaconPart) { p.Height = 9 }),
		"long ago":         change(func(p *wire.BeaconPart) { p.Height = 20 }),
		"far ahead":        change(func(p *wire.BeaconPart) { p.Height = 1000 }),
		"no member":        change(func(p *wire.BeaconPart) { p.Member = 3 }),
		"a huge member":    change(func(p *wire.BeaconPart) { p.Member = 1 << 31 }),
		"itself":           change(func(p *wire.BeaconPart) { p.Member = 0 }),
		"a short one":      change(func(p *wire.BeaconPart) { p.Part = p.Part[1:] }),
	} {
		if all[0].Take(p) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for h := uint64(200); h < 260; h++ {
		for range 3 {
			_ = all[0].Take(change(func(p *wire.BeaconPart) { p.Height = h }))
		}
	}
	if len(all[0].heights) > 2*window {
		t.Errorf("%d heights are kept", len(all[0].heights))
	}
}
