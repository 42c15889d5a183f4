package generation

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

// Whatever bytes arrive as a message: nothing panics, and nothing counts but what member 1 has signed or, to join, whoever's
// identity is in it: whose place that is, the registration says.
func FuzzMessages(f *testing.F) {
	phases := []wire.GenerationPhase{wire.GENERATION_PHASE_JOIN, wire.GENERATION_PHASE_CONTRIBUTE, wire.GENERATION_PHASE_CONFIRM}
	var nets []*network
	for i, p := range phases {
		x := at(f, p)
		nets = append(nets, x)
		good := wire.Marshal(say[wire.Message](x, 1))
		f.Add(uint8(i), good)
		f.Add(uint8(i), good[:len(good)/2])
		f.Add(uint8(i), append([]byte{8, 2}, good...))
	}
	f.Add(uint8(1), wire.Marshal(&wire.Contribution{Epoch: 1, Attempt: 1, Shares: []*wire.SealedShares{{}, {}}}))
	key := ed25519.PublicKey(identityOf(1).Public().(ed25519.PublicKey))
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		x := nets[int(kind)%len(phases)]
		g := x.view.Generation
		before := wire.Hash(g)
		counts := true // what is signed by no one must not
		switch g.Phase {
		case wire.GENERATION_PHASE_JOIN:
			var j wire.GenerationJoin
			if j.Unmarshal(b) == nil && CheckJoin(chainID, g, &j) == nil {
				counts = ed25519.Verify(j.IdentityKey, JoinBytes(chainID, &j), j.Signature)
			}
		case wire.GENERATION_PHASE_CONTRIBUTE:
			var c wire.Contribution
			if c.Unmarshal(b) == nil && CheckContribution(chainID, g, &c) == nil {
				counts = ed25519.Verify(key, ContributionBytes(chainID, &c), c.Signature) && c.Member == 1 && len(c.Shares) == 3
			}
		default:
			var c wire.Confirmation
			if c.Unmarshal(b) == nil && CheckConfirmation(chainID, g, &c) == nil {
				counts = ed25519.Verify(key, ConfirmationBytes(chainID, &c), c.Signature) && c.Member == 1
			}
			var k wire.Complaint
			if k.Unmarshal(b) == nil {
				_, _, err := Judge(chainID, g, x.view.Joins[1], x.view.Contributions[0], &k)
				counts = counts && err != nil
			}
		}
		if !counts {
			t.Errorf("%x counts", b)
		}
		if !bytes.Equal(wire.Hash(g), before) {
			t.Error("it left a trace")
		}
	})
}

// Whatever a member sends another, the chain judges as the receiver does: a complaint that the receiver makes always excludes the
// sender, and one that it would not make always excludes who makes it.
func FuzzJudge(f *testing.F) {
	x := at(f, wire.GENERATION_PHASE_CONFIRM)
	right := x.view.Contributions[0]
	f.Add(uint16(0), []byte{}, uint8(0))
	f.Add(uint16(3), []byte{1}, uint8(0))
	f.Add(uint16(1119), []byte{0x80}, uint8(0))
	f.Add(uint16(7), []byte{1, 2, 3}, uint8(1))
	f.Add(uint16(40), []byte{0xff}, uint8(2))
	f.Add(uint16(70), []byte{0xff}, uint8(3))
	f.Add(uint16(1), []byte{}, uint8(4))
	f.Add(uint16(0), []byte{}, uint8(5))
	f.Fuzz(func(t *testing.T, place uint16, change []byte, what uint8) {
		c := clone(t, right).(*wire.Contribution)
		s := c.Shares[0] // for member 1
		target := [][]byte{s.Enc, s.Ciphertext, c.Commitments[0], c.Commitments[2], c.Beacon[1]}
		switch {
		case int(what) < len(target):
			b := target[what]
			for i, v := range change {
				b[(int(place)+i)%len(b)] ^= v
			}
		case what == 5:
			c.Shares = c.Shares[1:]
		case what == 6:
			s.Ciphertext = change
		case what == 7:
			c.Commitments = append(c.Commitments, change)
		case what == 8:
			c.Beacon = [][]byte{change}
		default:
			c.Shares = append([]*wire.SealedShares{{To: 1, Enc: change, Ciphertext: change}}, c.Shares...)
		}
		g := new(wire.Generation)
		if err := wire.Unmarshal(wire.Marshal(x.view.Generation), g); err != nil {
			t.Fatal(err)
		}
		RecordContribution(g, c)
		key, err := oneTimeKey(x.seeds[1][0])
		if err != nil {
			t.Fatal(err)
		}
		m := x.members[1]
		values, wrong := open(m.round, m.sets, c, 1, key)
		if wrong == nil && len(values) != 3*32 {
			t.Fatalf("%d bytes were opened", len(values))
		}
		k := &wire.Complaint{Epoch: 1, Attempt: 1, Member: 1, Against: 0, OneTimeKey: x.seeds[1][0]}
		k.Signature = ed25519.Sign(identityOf(1), ComplaintBytes(chainID, k))
		who, fault, err := Judge(chainID, g, x.view.Joins[1], c, k)
		switch {
		case err != nil:
			t.Fatalf("a complaint that is in order was refused: %v", err)
		case wrong != nil && (who != 0 || fault != wire.MEMBER_FAULT_BAD_CONTRIBUTION):
			t.Fatalf("%v, and member %d was excluded for %s", wrong, who, fault)
		case wrong == nil && (who != 1 || fault != wire.MEMBER_FAULT_FALSE_COMPLAINT):
			t.Fatalf("nothing was wrong, and member %d was excluded for %s", who, fault)
		}
	})
}
