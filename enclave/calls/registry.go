package calls

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/state"
)

// The parts of the state's key space that belong to contracts (docs/protocol.md, State).

// StorageKey is the prefix of what a contract keeps.
func StorageKey(contract []byte) []byte { return append([]byte{1}, contract...) }

// BalanceKey is where an account's private balance stands.
func BalanceKey(account string) []byte { return append([]byte{2}, account...) }

// ContractKey is where a contract's record stands.
func ContractKey(addr []byte) []byte { return append([]byte{3}, addr...) }

func codeKey(number uint64) []byte   { return binary.BigEndian.AppendUint64([]byte{6}, number) }
func numberKey(codeID []byte) []byte { return append([]byte{7}, codeID...) }
func adminKey(addr []byte) []byte    { return append([]byte{8}, addr...) }
func sequenceKey() []byte            { return []byte{9} }

// Contract reads a contract's record.
func Contract(ed *state.Editor, addr []byte) (*wire.Contract, error) {
	v, ok := ed.Get(ContractKey(addr))
	if !ok {
		return nil, Fail("no-such-contract", "see `phala contract list`", "this cluster runs no contract %s", address.Encode(addr))
	}
	var m wire.Contract
	if err := wire.Unmarshal(v, &m); err != nil {
		return nil, fmt.Errorf("reading contract %x: %w", addr, err)
	}
	return &m, nil
}

// named reads the record of the contract with a human address.
func named(ed *state.Editor, addr string) (*wire.Contract, error) {
	raw, err := address.Decode(addr)
	if err != nil {
		return nil, Fail("bad-address", "name a contract of this cluster", "%q is no address", addr)
	}
	return Contract(ed, raw)
}

// A contract names code by a number, since CosmWasm does. Numbers are given
// out in each cluster, in the order in which codes first come to life there.

// enrol gives code its number, if it has none yet.
func enrol(ed *state.Editor, codeID []byte, by string) uint64 {
	if n := Number(ed, codeID); n > 0 {
		return n
	}
	n := counter(ed, []byte{6})
	ed.Set(numberKey(codeID), binary.BigEndian.AppendUint64(nil, n))
	ed.Set(codeKey(n), append(append([]byte{}, codeID...), by...))
	return n
}

// Number is the number of a code in this cluster; 0 if it has none.
func Number(ed *state.Editor, codeID []byte) uint64 {
	if v, ok := ed.Get(numberKey(codeID)); ok && len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// numbered finds a code and who was the first to instantiate it.
func numbered(ed *state.Editor, number uint64) (codeID []byte, by string, ok bool) {
	v, ok := ed.Get(codeKey(number))
	if !ok || len(v) < sha256.Size {
		return nil, "", false
	}
	return v[:sha256.Size], string(v[sha256.Size:]), true
}

// counter moves on the number under key and gives it: 1, 2, 3, …
func counter(ed *state.Editor, key []byte) uint64 {
	n := uint64(1)
	if v, ok := ed.Get(key); ok && len(v) == 8 {
		n += binary.BigEndian.Uint64(v)
	}
	ed.Set(key, binary.BigEndian.AppendUint64(nil, n))
	return n
}

// madeAddress is the address of the n-th contract that contracts have made.
func madeAddress(cluster uint64, codeID, creator []byte, n uint64) []byte {
	h := sha256.New()
	h.Write([]byte("phala/contract-address/made/v1"))
	h.Write(binary.BigEndian.AppendUint64(nil, cluster))
	h.Write(codeID)
	h.Write(creator)
	h.Write(binary.BigEndian.AppendUint64(nil, n))
	return h.Sum(nil)
}

var errSalt = errors.New("a salt has 1 to 64 bytes")

// saltedAddress is what cosmwasm_std's instantiate2_address computes.
func saltedAddress(codeID, creator, salt []byte) ([]byte, error) {
	if len(salt) == 0 || len(salt) > 64 {
		return nil, errSalt
	}
	kind := sha256.Sum256([]byte("module"))
	h := sha256.New()
	h.Write(kind[:])
	h.Write([]byte("wasm\x00"))
	for _, part := range [][]byte{codeID, creator, salt, nil} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil), nil
}
