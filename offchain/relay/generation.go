package relay

import (
	"crypto/sha256"
	"sync"

	"github.com/cosmos/gogoproto/proto"

	gatekeeper "github.com/phala-go/phala/chain/x/gatekeeper/types"
	"github.com/phala-go/phala/core/wire"
)

// inFlight are the messages that are on their way to the chain. A gatekeeper says again what the chain lacks every few blocks, and
// the chain may be slower than that: the same message is not sent while it is being sent.
type inFlight struct {
	mu   sync.Mutex
	sent map[[sha256.Size]byte]bool
}

func (f *inFlight) begin(id [sha256.Size]byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sent[id] {
		return false
	}
	if f.sent == nil {
		f.sent = map[[sha256.Size]byte]bool{}
	}
	f.sent[id] = true
	return true
}

func (f *inFlight) end(id [sha256.Size]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sent, id)
}

// generation brings what a gatekeeper says in a generation, and the beacon that it makes, to the chain; false: out is something else.
func (s *session) generation(out *wire.Out) bool {
	from := s.cfg.Sender.Address()
	switch b := out.Body.(type) {
	case *wire.Out_GenerationJoin:
		s.carry("joining a generation", wire.Hash(b.GenerationJoin), &gatekeeper.MsgJoinGeneration{Sender: from, Join: b.GenerationJoin})
	case *wire.Out_Contribution:
		s.carry("contribution", wire.Hash(b.Contribution), &gatekeeper.MsgContribute{Sender: from, Contribution: b.Contribution})
	case *wire.Out_Complaint:
		s.carry("complaint", wire.Hash(b.Complaint), &gatekeeper.MsgComplain{Sender: from, Complaint: b.Complaint})
	case *wire.Out_Confirmation:
		s.carry("confirmation", wire.Hash(b.Confirmation), &gatekeeper.MsgConfirm{Sender: from, Confirmation: b.Confirmation})
	case *wire.Out_Beacon:
		s.goTask(func() { s.submit("beacon", &gatekeeper.MsgSubmitBeacon{Sender: from, Beacon: b.Beacon}) })
	default:
		return false
	}
	return true
}

// carry sends a message and waits for what becomes of it, unless it is on its way already.
func (s *session) carry(what string, hash []byte, m proto.Message) {
	id := sha256.Sum256(append([]byte(what), hash...))
	if !s.flight.begin(id) {
		s.log.Debug("on its way already", "what", what)
		return
	}
	s.log.Info("a gatekeeper takes part in a generation", "what", what)
	s.goTask(func() {
		defer s.flight.end(id)
		if tx := s.send(what, m); tx != "" {
			s.outcome(what, tx)
		}
	})
}
