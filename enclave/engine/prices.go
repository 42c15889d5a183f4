package engine

import "github.com/phala-go/phala/enclave/engine/meter"

// price charges for a host function before it does anything. Bytes that pass
// between guest and host are charged where they pass, beside this.
type price func(f *frame, a args) error

// flat is the price of one piece of work.
func flat(class meter.Class) price {
	return func(f *frame, _ args) error { return f.spend(class, 1) }
}

// byLength is the price of as many pieces as the region in the i-th operand
// has room for, rounded up, and of one more.
func byLength(class meter.Class, i, bytes int) price {
	return func(f *frame, a args) error {
		r, err := f.region(a.ptr(i))
		if err != nil {
			return err
		}
		return f.spend(class, 1+(int(r.length)+bytes-1)/bytes)
	}
}

// prices are those of host functions, by name; others cost no more than the
// call into the host, which the contract's own code counts.
func prices() map[string]price {
	return map[string]price{
		"db_read":       flat(meter.KVRead),
		"db_write":      flat(meter.KVWrite),
		"db_remove":     flat(meter.KVWrite),
		"db_scan":       flat(meter.KVScan),
		"db_next":       flat(meter.KVNext),
		"db_next_key":   flat(meter.KVNext),
		"db_next_value": flat(meter.KVNext),

		"addr_validate":     flat(meter.Address),
		"addr_canonicalize": flat(meter.Address),
		"addr_humanize":     flat(meter.Address),

		"secp256k1_verify":         flat(meter.Secp256k1),
		"secp256k1_recover_pubkey": flat(meter.Secp256k1Rec),
		"secp256r1_verify":         flat(meter.Secp256r1),
		"secp256r1_recover_pubkey": flat(meter.Secp256r1),
		"ed25519_verify":           flat(meter.Ed25519),
		// Each signature stands there with its length in four bytes.
		"ed25519_batch_verify": byLength(meter.Ed25519, 1, signatureBytes+4),

		"bls12_381_aggregate_g1":     byLength(meter.BLSAggregate, 0, 48),
		"bls12_381_aggregate_g2":     byLength(meter.BLSAggregate, 0, 96),
		"bls12_381_pairing_equality": byLength(meter.BLSPairing, 0, 48),
		"bls12_381_hash_to_g1":       flat(meter.BLSHash),
		"bls12_381_hash_to_g2":       flat(meter.BLSHash),

		"query_chain": flat(meter.Query),

		"random":            flat(meter.Derive),
		"derive_public_key": flat(meter.Derive),
		"sign":              signing,
		"emit_private":      flat(meter.Address),
	}
}

// signing is the price of a signature and, since a message is hashed twice, of
// one more for each 8 KiB.
func signing(f *frame, a args) error {
	r, err := f.region(a.ptr(2))
	if err != nil {
		return err
	}
	return f.spend(meter.Derive, 1+int(r.length)/(8<<10))
}

// copied charges for bytes that pass between guest and host.
func (f *frame) copied(n int) error {
	return f.spend(meter.Copy, (n+meter.BulkSize-1)/meter.BulkSize)
}
