package beacon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"go.dedis.ch/kyber/v4"
	"go.dedis.ch/kyber/v4/pairing/bls12381/circl"
	"go.dedis.ch/kyber/v4/share"
	"go.dedis.ch/kyber/v4/sign/bls"
)

// Share is one member's part of the beacon's secret key. It does not print.
type Share struct {
	_     [0]func() // not comparable
	index int
	v     kyber.Scalar
}

// Format prints nothing of the share, whatever the verb.
func (Share) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[beacon share]")) }

// LogValue prints nothing of the share.
func (Share) LogValue() slog.Value { return slog.StringValue("[beacon share]") }

// MarshalText refuses: a share lives in memory only.
func (Share) MarshalText() ([]byte, error) {
	return nil, errors.New("marshalling a beacon share: refused")
}

// Wipe forgets the share.
func (s *Share) Wipe() { s.v.Zero() }

// Deal draws a polynomial of degree t-1: t commitments to its coefficients, PublicKeySize each, and the value of each of n members,
// ShareSize each, which is for that member alone.
func Deal(n, t int, rand io.Reader) (commitments, shares [][]byte, err error) {
	if err := size(n, t); err != nil {
		return nil, nil, err
	}
	g2 := circl.NewSuiteBLS12381().G2()
	coefficients := make([]kyber.Scalar, t)
	var b [64]byte // 256 bits more than the order has, so that its residue is as good as uniform
	defer clear(b[:])
	for i := range coefficients {
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return nil, nil, fmt.Errorf("drawing a polynomial: %w", err)
		}
		coefficients[i] = g2.Scalar().SetBytes(b[:])
	}
	poly := share.CoefficientsToPriPoly(g2, coefficients)
	_, points := poly.Commit(nil).Info()
	for _, p := range points {
		enc, err := p.MarshalBinary()
		if err != nil {
			return nil, nil, fmt.Errorf("writing a commitment: %w", err)
		}
		commitments = append(commitments, enc)
	}
	for i := range n {
		enc, err := poly.Eval(uint32(i)).V.MarshalBinary()
		if err != nil {
			return nil, nil, fmt.Errorf("writing a share: %w", err)
		}
		shares = append(shares, enc)
	}
	for _, c := range coefficients {
		c.Zero()
	}
	return commitments, shares, nil
}

// CheckShare says whether a value that a member was dealt is the one that its dealer is committed to.
func CheckShare(commitments [][]byte, index int, value []byte) error {
	if index < 0 || index >= MaxN {
		return fmt.Errorf("checking the share of member %d: want one below %d", index, MaxN)
	}
	poly, err := readPolynomial(commitments)
	if err != nil {
		return err
	}
	v, err := scalar(value)
	if err != nil {
		return err
	}
	defer v.Zero()
	if !circl.NewSuiteBLS12381().G2().Point().Mul(v, nil).Equal(poly.at(index)) {
		return fmt.Errorf("the share of member %d is not the one that its dealer is committed to", index)
	}
	return nil
}

// NewShare adds what a member was dealt by all dealers that count, its own value among them.
func NewShare(index int, dealt [][]byte) (*Share, error) {
	if index < 0 || index >= MaxN || len(dealt) == 0 {
		return nil, fmt.Errorf("adding the %d values of member %d: want some, and a member below %d", len(dealt), index, MaxN)
	}
	s := &Share{index: index, v: circl.NewSuiteBLS12381().G2().Scalar()}
	for _, d := range dealt {
		v, err := scalar(d)
		if err != nil {
			return nil, err
		}
		s.v.Add(s.v, v)
		v.Zero()
	}
	return s, nil
}

// Sign makes the member's part of a height's signature, SignatureSize bytes.
func (s *Share) Sign(chainID string, epoch, height uint64) ([]byte, error) {
	sig, err := bls.NewSchemeOnG1(circl.NewSuiteBLS12381()).Sign(s.v, Message(chainID, epoch, height))
	if err != nil {
		return nil, fmt.Errorf("signing height %d for the beacon: %w", height, err)
	}
	return sig, nil
}

// scalar reads the one encoding of a number below the group's order.
func scalar(b []byte) (kyber.Scalar, error) {
	if len(b) != ShareSize {
		return nil, fmt.Errorf("share of %d bytes: want %d", len(b), ShareSize)
	}
	s := circl.NewSuiteBLS12381().G2().Scalar()
	if err := s.UnmarshalBinary(b); err != nil {
		return nil, errors.New("the share is not a number below the group's order")
	}
	again, err := s.MarshalBinary()
	defer clear(again)
	if err != nil || string(again) != string(b) {
		return nil, errors.New("the share is not a number below the group's order")
	}
	return s, nil
}

func size(n, t int) error {
	if t < 1 || n < t || n > MaxN {
		return fmt.Errorf("%d of %d members: want 1 <= t <= n <= %d", t, n, MaxN)
	}
	return nil
}
