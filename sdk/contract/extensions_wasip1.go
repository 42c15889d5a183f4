package contract

//go:wasmimport phala random
func hostRandom(into uint32) uint32

//go:wasmimport phala derive_public_key
func hostDerive(path, curve, into uint32) uint32

//go:wasmimport phala sign
func hostSign(path, curve, message, into uint32) uint32

//go:wasmimport phala emit_private
func hostEmit(recipient, data uint32) uint32

func (enclave) Random() ([]byte, uint32) {
	into := room(32)
	return settled(into, hostRandom(into))
}

func (enclave) PublicKey(path string, curve Curve) ([]byte, uint32) {
	p, into := hold([]byte(path)), room(65)
	defer drop(p)
	return settled(into, hostDerive(p, uint32(curve), into))
}

func (enclave) Sign(path string, curve Curve, message []byte) ([]byte, uint32) {
	p, m, into := hold([]byte(path)), hold(message), room(65)
	defer drop(p, m)
	return settled(into, hostSign(p, uint32(curve), m, into))
}

func (enclave) EmitPrivate(recipient string, data []byte) uint32 {
	r, d := hold([]byte(recipient)), hold(data)
	defer drop(r, d)
	return hostEmit(r, d)
}

// room is an empty region for the host to fill.
func room(size int) uint32 { return hold(make([]byte, 0, size)) }

// settled takes back what the host has filled, if it has.
func settled(into, code uint32) ([]byte, uint32) {
	b := take(into)
	if code != 0 {
		return nil, code
	}
	return b, 0
}
