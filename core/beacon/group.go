package beacon

import (
	"fmt"

	"go.dedis.ch/kyber/v4"
	"go.dedis.ch/kyber/v4/pairing/bls12381/circl"
	"go.dedis.ch/kyber/v4/share"
)

// Group is what everybody knows of an epoch's beacon: enough to check parts, to put them together, and to check the whole.
// It is not safe for concurrent use.
type Group struct {
	poly   *share.PubPoly
	n      int
	public []byte
	shares map[int]kyber.Point // public halves of the members' shares, as they are needed
}

// Sum adds the commitments of all dealers that count: those of the group.
func Sum(dealers [][][]byte) ([][]byte, error) {
	var sum *share.PubPoly
	for i, d := range dealers {
		p, err := polynomial(d)
		if err != nil {
			return nil, fmt.Errorf("reading dealer %d: %w", i, err)
		}
		if sum == nil {
			sum = p
		} else if sum, err = sum.Add(p); err != nil {
			return nil, fmt.Errorf("adding dealer %d: %w", i, err)
		}
	}
	if sum == nil {
		return nil, fmt.Errorf("no dealer is left")
	}
	_, points := sum.Info()
	out := make([][]byte, len(points))
	for i, p := range points {
		b, err := p.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("writing a commitment: %w", err)
		}
		out[i] = b
	}
	return out, nil
}

// NewGroup reads the commitments of a group of n members; its threshold is their number.
func NewGroup(commitments [][]byte, n int) (*Group, error) {
	if err := size(n, len(commitments)); err != nil {
		return nil, err
	}
	p, err := polynomial(commitments)
	if err != nil {
		return nil, err
	}
	return &Group{poly: p, n: n, public: commitments[0], shares: map[int]kyber.Point{}}, nil
}

// PublicKey is what Verify takes.
func (g *Group) PublicKey() []byte { return g.public }

// Threshold is how many parts make a signature.
func (g *Group) Threshold() int { return int(g.poly.Threshold()) }

// VerifyPart checks a member's part of a height's signature.
func (g *Group) VerifyPart(chainID string, epoch, height uint64, index int, part []byte) error {
	if index < 0 || index >= g.n {
		return fmt.Errorf("beacon part of member %d: want one below %d", index, g.n)
	}
	key := g.shares[index]
	if key == nil {
		key = g.poly.Eval(uint32(index)).V
		g.shares[index] = key
	}
	if err := verify(key, Message(chainID, epoch, height), part); err != nil {
		return fmt.Errorf("checking the part of member %d: %w", index, err)
	}
	return nil
}

// Combine puts together parts by member, each of which has passed VerifyPart; any Threshold of them give the same signature.
func (g *Group) Combine(parts map[int][]byte) ([]byte, error) {
	g1 := circl.NewSuiteBLS12381().G1()
	var pub []*share.PubShare
	for i := range g.n {
		b, ok := parts[i]
		if !ok {
			continue
		}
		p, err := point(g1, b)
		if err != nil {
			return nil, fmt.Errorf("reading the part of member %d: %w", i, err)
		}
		if pub = append(pub, &share.PubShare{I: uint32(i), V: p}); len(pub) == g.Threshold() {
			break
		}
	}
	if len(pub) < g.Threshold() {
		return nil, fmt.Errorf("%d parts of the beacon's signature: %d are needed", len(pub), g.Threshold())
	}
	whole, err := share.RecoverCommit(g1, pub, uint32(g.Threshold()), uint32(g.n))
	if err != nil {
		return nil, fmt.Errorf("combining the beacon's signature: %w", err)
	}
	return whole.MarshalBinary()
}

// polynomial reads commitments to the coefficients of a polynomial.
func polynomial(commitments [][]byte) (*share.PubPoly, error) {
	if err := size(MaxN, len(commitments)); err != nil {
		return nil, err
	}
	g2 := circl.NewSuiteBLS12381().G2()
	points := make([]kyber.Point, len(commitments))
	for i, c := range commitments {
		p, err := point(g2, c)
		if err != nil {
			return nil, fmt.Errorf("reading commitment %d: %w", i, err)
		}
		points[i] = p
	}
	return share.NewPubPoly(g2, g2.Point().Base(), points), nil
}
