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
	BulkUnit              // memory.copy and memory.fill, for each BulkSize bytes or part

	// Classes of what a contract asks of the host. The engine charges these.
	Copy         // each BulkSize bytes or part, in or out of the guest
	KVRead       // a key looked up, found or not
	KVWrite      // a key written or removed
	KVScan       // an iterator opened
	KVNext       // one step of it
	Address      // addr_validate, addr_canonicalize, addr_humanize
	Secp256k1    // one verification
	Secp256k1Rec // one recovery of a public key
	Secp256r1    // one verification or recovery
	Ed25519      // one verification; a batch costs as many as it has signatures
	BLSAggregate // one point added
	BLSPairing   // one pair of a pairing equality
	BLSHash      // one hash to a curve
	Query        // a query of another contract, before what that one does
	Derive       // a key, a random number or a signature of the network's extensions

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
const maxCost = 1 << 24

// V1 is the first table. Its unit is about the time of one simple instruction.
// It is NOT CALIBRATED yet: the figures are those of a trial, and those of the
// host's classes are guesses.
func V1() Table {
	return Table{Version: 1, Cost: [classes]int64{
		Integer: 1, Divide: 8, Memory: 2, Float: 2, FloatHi: 8,
		Branch: 1, Switch: 2, Call: 4, Indirect: 8, Host: 50,
		GrowPage: 4096, BulkUnit: 1,

		Copy: 1, KVRead: 4000, KVWrite: 6000, KVScan: 6000, KVNext: 3000, Address: 2000,
		Secp256k1: 300_000, Secp256k1Rec: 350_000, Secp256r1: 150_000, Ed25519: 150_000,
		BLSAggregate: 30_000, BLSPairing: 1_500_000, BLSHash: 600_000,
		Query: 20_000, Derive: 100_000,

		DeployByte: 500, DeployGraph: 30, DeployWork: 1000,
	}}
}

func (t Table) check() error {
	for c, cost := range t.Cost {
		if cost < 0 || cost > maxCost {
			return fmt.Errorf("gas table %d: class %d costs %d, not 0 to %d", t.Version, c, cost, maxCost)
		}
	}
	for _, c := range []Class{Branch, Call, Indirect} { // what repeats must cost
		if t.Cost[c] == 0 {
			return fmt.Errorf("gas table %d: class %d is free, so a contract could run for ever", t.Version, c)
		}
	}
	return nil
}
