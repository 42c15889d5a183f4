package executor

import (
	"context"
	"encoding/hex"
	"sync"

	"github.com/phala-go/phala/core/codepack"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
)

// codes are the modules that have come, and those that were asked for. Safe for concurrent use, since queries in sessions use it too.
type codes struct {
	mu      sync.Mutex
	entries map[string]codeEntry
	asked   map[string]bool
	apart   [][]byte // missed by a query in a session, and not asked for yet
}

type codeEntry struct {
	contract *engine.Contract
	err      error // why it does not compile; the same on every machine
}

func newCodes() *codes { return &codes{entries: map[string]codeEntry{}, asked: map[string]bool{}} }

// needCode breaks off an execution until a module has come.
type needCode struct{ id []byte }

func (n *needCode) Error() string { return "code " + hex.EncodeToString(n.id) + " is not here yet" }

func (n *needCode) out() *wire.Out {
	return &wire.Out{Body: &wire.Out_NeedCode{NeedCode: &wire.NeedCode{Id: n.id}}}
}

// get is a World's Code.
func (s *codes) get(_ context.Context, id []byte) (*engine.Contract, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[string(id)]
	if !ok {
		s.asked[string(id)] = true
		return nil, &needCode{id}
	}
	if e.err != nil {
		return nil, fail("bad-code", "upload code that this network's engine accepts", "%v", e.err)
	}
	return e.contract, nil
}

func (s *codes) wants(id []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[string(id)]
}

func (s *codes) put(id []byte, e codeEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[string(id)] = e
	delete(s.asked, string(id))
}

// maxApart bounds the modules that are missed and not asked for yet; what is beyond is missed again.
const maxApart = 64

// miss notes that a query in a session lacks a module, for the enclave to ask for when it next speaks.
func (s *codes) miss(id []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.apart) < maxApart {
		s.apart = append(s.apart, id)
	}
}

// missed gives what sessions lack, once.
func (s *codes) missed() (ids [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, s.apart = s.apart, nil
	return ids
}

// Code takes a contract module that was asked for; its hash is its id.
func (x *Executor) Code(ctx context.Context, b *wire.CodeBytes) []*wire.Out {
	if x.codes.wants(b.Id) {
		code, err := codepack.Unpack(b.Packed)
		if err != nil {
			return []*wire.Out{failure("malformed", "send the module as the chain has it", "unpacking code %x: %v", b.Id, err)}
		}
		if id := codepack.ID(code); string(id[:]) != string(b.Id) {
			return []*wire.Out{failure("malformed", "send the module as the chain has it", "code %x has the hash %x", b.Id, id)}
		}
		contract, err := x.engine.Compile(ctx, code)
		x.codes.put(b.Id, codeEntry{contract, err})
	}
	for _, id := range x.ids() {
		x.advance(ctx, x.clusters[id])
	}
	return x.drain()
}
