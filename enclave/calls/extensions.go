package calls

import (
	"fmt"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/keytree"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// The most private events of one input, and of their data, in bytes.
const (
	maxPrivate      = 32
	maxPrivateBytes = 64 << 10
)

// Sources are what this network's additions to the ABI draw from in one input.
// The zero value has nothing: contracts are then refused.
type Sources struct {
	// Secret draws the secret of a contract that the input brings to life.
	Secret func(contract [32]byte) []byte
	// Random is of this input alone. nil: there is no value yet, and nothing
	// takes its place.
	Random *keytree.Secret
	// Pending breaks off an input that draws while Random is nil: the value is
	// still to come. nil: there never will be one.
	Pending error
}

func secretKey(contract []byte) []byte { return append([]byte{10}, contract...) }

// endow gives a contract that comes to life its secret, for good.
func (s *Session) endow(ed *state.Editor, contract []byte) {
	if s.Secret != nil && len(contract) == 32 {
		ed.Set(secretKey(contract), s.Secret([32]byte(contract)))
	}
}

// extensions is what a call may use; how many calls there were before names
// its randomness.
func (s *Session) extensions(ed *state.Editor, meta *wire.Contract) (engine.Extensions, error) {
	x := engine.Extensions{Pending: s.Pending, Recipient: s.sender, Events: maxPrivate - len(s.private), Bytes: maxPrivateBytes}
	for _, e := range s.private {
		x.Bytes -= len(e.Data)
	}
	if s.Random != nil && len(meta.Address) == 32 {
		x.Random = s.Random.CallRandomness([32]byte(meta.Address), uint32(s.calls))
	}
	drawn, ok := ed.Get(secretKey(meta.Address))
	if !ok {
		return x, nil
	}
	var err error
	if x.Secret, err = keytree.NewSecret(drawn); err != nil {
		return x, fmt.Errorf("reading the secret of %s: %w", address.Encode(meta.Address), err)
	}
	return x, nil
}

// keep takes the private events of a call.
func (s *Session) keep(meta *wire.Contract, events []engine.PrivateEvent) {
	for _, e := range events { // the engine has seen to it that they are the sender's
		s.private = append(s.private, &wire.PrivateEvent{Contract: meta.Address, Data: e.Data})
	}
}
