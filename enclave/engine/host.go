package engine

import (
	"encoding/json"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// The most iterators a call may open, and the most bytes of keys these may
// hold on to together: CosmWasm has no way to close one.
const (
	maxIterators     = 32768
	maxIteratorBytes = 16 << 20
)

// envModule is the CosmWasm host.
func envModule() hostModule {
	one, wide := i32s(1), []api.ValueType{i64}
	return hostModule{name: "env", funcs: map[string]hostFunc{
		"abort": {i32s(1), nil, abort},
		"debug": {i32s(1), nil, debug},

		"db_read":       {i32s(1), one, dbRead},
		"db_write":      {i32s(2), nil, dbWrite},
		"db_remove":     {i32s(1), nil, dbRemove},
		"db_scan":       {i32s(3), one, dbScan},
		"db_next":       {i32s(1), one, dbNext},
		"db_next_key":   {i32s(1), one, dbNextKey},
		"db_next_value": {i32s(1), one, dbNextValue},

		"addr_validate":     {i32s(1), one, addrValidate},
		"addr_canonicalize": {i32s(2), one, addrCanonicalize},
		"addr_humanize":     {i32s(2), one, addrHumanize},

		"secp256k1_verify":         {i32s(3), one, secp256k1Verify},
		"secp256k1_recover_pubkey": {i32s(3), wide, secp256k1Recover},
		"secp256r1_verify":         {i32s(3), one, secp256r1Verify},
		"secp256r1_recover_pubkey": {i32s(3), wide, secp256r1Recover},
		"ed25519_verify":           {i32s(3), one, ed25519Verify},
		"ed25519_batch_verify":     {i32s(3), one, ed25519BatchVerify},

		"bls12_381_aggregate_g1":     {i32s(2), one, blsAggregateG1},
		"bls12_381_aggregate_g2":     {i32s(2), one, blsAggregateG2},
		"bls12_381_pairing_equality": {i32s(4), one, blsPairingEquality},
		"bls12_381_hash_to_g1":       {i32s(4), one, blsHashToG1},
		"bls12_381_hash_to_g2":       {i32s(4), one, blsHashToG2},

		"query_chain": {i32s(1), one, queryChain},
	}}
}

func abort(f *frame, a args) (uint64, error) {
	why, err := f.read(a.ptr(0), maxAbort)
	if err != nil {
		return 0, err
	}
	return 0, &abiFault{reason: string(why), said: true}
}

// debug drops what the contract says: it may be about secrets.
func debug(f *frame, a args) (uint64, error) {
	_, err := f.region(a.ptr(0))
	return 0, err
}

func dbRead(f *frame, a args) (uint64, error) {
	key, err := f.read(a.ptr(0), maxKey)
	if err != nil {
		return 0, err
	}
	value, ok := f.store.Get(key)
	if !ok {
		return 0, nil
	}
	return f.give(value)
}

func dbWrite(f *frame, a args) (uint64, error) {
	key, err := f.writable(a.ptr(0))
	if err != nil {
		return 0, err
	}
	value, err := f.read(a.ptr(1), maxValue)
	if err != nil {
		return 0, err
	}
	f.store.Set(key, value)
	return 0, nil
}

func dbRemove(f *frame, a args) (uint64, error) {
	key, err := f.writable(a.ptr(0))
	if err != nil {
		return 0, err
	}
	f.store.Delete(key)
	return 0, nil
}

// writable reads a key that is about to change.
func (f *frame) writable(p uint32) ([]byte, error) {
	if f.readOnly {
		return nil, fault("state cannot be changed in a query")
	}
	key, err := f.read(p, maxKey)
	if err == nil && len(key) == 0 {
		return nil, fault("the key is empty")
	}
	return key, err
}

func dbScan(f *frame, a args) (uint64, error) {
	var bounds [2][]byte
	for i := range bounds {
		if p := a.ptr(i); p != 0 {
			b, err := f.read(p, maxKey)
			if err != nil {
				return 0, err
			}
			bounds[i] = b
		}
	}
	order := a.ptr(2)
	if order != 1 && order != 2 {
		return 0, fault("no order %d", order)
	}
	if len(f.iters) == maxIterators {
		return 0, fault("more than %d iterators", maxIterators)
	}
	it := newIterator(bounds[0], bounds[1], order == 2)
	f.iters = append(f.iters, it)
	return uint64(len(f.iters)), f.hold(it.size())
}

// hold accounts for bytes of keys that iterators keep.
func (f *frame) hold(n int) error {
	f.iterBytes += n
	if f.iterBytes > maxIteratorBytes {
		return fault("iterators hold more than %d bytes of keys", maxIteratorBytes)
	}
	return nil
}

func (f *frame) next(a args) (key, value []byte, ok bool, err error) {
	id := a.ptr(0)
	if id == 0 || uint64(id) > uint64(len(f.iters)) {
		return nil, nil, false, fault("no iterator %d", id)
	}
	it := f.iters[id-1]
	before := it.size()
	key, value, ok = it.next(f.store)
	return key, value, ok, f.hold(it.size() - before)
}

func dbNext(f *frame, a args) (uint64, error) {
	key, value, _, err := f.next(a)
	if err != nil {
		return 0, err
	}
	return f.give(sections(key, value)) // the end is an empty key with an empty value
}

func dbNextKey(f *frame, a args) (uint64, error) {
	key, value, ok, err := f.next(a)
	if err == nil {
		err = f.copied(len(value)) // it was looked up, though the contract is not given it
	}
	if err != nil || !ok {
		return 0, err
	}
	return f.give(key)
}

func dbNextValue(f *frame, a args) (uint64, error) {
	key, value, ok, err := f.next(a)
	if err == nil {
		err = f.copied(len(key))
	}
	if err != nil || !ok {
		return 0, err
	}
	return f.give(value)
}

func queryChain(f *frame, a args) (uint64, error) {
	request, err := f.read(a.ptr(0), maxRequest)
	if err != nil {
		return 0, err
	}
	if f.querier == nil {
		return f.give(unsupported(request))
	}
	left := f.left()
	if left <= 0 {
		return 0, errOutOfGas
	}
	answer, used, err := f.querier.Query(request, uint64(left))
	if err != nil {
		return 0, &hostFault{err}
	}
	if err := f.pay(int64(min(used, math.MaxInt64))); err != nil {
		return 0, err
	}
	return f.give(answer)
}

// unsupported is the SystemResult of a query nobody answers; it names the
// kind that was asked.
func unsupported(request []byte) []byte {
	kind := "unknown"
	var asked map[string]json.RawMessage
	if json.Unmarshal(request, &asked) == nil && len(asked) == 1 {
		for k := range asked {
			kind = k
		}
	}
	name, err := json.Marshal(kind)
	if err != nil {
		name = []byte(`"unknown"`)
	}
	return append(append([]byte(`{"error":{"unsupported_request":{"kind":`), name...), `}}}`...)
}
