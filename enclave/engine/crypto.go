package engine

import (
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/hdevalence/ed25519consensus"

	"github.com/phala-go/phala/enclave/engine/meter"
)

// Answers of the verification functions, as CosmWasm numbers them.
const (
	valid              = 0
	invalid            = 1
	badHash            = 3
	badSignature       = 4
	badPublicKey       = 5
	badRecoveryParam   = 6
	badBatch           = 7
	badOther           = 10
	maxEd25519Message  = 128 << 10
	maxEd25519Batch    = 256
	signatureBytes     = 64
	ed25519PublicBytes = 32
	hashedPerEd25519   = 32 << 10 // bytes hashed that take as long as one verification
)

// readAll reads several regions, each with its limit.
func (f *frame) readAll(a args, limits ...int) ([][]byte, error) {
	out := make([][]byte, len(limits))
	for i, n := range limits {
		var err error
		if out[i], err = f.read(a.ptr(i), n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func secp256k1Verify(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a, 32, signatureBytes, 65)
	if err != nil {
		return 0, err
	}
	return verifySecp256k1(in[0], in[1], in[2]), nil
}

// verifySecp256k1 accepts a high s, as CosmWasm does.
func verifySecp256k1(hash, sig, key []byte) uint64 {
	switch {
	case len(hash) != 32:
		return badHash
	case len(sig) != signatureBytes:
		return badSignature
	case len(key) == 0,
		key[0] == 4 && len(key) != 65,
		(key[0] == 2 || key[0] == 3) && len(key) != 33,
		key[0] != 2 && key[0] != 3 && key[0] != 4:
		return badPublicKey
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || r.IsZero() || s.IsZero() {
		return badOther
	}
	public, err := secp256k1.ParsePubKey(key)
	if err != nil {
		return badOther
	}
	if !ecdsa.NewSignature(&r, &s).Verify(hash, public) {
		return invalid
	}
	return valid
}

// secp256k1Recover answers a pointer in the low half or a code in the high.
func secp256k1Recover(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a, 32, signatureBytes)
	if err != nil {
		return 0, err
	}
	key, code := recoverSecp256k1(in[0], in[1], a.ptr(2))
	if code != valid {
		return code << 32, nil
	}
	return f.give(key)
}

func recoverSecp256k1(hash, sig []byte, param uint32) ([]byte, uint64) {
	switch {
	case len(hash) != 32:
		return nil, badHash
	case len(sig) != signatureBytes:
		return nil, badSignature
	case param > 1:
		return nil, badRecoveryParam
	}
	compact := append([]byte{27 + byte(param)}, sig...)
	key, _, err := ecdsa.RecoverCompact(compact, hash)
	if err != nil {
		return nil, badOther
	}
	return key.SerializeUncompressed(), valid
}

func ed25519Verify(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a, maxEd25519Message, signatureBytes, ed25519PublicBytes)
	if err != nil {
		return 0, err
	}
	if err := f.spend(meter.Ed25519, len(in[0])/hashedPerEd25519); err != nil {
		return 0, err
	}
	return verifyEd25519(in[0], in[1], in[2]), nil
}

// verifyEd25519 follows ZIP 215, so that one by one and in a batch agree.
func verifyEd25519(msg, sig, key []byte) uint64 {
	switch {
	case len(sig) != signatureBytes:
		return badSignature
	case len(key) != ed25519PublicBytes:
		return badPublicKey
	case !ed25519consensus.Verify(key, msg, sig):
		return invalid
	}
	return valid
}

func ed25519BatchVerify(f *frame, a args) (uint64, error) {
	in, err := f.readAll(a,
		(maxEd25519Message+4)*maxEd25519Batch, (signatureBytes+4)*maxEd25519Batch, (ed25519PublicBytes+4)*maxEd25519Batch)
	if err != nil {
		return 0, err
	}
	var lists [3][][]byte
	for i := range lists {
		if lists[i], err = split(in[i]); err != nil {
			return 0, err
		}
	}
	// A message that serves all keys is hashed with each.
	hashed := 0
	for _, msg := range lists[0] {
		hashed += len(msg)
	}
	if len(lists[0]) == 1 {
		hashed *= len(lists[1])
	}
	if err := f.spend(meter.Ed25519, hashed/hashedPerEd25519); err != nil {
		return 0, err
	}
	return verifyEd25519Batch(lists[0], lists[1], lists[2]), nil
}

// verifyEd25519Batch checks one by one: a true batch would need randomness of
// the host's. One message may serve all keys, one key all messages.
func verifyEd25519Batch(msgs, sigs, keys [][]byte) uint64 {
	n := len(sigs)
	if len(msgs) == 1 && len(keys) == n {
		msgs = repeat(msgs[0], n)
	} else if len(keys) == 1 && len(msgs) == n {
		keys = repeat(keys[0], n)
	}
	if len(msgs) != n || len(keys) != n {
		return badBatch
	}
	answer := uint64(valid)
	for i := range sigs {
		switch code := verifyEd25519(msgs[i], sigs[i], keys[i]); code {
		case valid:
		case invalid:
			answer = invalid // a malformed one further on still counts for more
		default:
			return code
		}
	}
	return answer
}

func repeat(b []byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}
