package engine

import "github.com/phala-go/phala/enclave/engine/meter"

// price charges for a host function before it does anything. Bytes that pass
// between guest and host are charged where they pass, beside this.
type price func(f *frame, a args) error

// flat is the price of one piece of work.
func flat(class meter.Class) price { return times(1, class) }

// times is the price of n pieces of work.
func times(n int, class meter.Class) price {
	return func(f *frame, _ args) error { return f.spend(class, n) }
}

// keyed is the price of one piece of work on the state and of the bytes in the
// regions of some operands, which are copied and hashed.
func keyed(class meter.Class, operands ...int) price {
	return func(f *frame, a args) error {
		units := 0
		for _, i := range operands {
			r, err := f.region(a.ptr(i))
			if err != nil {
				return err
			}
			units += (int(r.length) + meter.BulkSize - 1) / meter.BulkSize
		}
		if err := f.spend(class, 1); err != nil {
			return err
		}
		return f.spend(meter.KVUnit, units)
	}
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
		"db_read":       keyed(meter.KVRead, 0),
		"db_write":      keyed(meter.KVWrite, 0, 1),
		"db_remove":     keyed(meter.KVWrite, 0),
		"db_scan":       flat(meter.KVScan),
		"db_next":       flat(meter.KVNext),
		"db_next_key":   flat(meter.KVNext),
		"db_next_value": flat(meter.KVNext),

		"addr_validate":     times(2, meter.Address), // it converts there and back
		"addr_canonicalize": flat(meter.Address),
		"addr_humanize":     flat(meter.Address),

		"secp256k1_verify":         flat(meter.Secp256k1),
		"secp256k1_recover_pubkey": flat(meter.Secp256k1Rec),
		"secp256r1_verify":         flat(meter.Secp256r1),
		"secp256r1_recover_pubkey": times(2, meter.Secp256r1),
		"ed25519_verify":           flat(meter.Ed25519),
		// Each signature stands there with its length in four bytes.
		"ed25519_batch_verify": byLength(meter.Ed25519, 1, signatureBytes+4),

		"bls12_381_aggregate_g1":     byLength(meter.BLSAggregate, 0, 48),
		"bls12_381_aggregate_g2":     byLength(meter.BLSAggregate, 0, 48),
		"bls12_381_pairing_equality": byLength(meter.BLSPairing, 0, 48),
		"bls12_381_hash_to_g1":       flat(meter.BLSHash),
		"bls12_381_hash_to_g2":       times(5, meter.BLSHash),

		"query_chain": flat(meter.Query),

		"random":            flat(meter.Address),
		"derive_public_key": flat(meter.Derive),
		"sign":              signing,
		"emit_private":      times(2, meter.Address),
	}
}

// signing is the price of a signature, which is as dear as two keys, and, since
// a message is hashed twice, of one more key for each 8 KiB.
func signing(f *frame, a args) error {
	r, err := f.region(a.ptr(2))
	if err != nil {
		return err
	}
	return f.spend(meter.Derive, 2+int(r.length)/(8<<10))
}

// copied charges for bytes that pass between guest and host.
func (f *frame) copied(n int) error {
	return f.spend(meter.Copy, (n+meter.BulkSize-1)/meter.BulkSize)
}
