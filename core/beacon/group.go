package beacon

import (
	"errors"
	"fmt"
	"math/bits"

	"go.dedis.ch/kyber/v4"
	"go.dedis.ch/kyber/v4/pairing/bls12381/circl"
	"go.dedis.ch/kyber/v4/share"
)

// Group is what everybody knows of an epoch's beacon: enough to check parts, to put them together, and to check the whole.
// It is not safe for concurrent use.
type Group struct {
	points polynomial
	n      int
	public []byte
	shares map[int]kyber.Point // public halves of the members' shares, as they are needed
}

// Sum adds the commitments of all dealers that count: those of the group.
func Sum(dealers [][][]byte) ([][]byte, error) {
	var sum polynomial
	for i, d := range dealers {
		p, err := readPolynomial(d)
		if err != nil {
			return nil, fmt.Errorf("reading dealer %d: %w", i, err)
		}
		switch {
		case sum == nil:
			sum = p
		case len(p) != len(sum):
			return nil, fmt.Errorf("adding dealer %d: %d commitments, the others have %d", i, len(p), len(sum))
		default:
			for k := range sum {
				sum[k].Add(sum[k], p[k])
			}
		}
	}
	if sum == nil {
		return nil, errors.New("adding up a beacon: no dealer is left")
	}
	out := make([][]byte, len(sum))
	for i, p := range sum {
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
	p, err := readPolynomial(commitments)
	if err != nil {
		return nil, err
	}
	return &Group{points: p, n: n, public: commitments[0], shares: map[int]kyber.Point{}}, nil
}

// PublicKey is what Verify takes.
func (g *Group) PublicKey() []byte { return g.public }

// Threshold is how many parts make a signature.
func (g *Group) Threshold() int { return len(g.points) }

// VerifyPart checks a member's part of a height's signature.
func (g *Group) VerifyPart(chainID string, epoch, height uint64, index int, part []byte) error {
	if index < 0 || index >= g.n {
		return fmt.Errorf("beacon part of member %d: want one below %d", index, g.n)
	}
	key := g.shares[index]
	if key == nil {
		key = g.points.at(index)
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

// polynomial is the commitments to the coefficients of one, from the constant on.
type polynomial []kyber.Point

// at is the commitment to the value of a member, at 1 + index. All of it is public, and the factor is small: doubling and adding is
// several times quicker than a multiplication that tells nothing.
func (p polynomial) at(index int) kyber.Point {
	x := uint(index) + 1
	sum := p[len(p)-1].Clone()
	for k := len(p) - 2; k >= 0; k-- {
		one := sum.Clone()
		for bit := bits.Len(x) - 2; bit >= 0; bit-- {
			sum.Add(sum, sum)
			if x>>bit&1 == 1 {
				sum.Add(sum, one)
			}
		}
		sum.Add(sum, p[k])
	}
	return sum
}

func readPolynomial(commitments [][]byte) (polynomial, error) {
	if err := size(MaxN, len(commitments)); err != nil {
		return nil, err
	}
	g2 := circl.NewSuiteBLS12381().G2()
	points := make(polynomial, len(commitments))
	for i, c := range commitments {
		p, err := point(g2, c)
		if err != nil {
			return nil, fmt.Errorf("reading commitment %d: %w", i, err)
		}
		points[i] = p
	}
	return points, nil
}
