package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// querier answers the questions of one running contract, from the state as
// that contract has left it so far.
type querier struct {
	ctx   context.Context // the call's: an engine.Querier is not handed one
	s     *Session
	ed    *state.Editor
	asker string
	depth int // of the queries it sets off

	gas, used uint64 // of the question that is being answered
}

type queryRequest struct {
	Bank *struct {
		Balance *struct {
			Address string `json:"address"`
			Denom   string `json:"denom"`
		} `json:"balance"`
		AllBalances *struct {
			Address string `json:"address"`
		} `json:"all_balances"`
	} `json:"bank"`
	Wasm *struct {
		Smart *struct {
			Contract string `json:"contract_addr"`
			Msg      []byte `json:"msg"`
		} `json:"smart"`
		Raw *struct {
			Contract string `json:"contract_addr"`
			Key      []byte `json:"key"`
		} `json:"raw"`
		RawRange     *rangeQuery `json:"raw_range"`
		ContractInfo *struct {
			Contract string `json:"contract_addr"`
		} `json:"contract_info"`
		CodeInfo *struct {
			CodeID uint64 `json:"code_id"`
		} `json:"code_info"`
	} `json:"wasm"`
}

// systemError is one of CosmWasm's: the question did not reach anybody.
type systemError struct{ kind, field, value string }

func (e *systemError) Error() string { return e.kind + ": " + e.value }

// Query answers a QueryRequest with a SystemResult.
func (q *querier) Query(request []byte, gas uint64) ([]byte, uint64, error) {
	q.gas, q.used = gas, 0
	value, err := q.answer(request)
	var system *systemError
	told, may := catchable(err)
	var out any
	switch {
	case err == nil:
		out = map[string]any{"ok": map[string]any{"ok": append([]byte{}, value...)}}
	case errors.As(err, &system):
		body := map[string]any{system.field: system.value}
		if system.kind == "invalid_request" {
			body["request"] = request
		}
		if n, err := strconv.ParseUint(system.value, 10, 64); err == nil && system.field == "code_id" {
			body["code_id"] = n
		}
		out = map[string]any{"error": map[string]any{system.kind: body}}
	case may:
		out = map[string]any{"ok": map[string]any{"error": told.Error()}}
	default:
		return nil, q.used, err
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, q.used, fmt.Errorf("encoding an answer: %w", err)
	}
	return b, q.used, nil
}

func (q *querier) answer(request []byte) ([]byte, error) {
	var kinds map[string]json.RawMessage
	var r queryRequest
	if err := json.Unmarshal(request, &kinds); err != nil || len(kinds) != 1 || json.Unmarshal(request, &r) != nil {
		return nil, &systemError{"invalid_request", "error", "the request cannot be read"}
	}
	switch w, b := r.Wasm, r.Bank; {
	case w != nil && w.Smart != nil:
		return q.smart(w.Smart.Contract, w.Smart.Msg)
	case w != nil && w.Raw != nil:
		meta, err := q.exposed(w.Raw.Contract)
		if err != nil {
			return nil, err
		}
		v, _ := q.ed.Space(StorageKey(meta.Address)).Get(w.Raw.Key)
		return v, nil
	case w != nil && w.RawRange != nil:
		return q.rawRange(w.RawRange)
	case w != nil && w.ContractInfo != nil:
		return q.contractInfo(w.ContractInfo.Contract)
	case w != nil && w.CodeInfo != nil:
		return q.codeInfo(w.CodeInfo.CodeID)
	case b != nil && b.Balance != nil:
		coin, err := q.balance(b.Balance.Address, b.Balance.Denom)
		return encode(err, map[string]any{"amount": coin})
	case b != nil && b.AllBalances != nil:
		coin, err := q.balance(b.AllBalances.Address, denom)
		coins := slices.DeleteFunc([]engine.Coin{coin}, func(c engine.Coin) bool { return c.Amount == "0" })
		return encode(err, map[string]any{"amount": coins})
	}
	for kind := range kinds {
		if slices.Contains(append(known(), "grpc"), kind) {
			return nil, &systemError{"unsupported_request", "kind", kind}
		}
	}
	return nil, &systemError{"unsupported_request", "kind", "unknown"}
}

func encode(err error, v any) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return b, nil
}

// contract finds who is asked.
func (q *querier) contract(addr string) (*wire.Contract, error) {
	meta, err := named(q.ed, addr)
	if _, ours := catchable(err); err != nil && ours {
		return nil, &systemError{"no_such_contract", "addr", addr}
	}
	return meta, err
}

// exposed finds a contract all of which the asker may see.
func (q *querier) exposed(addr string) (*wire.Contract, error) {
	meta, err := q.contract(addr)
	if err == nil && !exposes(meta, q.asker) {
		return nil, Fail("query-denied", "ask the contract with a query of its own", "the query policy of %s does not show its state", addr)
	}
	return meta, err
}

// smart asks another contract, which knows the asker as its caller.
func (q *querier) smart(addr string, msg []byte) ([]byte, error) {
	meta, err := q.contract(addr)
	if err != nil {
		return nil, err
	}
	if !exposes(meta, q.asker) {
		if err := Admit(meta, q.asker, msg); err != nil {
			return nil, err
		}
	}
	out, err := q.s.ask(q.ctx, q.ed, meta, q.depth, q.asker, msg, q.gas)
	q.used = out.GasUsed
	return out.Query, err
}

func (q *querier) contractInfo(addr string) ([]byte, error) {
	meta, err := q.contract(addr)
	if err != nil {
		return nil, err
	}
	var admin *string
	if v, ok := q.ed.Get(adminKey(meta.Address)); ok {
		s := string(v)
		admin = &s
	}
	return encode(nil, struct {
		CodeID   uint64  `json:"code_id"`
		Creator  string  `json:"creator"`
		Admin    *string `json:"admin"`
		Pinned   bool    `json:"pinned"`
		IBCPort  *string `json:"ibc_port"`
		IBC2Port *string `json:"ibc2_port"`
	}{CodeID: Number(q.ed, meta.CodeId), Creator: meta.Creator, Admin: admin})
}

func (q *querier) codeInfo(number uint64) ([]byte, error) {
	id, by, ok := numbered(q.ed, number)
	if !ok {
		return nil, &systemError{"no_such_code", "code_id", decimal(number)}
	}
	return encode(nil, map[string]any{"code_id": number, "creator": by, "checksum": fmt.Sprintf("%x", id)})
}

// balance is of the asker itself, or of a contract whose policy shows all of it. Accounts' balances are theirs.
func (q *querier) balance(addr, of string) (engine.Coin, error) {
	raw, err := address.Decode(addr)
	if err != nil {
		return engine.Coin{}, Fail("bad-address", "name a contract of this cluster", "%q is no address", addr)
	}
	addr = address.Encode(raw)
	if addr != q.asker {
		if meta, err := Contract(q.ed, raw); err != nil || !exposes(meta, q.asker) {
			return engine.Coin{}, Fail("query-denied", "ask for the contract's own balance", "the balance of %s is not shown", addr)
		}
	}
	if of != denom {
		return engine.Coin{Denom: of, Amount: "0"}, nil
	}
	return engine.Coin{Denom: denom, Amount: Balance(q.ed, addr).String()}, nil
}

type rangeQuery struct {
	Contract string `json:"contract_addr"`
	Start    []byte `json:"start"`
	End      []byte `json:"end"`
	Limit    uint16 `json:"limit"`
	Order    string `json:"order"`
}

func (q *querier) rawRange(r *rangeQuery) ([]byte, error) {
	meta, err := q.exposed(r.Contract)
	if err != nil {
		return nil, err
	}
	space := q.ed.Space(StorageKey(meta.Address))
	walk := space.Ascend
	switch r.Order {
	case "ascending":
	case "descending":
		walk = space.Descend
	default:
		return nil, Fail("malformed", "ask for ascending or descending", "no order %q", r.Order)
	}
	pairs, next := [][2][]byte{}, []byte(nil)
	if r.End == nil || bytes.Compare(r.Start, r.End) < 0 {
		walk(r.Start, r.End, func(k, v []byte) bool {
			if len(pairs) == int(r.Limit) {
				next = bytes.Clone(k)
				return false
			}
			pairs = append(pairs, [2][]byte{bytes.Clone(k), bytes.Clone(v)})
			return true
		})
	}
	return encode(nil, map[string]any{"data": pairs, "next_key": next})
}
