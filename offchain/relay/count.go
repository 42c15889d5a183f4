package relay

import (
	"strings"

	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/offchain/metrics"
)

// count counts what the enclave says by itself.
func (s *session) count(out *wire.Out) {
	m := s.cfg.Metrics
	switch b := out.Body.(type) {
	case *wire.Out_Peer:
		switch b.Peer.Body.(type) {
		case *wire.PeerMessage_KeyPart:
			m.Add(metrics.KeyAnswers, 1)
		case *wire.PeerMessage_BeaconPart:
			m.Add(metrics.BeaconParts, 1)
		}
	case *wire.Out_Batch:
		m.Add(metrics.BatchesSent, 1)
	case *wire.Out_KeyRequest:
		m.Add(metrics.KeyRequestsSent, 1)
	case *wire.Out_GenerationJoin:
		m.Add(metrics.GenerationSent, 1, "join")
	case *wire.Out_Contribution:
		m.Add(metrics.GenerationSent, 1, "contribution")
	case *wire.Out_Complaint:
		m.Add(metrics.GenerationSent, 1, "complaint")
	case *wire.Out_Confirmation:
		m.Add(metrics.GenerationSent, 1, "confirmation")
	case *wire.Out_Beacon:
		m.Add(metrics.BeaconValues, 1)
	case *wire.Out_Fork:
		m.Add(metrics.Forks, 1)
	case *wire.Out_Failure:
		s.countFailure(b.Failure)
	}
}

func (s *session) countFailure(f *wire.Failure) {
	m := s.cfg.Metrics
	m.Add(metrics.Failures, 1, f.Code)
	switch f.Code {
	case "key-refused":
		m.Add(metrics.KeyRefusals, 1, refusal(f.Message))
	case "rate-limited":
		m.Add(metrics.KeyLimited, 1)
	}
}

func (s *session) counted(what, result string) {
	s.cfg.Metrics.Add(metrics.Transactions, 1, what, result)
}

func (p *peers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.known)
}

// up says whether the enclave is connected, once it has said who it is.
func (s *session) up(v float64) {
	if id := s.identity; id != nil {
		s.cfg.Metrics.Put(metrics.EnclaveUp, v, s.cfg.Worker.Name(), strings.ToLower(strings.TrimPrefix(id.Role.String(), "ROLE_")), strings.ToLower(strings.TrimPrefix(id.Kind.String(), "TEE_KIND_")))
	}
}

func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "done"
}
