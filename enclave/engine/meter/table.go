package meter

import "fmt"

// Class is a kind of work that costs the same wherever it is done.
type Class uint8

// Classes of instructions. Rewrite charges these.
const (
	Free     Class = iota // structure that compiles to nothing: block, end, nop, drop
	Integer               // arithmetic, comparison, constants, locals, select
	Divide                // integer division and remainder
	Memory                // loads, stores, memory.size, globals
	Float                 // arithmetic, comparison, conversion of floats
	FloatHi               // their division and square root
	Branch                // br, br_if, if, return
	Switch                // br_table
	Call                  // a function of the module
	Indirect              // call_indirect
	Host                  // a call into the host, before what the host itself charges; memory.grow likewise
	GrowPage              // memory.grow, for each page it adds
	Bulk                  // memory.copy and memory.fill, which leave the compiled code
	BulkUnit              // these, for each BulkSize bytes or part

	// Classes of what a contract asks of the host. The engine charges these.
	Copy         // each BulkSize bytes or part, in or out of the guest
	KVRead       // a key looked up, found or not
	KVWrite      // a key written or removed
	KVUnit       // each BulkSize bytes or part of a key looked up, and of what is written
	KVScan       // an iterator opened
	KVNext       // one step of it
	Address      // an address converted, a random value drawn; twice that, one checked or an event emitted
	Secp256k1    // one verification
	Secp256k1Rec // one recovery of a public key
	Secp256r1    // one verification; a recovery costs two
	Ed25519      // one verification; a batch costs as many as it has signatures
	BLSAggregate // one point of G1 added; one of G2 costs two
	BLSPairing   // one pair of a pairing equality
	BLSHash      // one hash to G1; one to G2 costs five
	Query        // a query of another contract, before what that one does
	Derive       // a key derived; a signature costs two

	// Classes of deployment.
	DeployByte  // one byte of the module
	DeployGraph // the sum over all functions of the square of their Limits.Graph
	DeployWork  // the sum of their Limits.Work

	classes = iota
)

// BulkSize is the number of bytes that count as one unit of copying.
const BulkSize = 1 << bulkShift

const bulkShift = 4

// Table says what each class costs. A published table never changes: another
// number means another Version.
type Table struct {
	Version uint32
	Cost    [classes]int64
}

// maxCost keeps every sum of costs far from overflow: no block has more than
// 2^17 instructions, no instruction moves more than 2^32 units.
const maxCost = 1 << 25

// V1 is the first table, calibrated by enclave/engine/calibrate. Its unit is
// about the time of one simple instruction, of which there are some 10 000 in a
// microsecond.
func V1() Table {
	return Table{Version: 1, Cost: [classes]int64{
		Integer: 1, Divide: 12, Memory: 1, Float: 6, FloatHi: 55,
		Branch: 1, Switch: 8, Call: 24, Indirect: 24, Host: 600,
		GrowPage: 330_000, Bulk: 130, BulkUnit: 2,

		Copy: 4, KVRead: 8500, KVWrite: 75_000, KVUnit: 160, KVScan: 1000, KVNext: 9000, Address: 8000,
		Secp256k1: 1_450_000, Secp256k1Rec: 1_600_000, Secp256r1: 800_000, Ed25519: 580_000,
		BLSAggregate: 1_600_000, BLSPairing: 20_000_000, BLSHash: 1_600_000,
		Query: 120_000, Derive: 300_000,

		DeployByte: 1500, DeployGraph: 90, DeployWork: 3000,
	}}
}

func (t Table) check() error {
	for c, cost := range t.Cost {
		if cost < 0 || cost > maxCost {
			return fmt.Errorf("gas table %d: class %d costs %d, not 0 to %d", t.Version, c, cost, maxCost)
		}
	}
	for _, c := range []Class{Branch, Call, Indirect, Host} { // what repeats must cost
		if t.Cost[c] == 0 {
			return fmt.Errorf("gas table %d: class %d is free, so a contract could run for ever", t.Version, c)
		}
	}
	return nil
}
