package contract

import (
	"encoding/binary"
	"errors"
)

//go:wasmimport env abort
func hostAbort(why uint32)

//go:wasmimport env db_read
func hostRead(key uint32) uint32

//go:wasmimport env db_write
func hostWrite(key, value uint32)

//go:wasmimport env db_remove
func hostRemove(key uint32)

//go:wasmimport env db_scan
func hostScan(start, end, order uint32) uint32

//go:wasmimport env db_next
func hostNext(iterator uint32) uint32

//go:wasmimport env addr_validate
func hostValidate(address uint32) uint32

//go:wasmimport env query_chain
func hostQuery(request uint32) uint32

// enclave is the Host of a contract in production.
type enclave struct{}

func (enclave) Get(key []byte) ([]byte, bool) {
	k := hold(key)
	defer drop(k)
	v := hostRead(k)
	if v == 0 {
		return nil, false
	}
	return take(v), true
}

func (enclave) Set(key, value []byte) {
	k, v := hold(key), hold(value)
	defer drop(k, v)
	hostWrite(k, v)
}

func (enclave) Delete(key []byte) {
	k := hold(key)
	defer drop(k)
	hostRemove(k)
}

func (enclave) Scan(start, end []byte, descending bool) func() (key, value []byte, ok bool) {
	var bounds [2]uint32
	for i, b := range [][]byte{start, end} {
		if b != nil {
			bounds[i] = hold(b)
		}
	}
	defer drop(bounds[:]...)
	order := uint32(1)
	if descending {
		order = 2
	}
	id := hostScan(bounds[0], bounds[1], order)
	return func() (key, value []byte, ok bool) {
		pair := take(hostNext(id)) // key, its length, value, its length
		n := len(pair) - 4
		n -= int(binary.BigEndian.Uint32(pair[n:]))
		value = pair[n : len(pair)-4]
		key = pair[:n-4]
		return key, value, len(key) > 0
	}
}

func (enclave) CheckAddress(address string) error {
	a := hold([]byte(address))
	defer drop(a)
	if why := hostValidate(a); why != 0 {
		return errors.New(string(take(why)))
	}
	return nil
}

func (enclave) Query(request []byte) []byte {
	r := hold(request)
	defer drop(r)
	return take(hostQuery(r))
}
