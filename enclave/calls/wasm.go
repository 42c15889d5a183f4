package calls

import (
	"context"
	"encoding/binary"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

type instantiateMsg struct {
	Admin  string        `json:"admin"`
	CodeID uint64        `json:"code_id"`
	Msg    []byte        `json:"msg"`
	Funds  []engine.Coin `json:"funds"`
	Label  string        `json:"label"`
	Salt   []byte        `json:"salt"` // of Instantiate2
}

type wasmMsg struct {
	Execute *struct {
		Contract string        `json:"contract_addr"`
		Msg      []byte        `json:"msg"`
		Funds    []engine.Coin `json:"funds"`
	} `json:"execute"`
	Instantiate  *instantiateMsg `json:"instantiate"`
	Instantiate2 *instantiateMsg `json:"instantiate2"`
	Migrate      *struct {
		Contract string `json:"contract_addr"`
		CodeID   uint64 `json:"new_code_id"`
		Msg      []byte `json:"msg"`
	} `json:"migrate"`
	UpdateAdmin *struct {
		Contract string `json:"contract_addr"`
		Admin    string `json:"admin"`
	} `json:"update_admin"`
	ClearAdmin *struct {
		Contract string `json:"contract_addr"`
	} `json:"clear_admin"`
}

const typePrefix = "/cosmwasm.wasm.v1."

// wasm carries out a message to the contracts of the cluster.
func (s *Session) wasm(ctx context.Context, ed *state.Editor, from *wire.Contract, depth int, m *wasmMsg) (answer, error) {
	switch {
	case m.Execute != nil:
		return s.execute(ctx, ed, from, depth, m)
	case m.Instantiate != nil:
		return s.instantiate(ctx, ed, from, depth, m.Instantiate, false)
	case m.Instantiate2 != nil:
		return s.instantiate(ctx, ed, from, depth, m.Instantiate2, true)
	case m.Migrate != nil:
		return s.migrate(ctx, ed, from, depth, m)
	case m.UpdateAdmin != nil:
		return setAdmin(ed, from, m.UpdateAdmin.Contract, &m.UpdateAdmin.Admin, "MsgUpdateAdminResponse")
	case m.ClearAdmin != nil:
		return setAdmin(ed, from, m.ClearAdmin.Contract, nil, "MsgClearAdminResponse")
	}
	return answer{}, unsupported("wasm")
}

func (s *Session) execute(ctx context.Context, ed *state.Editor, from *wire.Contract, depth int, m *wasmMsg) (answer, error) {
	meta, err := named(ed, m.Execute.Contract)
	if err != nil {
		return answer{}, err
	}
	self := address.Encode(meta.Address)
	out, events, err := s.deliver(ctx, ed, from, meta, depth, engine.Execute, m.Execute.Msg, m.Execute.Funds,
		event("execute", contractAttribute, self))
	return answer{typeURL: typePrefix + "MsgExecuteContractResponse", data: field(1, out), events: events}, err
}

// deliver moves the funds and calls; said is the chain's word on it, which comes before the contract's.
func (s *Session) deliver(ctx context.Context, ed *state.Editor, from, to *wire.Contract, depth int, entry engine.Entry, msg []byte, funds []engine.Coin, said engine.Event) ([]byte, []engine.Event, error) {
	sender := address.Encode(from.Address)
	events, err := transfer(ed, sender, address.Encode(to.Address), funds)
	if err != nil {
		return nil, nil, err
	}
	out, err := s.run(ctx, ed, to, depth+1, engine.Call{
		Entry: entry, Info: &engine.Info{Sender: sender, Funds: append([]engine.Coin{}, funds...)}, Msg: msg,
	})
	return out.data, append(append(events, said), out.events...), err
}

// instantiate makes a contract that its cluster alone knows. It inherits its creator's query policy.
func (s *Session) instantiate(ctx context.Context, ed *state.Editor, from *wire.Contract, depth int, m *instantiateMsg, salted bool) (answer, error) {
	code, _, ok := numbered(ed, m.CodeID)
	if !ok {
		return answer{}, Fail("no-such-code", "instantiate the code once in this cluster, which gives it a number", "this cluster knows no code number %d", m.CodeID)
	}
	var addr []byte
	var err error
	if salted {
		addr, err = saltedAddress(code, from.Address, m.Salt)
	} else {
		addr = madeAddress(s.Cluster, code, from.Address, counter(ed, sequenceKey()))
	}
	if err != nil {
		return answer{}, Fail("bad-salt", "tell the contract's author", "%v", err)
	}
	if _, taken := ed.Get(ContractKey(addr)); taken {
		return answer{}, Fail("contract-exists", "use another salt", "there is a contract %s already", address.Encode(addr))
	}
	if m.Admin != "" {
		if err := putAdmin(ed, addr, m.Admin); err != nil {
			return answer{}, err
		}
	}
	meta := &wire.Contract{
		Address: addr, Cluster: s.Cluster, CodeId: code, Label: m.Label, Creator: address.Encode(from.Address),
		Query: from.Query, State: wire.CONTRACT_STATE_LIVE, InboxIndex: s.Index,
	}
	ed.Set(ContractKey(addr), wire.Marshal(meta))
	s.endow(ed, addr)
	self := address.Encode(addr)
	data, events, err := s.deliver(ctx, ed, from, meta, depth, engine.Instantiate, m.Msg, m.Funds,
		event("instantiate", contractAttribute, self, "code_id", decimal(m.CodeID)))
	kind := "MsgInstantiateContractResponse"
	if salted {
		kind = "MsgInstantiateContract2Response"
	}
	return answer{typeURL: typePrefix + kind, data: append(field(1, []byte(self)), field(2, data)...), events: events}, err
}

// administered reads a contract whose admin from must be.
func administered(ed *state.Editor, from *wire.Contract, contract string) (*wire.Contract, error) {
	meta, err := named(ed, contract)
	if err != nil {
		return nil, err
	}
	if admin, ok := ed.Get(adminKey(meta.Address)); !ok || string(admin) != address.Encode(from.Address) {
		return nil, Fail("not-admin", "ask the contract's admin", "%s is not the admin of %s", address.Encode(from.Address), contract)
	}
	return meta, nil
}

// migrate puts other code in a contract's place and lets it convert the state.
func (s *Session) migrate(ctx context.Context, ed *state.Editor, from *wire.Contract, depth int, m *wasmMsg) (answer, error) {
	meta, err := administered(ed, from, m.Migrate.Contract)
	if err != nil {
		return answer{}, err
	}
	id, _, ok := numbered(ed, m.Migrate.CodeID)
	if !ok {
		return answer{}, Fail("no-such-code", "instantiate the code once in this cluster, which gives it a number", "this cluster knows no code number %d", m.Migrate.CodeID)
	}
	former, err := s.Code(ctx, meta.CodeId)
	if err != nil {
		return answer{}, err
	}
	code, err := s.Code(ctx, id)
	if err != nil {
		return answer{}, err
	}
	meta.CodeId = id
	ed.Set(ContractKey(meta.Address), wire.Marshal(meta))
	events := []engine.Event{event("migrate", "code_id", decimal(m.Migrate.CodeID), contractAttribute, address.Encode(meta.Address))}
	done := answer{typeURL: typePrefix + "MsgMigrateContractResponse", data: []byte{}, events: events}
	had, has := former.MigrateVersion(), code.MigrateVersion()
	if had != nil && has != nil && *had == *has { // the same state: there is nothing to convert
		return done, nil
	}
	out, err := s.run(ctx, ed, meta, depth+1, engine.Call{
		Entry: engine.Migrate, Msg: m.Migrate.Msg,
		MigrateInfo: engine.MigrateInfo{Sender: address.Encode(from.Address), OldVersion: had},
	})
	done.data, done.events = field(1, out.data), append(events, out.events...)
	return done, err
}

// setAdmin gives a contract another admin, or none.
func setAdmin(ed *state.Editor, from *wire.Contract, contract string, admin *string, kind string) (answer, error) {
	meta, err := administered(ed, from, contract)
	if err != nil {
		return answer{}, err
	}
	said := ""
	if admin == nil {
		ed.Delete(adminKey(meta.Address))
	} else {
		if err := putAdmin(ed, meta.Address, *admin); err != nil {
			return answer{}, err
		}
		said = *admin
	}
	return answer{typeURL: typePrefix + kind, data: []byte{}, events: []engine.Event{
		event("update_contract_admin", contractAttribute, address.Encode(meta.Address), "new_admin_address", said),
	}}, nil
}

func putAdmin(ed *state.Editor, contract []byte, admin string) error {
	raw, err := address.Decode(admin)
	if err != nil {
		return Fail("bad-address", "name an account or a contract", "the admin %q is no address", admin)
	}
	ed.Set(adminKey(contract), []byte(address.Encode(raw)))
	return nil
}

// field is a protobuf field of bytes; like all of its kind it is left out when empty.
func field(number byte, b []byte) []byte {
	if len(b) == 0 {
		return []byte{}
	}
	return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(b))), b...)
}
