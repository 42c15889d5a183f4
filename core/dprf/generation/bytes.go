package generation

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/dprf"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/seal"
	"github.com/phala-go/phala/core/wire"
)

// Sizes in bytes.
const (
	SeedSize       = 32 // private half of a one-time key
	CommitmentSize = sha256.Size
	shareSize      = keytree.Size + 2 // one value of wire.Shares with its tag and length
	tagSize        = 16               // of AES-256-GCM
)

// JoinBytes is what a member's identity key signs in a join.
func JoinBytes(chainID string, j *wire.GenerationJoin) []byte {
	c := *j
	c.Signature = nil
	return wire.SignBytes("phala/generation-join/v1/"+chainID, &c)
}

// ContributionBytes is what a member's identity key signs in a contribution.
func ContributionBytes(chainID string, c *wire.Contribution) []byte {
	d := *c
	d.Signature = nil
	return wire.SignBytes("phala/contribution/v1/"+chainID, &d)
}

// ComplaintBytes is what a member's identity key signs in a complaint.
func ComplaintBytes(chainID string, k *wire.Complaint) []byte {
	c := *k
	c.Signature = nil
	return wire.SignBytes("phala/complaint/v1/"+chainID, &c)
}

// ConfirmationBytes is what a member's identity key signs in a confirmation.
func ConfirmationBytes(chainID string, k *wire.Confirmation) []byte {
	c := *k
	c.Signature = nil
	return wire.SignBytes("phala/confirmation/v1/"+chainID, &c)
}

// round names one attempt on one chain; whatever is bound to it counts in no other.
type round struct {
	chainID string
	epoch   uint64
	attempt uint32
}

func (r round) prefix(domain string) []byte {
	b := []byte(domain)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.chainID)))
	b = append(b, r.chainID...)
	b = binary.BigEndian.AppendUint64(b, r.epoch)
	return binary.BigEndian.AppendUint32(b, r.attempt)
}

// commitment is SHA-256(domain || len(chain id) || chain id || epoch || attempt || B || member || contribution), numbers big
// endian: 4 bytes, but the epoch 8. The contribution hides it: 32 random bytes.
func (r round) commitment(b dprf.Set, member uint32, value []byte) [CommitmentSize]byte {
	p := r.prefix("phala/dprf-contribution/v1")
	p = binary.BigEndian.AppendUint32(p, uint32(b))
	p = binary.BigEndian.AppendUint32(p, member)
	p = append(p, value...)
	defer clear(p)
	return sha256.Sum256(p)
}

// info is HPKE's: who seals to whom, in which round.
func (r round) info(from, to uint32) []byte {
	b := r.prefix("phala/generation/v1")
	b = binary.BigEndian.AppendUint32(b, from)
	return binary.BigEndian.AppendUint32(b, to)
}

// aad is HPKE's: SHA-256 of all commitments of the sender, to the keys and then to its polynomial for the beacon.
func aad(c *wire.Contribution) []byte {
	h := sha256.New()
	for _, d := range c.Commitments {
		h.Write(d)
	}
	for _, d := range c.Beacon {
		h.Write(d)
	}
	return h.Sum(nil)
}

// oneTimeKey makes the X-Wing key pair of a seed of 32 bytes. The caller calls forget when it is done.
func oneTimeKey(seed []byte) (hpke.PrivateKey, error) {
	sk, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("making a one-time key: %w", err)
	}
	return sk, nil
}

// forget wipes the seed that an X-Wing key keeps. What Go has expanded of it is out of reach, and is the collector's.
func forget(sk hpke.PrivateKey) {
	if seed, err := sk.Bytes(); err == nil {
		clear(seed)
	}
}

// checkOneTimeKey refuses what is no X-Wing public key that everyone can seal to. A point of low order on Curve25519 parses, but
// sealing to it fails: its owner would make honest senders fall silent.
func checkOneTimeKey(b []byte) error {
	if _, err := seal.PublicKey(b); err != nil {
		return err
	}
	point, err := ecdh.X25519().NewPublicKey(b[len(b)-32:])
	if err != nil {
		return fmt.Errorf("parsing the X25519 half: %w", err)
	}
	// Any clamped scalar is a multiple of the cofactor and sends exactly the points of low order to zero.
	scalar := make([]byte, 32)
	scalar[0] = 1
	k, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		return fmt.Errorf("making a scalar: %w", err)
	}
	if _, err := k.ECDH(point); err != nil {
		return errors.New("the X25519 half is a point of low order: nobody can seal to it")
	}
	return nil
}

// held gives the members' common sets: those with none of members in them, ascending.
func held(sets []dprf.Set, members ...uint32) []dprf.Set {
	var who dprf.Set
	for _, i := range members {
		who |= 1 << i
	}
	var out []dprf.Set
	for _, b := range sets {
		if b&who == 0 {
			out = append(out, b)
		}
	}
	return out
}
