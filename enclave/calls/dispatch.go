package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

// answer is what a message has come to.
type answer struct {
	wasm    bool
	typeURL string // "": a message that no transaction could hold, and without an answer
	data    []byte // the answer, in protobuf
	events  []engine.Event
}

// submessage carries out one message of a contract and, if that wants one,
// its reply, whose data take the place of the contract's own.
func (s *Session) submessage(ctx context.Context, ed *state.Editor, from *wire.Contract, depth int, m engine.SubMsg) ([]byte, []engine.Event, error) {
	switch m.ReplyOn {
	case "always", "error", "success", "never":
	default:
		return nil, nil, Fail("unsupported-message", "tell the contract's author", "the contract wants a reply on %q", m.ReplyOn)
	}
	if len(m.Payload) > maxPayload {
		return nil, nil, Fail("unsupported-message", "tell the contract's author", "a payload of %d bytes, at most %d are allowed", len(m.Payload), maxPayload)
	}
	step, effects, private, gas := ed.Step(), len(s.Effects), len(s.private), s.gas
	limit := s.Gas
	if m.GasLimit != nil && *m.GasLimit < limit-s.gas {
		s.Gas = s.gas + *m.GasLimit
	}
	done, err := s.message(ctx, step, from, depth, m)
	s.Gas = limit
	if err == nil {
		ed.Commit(step)
	} else {
		s.Effects, s.private = s.Effects[:effects], s.private[:private]
		done = answer{}
	}
	reason, may := catchable(err)
	switch {
	case err != nil && (!may || m.ReplyOn == "success" || m.ReplyOn == "never"):
		return nil, nil, err
	case m.ReplyOn == "never", m.ReplyOn == "error" && err == nil:
		return nil, done.events, nil
	}
	msg, err := reply(m, done, reason, s.gas-gas)
	if err != nil {
		return nil, nil, err
	}
	out, err := s.run(ctx, ed, from, depth+1, engine.Call{Entry: engine.Reply, Msg: msg})
	if err != nil {
		return nil, nil, err
	}
	events := append(done.events, event("reply", contractAttribute, address.Encode(from.Address)))
	return out.data, append(events, out.events...), nil
}

// message carries out a CosmosMsg.
func (s *Session) message(ctx context.Context, ed *state.Editor, from *wire.Contract, depth int, m engine.SubMsg) (answer, error) {
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(m.Msg, &kinds); err != nil || len(kinds) != 1 {
		return answer{}, unsupported("unreadable")
	}
	for kind, body := range kinds {
		switch kind {
		case "bank":
			var b bankMsg
			if json.Unmarshal(body, &b) != nil {
				return answer{}, unsupported(kind)
			}
			return s.bank(ed, from, &b)
		case "wasm":
			var w wasmMsg
			if json.Unmarshal(body, &w) != nil {
				return answer{}, unsupported(kind)
			}
			out, err := s.wasm(ctx, ed, from, depth, &w)
			out.wasm = true
			return out, err
		}
		return answer{}, unsupported(kind)
	}
	return answer{}, unsupported("unreadable")
}

// known are CosmWasm's kinds of messages; any other word is the contract's and is not repeated.
func known() []string {
	return []string{"bank", "custom", "staking", "distribution", "stargate", "any", "ibc", "ibc2", "wasm", "gov"}
}

func unsupported(kind string) error {
	if !slices.Contains(known(), kind) {
		kind = "unknown"
	}
	return Fail("unsupported-message", "use a contract that calls contracts of its cluster and pays ppha",
		"the contract sent a message of kind %s that is not carried out here", kind)
}

// What a contract reads in its entry point reply.
type (
	replyJSON struct {
		GasUsed uint64     `json:"gas_used"`
		ID      uint64     `json:"id"`
		Result  resultJSON `json:"result"`
		Payload []byte     `json:"payload,omitempty"`
	}
	resultJSON struct {
		OK    *okJSON `json:"ok,omitempty"`
		Error *string `json:"error,omitempty"`
	}
	okJSON struct {
		Events    []engine.Event `json:"events"`
		Data      []byte         `json:"data,omitempty"`
		Responses []responseJSON `json:"msg_responses"`
	}
	responseJSON struct {
		TypeURL string `json:"type_url"`
		Value   []byte `json:"value"`
	}
)

func reply(m engine.SubMsg, done answer, reason *Error, gas uint64) ([]byte, error) {
	r := replyJSON{GasUsed: gas, ID: m.ID, Payload: m.Payload}
	if reason != nil {
		// A failure ends with its own words and nothing of the caller's.
		text := strings.ToValidUTF8(reason.Error(), "?")
		r.Result.Error = &text
	} else {
		ok := &okJSON{Events: []engine.Event{}, Data: done.data, Responses: []responseJSON{}}
		if done.wasm {
			ok.Events = sorted(done.events)
		}
		if done.typeURL != "" {
			ok.Responses = append(ok.Responses, responseJSON{done.typeURL, append([]byte{}, done.data...)})
		}
		r.Result.OK = ok
	}
	out, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a reply: %w", err)
	}
	return out, nil
}
