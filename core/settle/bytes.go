package settle

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/phala-go/phala/core/merkle"
	"github.com/phala-go/phala/core/wire"
)

// BatchHash names a batch.
func BatchHash(b *wire.Batch) []byte { return wire.Hash(b) }

// BatchBytes is what members sign.
func BatchBytes(b *wire.Batch) []byte { return wire.SignBytes("phala/batch/v1", b) }

// KeyRequestBytes is what a worker's identity key signs in a request for a key.
func KeyRequestBytes(chainID string, r *wire.KeyRequest) []byte {
	c := *r
	c.Signature, c.Height = nil, 0
	return wire.SignBytes("phala/key-request/v1/"+chainID, &c)
}

// AnnouncementBytes is what a member's identity key signs in an announcement.
func AnnouncementBytes(chainID string, a *wire.Announcement) []byte {
	c := *a
	c.Signature = nil
	return wire.SignBytes("phala/announce-epoch/v1/"+chainID, &c)
}

// KeyPartBytes is what a gatekeeper's identity key signs.
func KeyPartBytes(chainID string, p *wire.KeyPart) []byte {
	c := *p
	c.Signature = nil
	return wire.SignBytes("phala/key-part/v1/"+chainID, &c)
}

// ContractAddress is the address of the contract that inbox item index of cluster instantiates, 32 bytes.
func ContractAddress(cluster uint64, codeID []byte, index uint64) []byte {
	h := sha256.New()
	h.Write([]byte("phala/contract-address/v1"))
	h.Write(binary.BigEndian.AppendUint64(nil, cluster))
	h.Write(codeID)
	h.Write(binary.BigEndian.AppendUint64(nil, index))
	return h.Sum(nil)
}

// OutputLeaf is a result's leaf under outputs_root: a commitment that its salt hides.
func OutputLeaf(r *wire.Result, salt []byte) []byte {
	h := sha256.New()
	h.Write([]byte("phala/output/v1"))
	h.Write(salt)
	h.Write(wire.Hash(r))
	return h.Sum(nil)
}

// EffectLeaf is an effect's leaf under effects_root; its salt is inside it.
func EffectLeaf(e *wire.Effect) []byte {
	h := sha256.New()
	h.Write([]byte("phala/effect/v1"))
	h.Write(wire.Hash(e))
	return h.Sum(nil)
}

// SaltSize is the size of the salts of outputs and effects in bytes.
const SaltSize = 32

// VerifyEffect checks an opening against a final batch's effects_root. The root does not say how many leaves it has, so the
// same path could be read as another place of a tree of another size, and one effect run twice. Effects are padded to 1, 4, 16,
// 64, … leaves: among such trees the length of the path tells the size, and each leaf has one place.
func VerifyEffect(root []byte, o *wire.EffectOpening) error {
	if o.GetEffect() == nil || len(o.Effect.Salt) != SaltSize {
		return fmt.Errorf("effect without a salt of %d bytes", SaltSize)
	}
	if n := o.Leaves; n&(n-1) != 0 || bits.TrailingZeros32(n)%2 != 0 {
		return fmt.Errorf("effect among %d leaves: want 1, 4, 16, 64, …", n)
	}
	if err := merkle.Verify(root, EffectLeaf(o.Effect), o.Leaf, o.Leaves, o.Path); err != nil {
		return fmt.Errorf("checking effect %d: %w", o.Leaf, err)
	}
	return nil
}

// VerifyResult checks a result against its batch's outputs_root. That the batch is final is for the caller to check.
func VerifyResult(f *wire.FinalResult) error {
	if f.GetResult() == nil || f.Batch == nil || len(f.Salt) != SaltSize {
		return fmt.Errorf("final result without result, batch or salt of %d bytes", SaltSize)
	}
	r, b := f.Result, f.Batch
	if r.Cluster != b.Cluster || r.Index < b.InboxFirst || r.Index-b.InboxFirst != uint64(f.Leaf) || f.Leaf >= b.InboxCount || f.Leaves != b.InboxCount {
		return fmt.Errorf("result of item %d does not stand at place %d of %d of batch %d", r.Index, f.Leaf, f.Leaves, b.Number)
	}
	if err := merkle.Verify(b.OutputsRoot, OutputLeaf(r, f.Salt), f.Leaf, f.Leaves, f.Path); err != nil {
		return fmt.Errorf("checking the result of item %d: %w", r.Index, err)
	}
	return nil
}
