package escrow

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// Share is one custodian's, opened. It does not print.
type Share struct {
	value, salt []byte
}

// Format prints nothing of the share, whatever the verb.
func (Share) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[share]")) }

// LogValue prints nothing of the share.
func (Share) LogValue() slog.Value { return slog.StringValue("[share]") }

// MarshalText refuses: a share leaves memory only sealed.
func (Share) MarshalText() ([]byte, error) { return nil, errors.New("marshalling a share: refused") }

// Wipe overwrites the share.
func (s *Share) Wipe() {
	clear(s.value)
	clear(s.salt)
}

// commitment is SHA-256 of domain || about || index || salt || value.
func commitment(a About, index uint32, s *Share) []byte {
	b := append([]byte("phala/escrow-commitment/v1"), a.aad(index)...)
	h := sha256.New()
	h.Write(b)
	h.Write(s.salt)
	h.Write(s.value)
	return h.Sum(nil)
}

func check(state *keytree.Secret, a About) []byte {
	return state.Key("phala/escrow-check/v1", a.hash())
}

// split cuts the state key into the shares of n custodians. Coefficients and salts are derived from the key itself, so that all members
// come to the same shares and each can tell that another's are wrong. To those who do not have the key they are random (spec, "Why
// derived").
func split(state *keytree.Secret, a About, threshold uint32, n int) []*Share {
	h := a.hash()
	coefficients := [][]byte{state.Expose()}
	for j := uint32(1); j < threshold; j++ {
		coefficients = append(coefficients, state.Key("phala/escrow-coefficient/v1", h, binary.BigEndian.AppendUint32(nil, j)))
	}
	defer func() {
		for _, c := range coefficients {
			clear(c)
		}
	}()
	out := make([]*Share, n)
	for i := range out {
		index := uint32(i)
		out[i] = &Share{value: evaluate(coefficients, point(index)), salt: state.Key("phala/escrow-salt/v1", h, binary.BigEndian.AppendUint32(nil, index))}
	}
	return out
}

// Deal splits the state key of a label among the custodians of valid terms. It is not signed yet.
func Deal(chainID string, t *wire.EscrowTerms, epoch, roster uint64, state *keytree.Secret) (*wire.EscrowDeal, error) {
	if err := CheckTerms(t); err != nil {
		return nil, err
	}
	d := &wire.EscrowDeal{Cluster: t.Cluster, Epoch: epoch, Roster: roster, Terms: TermsHash(t)}
	a := AboutDeal(chainID, d)
	d.Check = check(state, a)
	for i, s := range split(state, a, t.Threshold, len(t.Custodians)) {
		index := uint32(i)
		pk, err := seal.PublicKey(t.Custodians[i].SealingKey)
		if err != nil {
			return nil, err
		}
		e, err := sealShare(pk, a, domainDeal, index, s)
		if err != nil {
			return nil, err
		}
		d.Shares, d.Sealed = append(d.Shares, commitment(a, index, s)), append(d.Sealed, e)
		s.Wipe()
	}
	return d, nil
}

// Same says whether two members have dealt the same shares: of one key, under the same terms.
func Same(a, b *wire.EscrowDeal) bool {
	x, y := *a, *b
	for _, d := range []*wire.EscrowDeal{&x, &y} {
		d.Sealed, d.Worker, d.Signature, d.Height = nil, nil, nil, 0
	}
	return bytes.Equal(wire.Marshal(&x), wire.Marshal(&y))
}

func sealShare(pk hpke.PublicKey, a About, domain string, index uint32, s *Share) (*wire.Envelope, error) {
	plain := wire.Marshal(&wire.EscrowShareBody{Value: s.value, Salt: s.salt})
	defer clear(plain)
	e, _, err := seal.Seal(pk, a.context(domain), a.aad(index), plain)
	return e, err
}

// openShare opens a share and holds it against its commitment.
func openShare(sk hpke.PrivateKey, a About, domain string, index uint32, e *wire.Envelope, want []byte) (*Share, error) {
	plain, _, err := seal.Open(sk, a.context(domain), a.aad(index), e)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var b wire.EscrowShareBody
	if err := wire.Unmarshal(plain, &b); err != nil {
		return nil, err
	}
	s := &Share{value: b.Value, salt: b.Salt}
	if len(b.Value) != shareSize || len(b.Salt) != sha256.Size {
		return nil, fmt.Errorf("share of %d bytes with a salt of %d", len(b.Value), len(b.Salt))
	}
	if subtle.ConstantTimeCompare(commitment(a, index, s), want) != 1 {
		s.Wipe()
		return nil, errors.New("it is not the share that was committed to")
	}
	return s, nil
}

// OpenDealt opens a custodian's own share of a checked deal, by its index in the terms. An error says that the member who dealt is at
// fault, or that the key is another custodian's.
func (k *Key) OpenDealt(chainID string, d *wire.EscrowDeal, index uint32) (*Share, error) {
	if int(index) >= len(d.Sealed) || int(index) >= len(d.Shares) {
		return nil, fmt.Errorf("share %d of %d", index, len(d.Sealed))
	}
	s, err := openShare(k.sealing, AboutDeal(chainID, d), domainDeal, index, d.Sealed[index], d.Shares[index])
	if err != nil {
		return nil, fmt.Errorf("opening the share of epoch %d roster %d that %s dealt: %w", d.Epoch, d.Roster, d.Worker.Name(), err)
	}
	return s, nil
}

// Answer seals a custodian's share of deal number n of its label anew, for a checked request.
func (k *Key) Answer(chainID string, d *wire.EscrowDeal, n, index uint32, s *Share, r *wire.EscrowRequest) (*wire.EscrowShare, error) {
	pk, err := seal.PublicKey(r.OneTimeKey)
	if err != nil {
		return nil, err
	}
	e, err := sealShare(pk, AboutDeal(chainID, d), domainShare, index, s)
	if err != nil {
		return nil, err
	}
	out := &wire.EscrowShare{
		Cluster: d.Cluster, Epoch: d.Epoch, Roster: d.Roster, Deal: n, Custodian: index,
		Worker: r.Worker, Request: RequestID(r.OneTimeKey), Sealed: e,
	}
	out.Signature = ed25519.Sign(k.identity, ShareBytes(chainID, out))
	return out, nil
}

// OpenAnswer opens a share that CheckShare took with the private half of the request's one-time key. Its error is the custodian's fault,
// and names it.
func OpenAnswer(chainID string, t *wire.EscrowTerms, d *wire.EscrowDeal, oneTime hpke.PrivateKey, s *wire.EscrowShare) (*Share, error) {
	out, err := openShare(oneTime, AboutDeal(chainID, d), domainShare, s.Custodian, s.Sealed, d.Shares[s.Custodian])
	if err != nil {
		return nil, fmt.Errorf("custodian %s of cluster %d gave a false share: %w", t.Custodians[s.Custodian].Name, d.Cluster, err)
	}
	return out, nil
}

// ErrFew: more custodians' shares are needed.
var ErrFew = errors.New("fewer shares than the threshold")

// Combine gives the state key that a deal is of, from the shares of a threshold of custodians, by index. Since each share is the one
// that was committed to, an error other than ErrFew is the fault of the member who dealt.
func Combine(chainID string, t *wire.EscrowTerms, d *wire.EscrowDeal, shares map[uint32]*Share) (*keytree.Secret, error) {
	if len(shares) < int(t.Threshold) {
		return nil, ErrFew
	}
	b, err := interpolate(shares)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	state, err := keytree.NewSecret(b)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(check(state, AboutDeal(chainID, d)), d.Check) != 1 {
		state.Wipe()
		return nil, fmt.Errorf("what %s dealt of epoch %d roster %d comes to another key than it says", d.Worker.Name(), d.Epoch, d.Roster)
	}
	return state, nil
}
