// Package gas says how much work a gas class stands for: what the enclave
// enforces, the chain sells and a client chooses. It holds numbers and nothing
// else; what costs how much is package meter's.
package gas

// Classes is the number of classes an input can name, from 0 on.
const Classes = 8

// base is what class 0 may use: about a millisecond.
const base = 10_000_000

// Query is what one query may use.
const Query = base << 4

// Limit is what an input of a class may use. Each class has twice the gas of
// the one below, as it has twice the fee; unknown classes have none.
func Limit(class uint32) uint64 {
	if class >= Classes {
		return 0
	}
	return base << class
}

// BatchClass is the class of a batch that used so much gas: the least c with
// used <= base * 4^c. Its steps are wide, so that it tells little.
func BatchClass(used uint64) uint32 {
	c := uint32(0)
	for limit := uint64(base); limit < used && c < 16; limit *= 4 {
		c++
	}
	return c
}
