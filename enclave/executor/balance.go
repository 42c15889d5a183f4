package executor

import (
	"encoding/json"
	"math/big"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

const denom = "ppha"

// parseAmount reads a decimal amount of ppha; everything else is -1, "" is 0.
func parseAmount(s string) *big.Int {
	if s == "" {
		return new(big.Int)
	}
	if len(s) > 39 { // 2^128 has 39 digits
		return big.NewInt(-1)
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return big.NewInt(-1)
		}
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return big.NewInt(-1)
	}
	return n
}

func balance(ed *state.Editor, key []byte) *big.Int {
	v, _ := ed.Get(key)
	return parseAmount(string(v))
}

func credit(ed *state.Editor, key []byte, amount *big.Int) {
	ed.Set(key, []byte(new(big.Int).Add(balance(ed, key), amount).String()))
}

func debit(ed *state.Editor, key []byte, amount *big.Int) error {
	left := new(big.Int).Sub(balance(ed, key), amount)
	switch left.Sign() {
	case -1:
		return fail("insufficient-funds", "send funds along with an input first", "%s ppha are asked, the private balance is %s", amount, balance(ed, key))
	case 0:
		ed.Delete(key)
	default:
		ed.Set(key, []byte(left.String()))
	}
	return nil
}

// message carries out one message of a contract. Payments go out through the escrow; whatever else CosmWasm knows is refused by
// name until contracts may call each other.
func (c *call) message(step *state.Editor, meta *wire.Contract, m engine.SubMsg) error {
	var msg struct {
		Bank *struct {
			Send *struct {
				To     string        `json:"to_address"`
				Amount []engine.Coin `json:"amount"`
			} `json:"send"`
		} `json:"bank"`
	}
	if err := json.Unmarshal(m.Msg, &msg); err != nil || msg.Bank == nil || msg.Bank.Send == nil || m.ReplyOn == "always" || m.ReplyOn == "success" {
		return fail("unsupported-message", "use a contract that only sends payments, without reply", "the contract sent a message that this version does not carry out")
	}
	send := msg.Bank.Send
	to, err := address.Decode(send.To)
	if err != nil || len(to) != 20 {
		return fail("bad-address", "name an account of this chain", "the contract pays %q, which is no account", send.To)
	}
	for _, coin := range send.Amount {
		amount := parseAmount(coin.Amount)
		if coin.Denom != denom || amount.Sign() <= 0 {
			return fail("bad-amount", "contracts pay positive numbers of ppha", "the contract pays %q %s", coin.Amount, coin.Denom)
		}
		from := balanceKey(address.Encode(meta.Address))
		if balance(step, from).Cmp(amount) < 0 { // what the contract has is not the caller's to know
			return fail("contract-funds", "ask the contract's author", "the contract pays more than it has")
		}
		if err := c.pay(step, from, address.Encode(to), amount); err != nil {
			return err
		}
	}
	return nil
}
