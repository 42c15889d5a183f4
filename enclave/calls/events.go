package calls

import (
	"slices"
	"strings"

	"github.com/phala-go/phala/enclave/engine"
)

// contractAttribute says, first in each event, which contract it is of. Keys
// that begin with the same character are not for contracts to use.
const contractAttribute, reserved = "_contract_address", "_"

func event(kind string, pairs ...string) engine.Event {
	e := engine.Event{Type: kind}
	for i := 0; i < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, engine.Attribute{Key: pairs[i], Value: pairs[i+1]})
	}
	return e
}

// told gives the events of a contract's answer as a chain would have them:
// one of type wasm with its attributes, if it has any, then its own ones.
func told(contract string, r *engine.Response) ([]engine.Event, error) {
	var out []engine.Event
	add := func(kind string, attributes []engine.Attribute) error {
		e := event(kind, contractAttribute, contract)
		for _, a := range attributes {
			key, value := strings.TrimSpace(a.Key), strings.TrimSpace(a.Value)
			if key == "" || strings.HasPrefix(key, reserved) {
				return Fail("contract-events", "tell the contract's author", "contract %s gives an attribute the key %q", contract, a.Key)
			}
			e.Attributes = append(e.Attributes, engine.Attribute{Key: key, Value: value})
		}
		out = append(out, e)
		return nil
	}
	if len(r.Attributes) > 0 {
		if err := add("wasm", r.Attributes); err != nil {
			return nil, err
		}
	}
	for _, e := range r.Events {
		kind := strings.TrimSpace(e.Type)
		if kind == "" {
			return nil, Fail("contract-events", "tell the contract's author", "contract %s emits an event without a type", contract)
		}
		if err := add("wasm-"+kind, e.Attributes); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func size(events []engine.Event) (n int) {
	for _, e := range events {
		n += len(e.Type)
		for _, a := range e.Attributes {
			n += len(a.Key) + len(a.Value)
		}
	}
	return n
}

// sorted copies events for a reply, where attributes stand by key.
func sorted(events []engine.Event) []engine.Event {
	out := make([]engine.Event, len(events))
	for i, e := range events {
		e.Attributes = slices.Clone(e.Attributes)
		slices.SortStableFunc(e.Attributes, func(a, b engine.Attribute) int { return strings.Compare(a.Key, b.Key) })
		out[i] = e
	}
	return out
}
