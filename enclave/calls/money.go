package calls

import (
	"math/big"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
	"github.com/phala-go/phala/enclave/engine"
	"github.com/phala-go/phala/enclave/state"
)

const denom = "ppha"

// ParseAmount reads a decimal amount of ppha; everything else is -1, "" is 0.
func ParseAmount(s string) *big.Int {
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

// Balance is the private balance of an account or contract.
func Balance(ed *state.Editor, account string) *big.Int {
	v, _ := ed.Get(BalanceKey(account))
	return ParseAmount(string(v))
}

// Credit adds to a private balance.
func Credit(ed *state.Editor, account string, amount *big.Int) {
	ed.Set(BalanceKey(account), []byte(new(big.Int).Add(Balance(ed, account), amount).String()))
}

// debit takes from a private balance; false if it has less.
func debit(ed *state.Editor, account string, amount *big.Int) bool {
	left := new(big.Int).Sub(Balance(ed, account), amount)
	switch left.Sign() {
	case -1:
		return false
	case 0:
		ed.Delete(BalanceKey(account))
	default:
		ed.Set(BalanceKey(account), []byte(left.String()))
	}
	return true
}

// Withdraw pays out of the private balance of the input's own sender.
func (s *Session) Withdraw(ed *state.Editor, account, amount string) error {
	n := ParseAmount(amount)
	if n.Sign() <= 0 {
		return Fail("bad-amount", "withdraw a positive number of ppha", "cannot withdraw %q ppha", amount)
	}
	if err := spend(ed, account, n); err != nil {
		return err
	}
	s.payOut(account, n)
	return nil
}

// spend debits the input's own sender, who may know the balance.
func spend(ed *state.Editor, account string, amount *big.Int) error {
	if !debit(ed, account, amount) {
		return Fail("insufficient-funds", "send funds along with an input first", "%s ppha are asked, the private balance is %s", amount, Balance(ed, account))
	}
	return nil
}

// payOut lets the cluster's escrow pay when the batch is final.
func (s *Session) payOut(to string, amount *big.Int) {
	s.Effects = append(s.Effects, &wire.Effect{Body: &wire.Effect_Payout{Payout: &wire.Payout{To: to, Amount: amount.String()}}})
}

// attach moves what the input's sender attaches to a call.
func attach(ed *state.Editor, from, to, funds string) ([]engine.Coin, error) {
	if funds == "" {
		return []engine.Coin{}, nil
	}
	amount := ParseAmount(funds)
	if amount.Sign() <= 0 {
		return nil, Fail("bad-amount", "attach a positive number of ppha, or none", "cannot attach %q ppha", funds)
	}
	if err := spend(ed, from, amount); err != nil {
		return nil, err
	}
	Credit(ed, to, amount)
	return []engine.Coin{{Denom: denom, Amount: amount.String()}}, nil
}

// take debits a contract. What it has is not its caller's to know.
func take(ed *state.Editor, contract string, coins []engine.Coin) ([]*big.Int, error) {
	amounts := make([]*big.Int, len(coins))
	for i, coin := range coins {
		amounts[i] = ParseAmount(coin.Amount)
		if coin.Denom != denom || amounts[i].Sign() <= 0 {
			return nil, Fail("bad-amount", "contracts pay positive numbers of ppha", "the contract pays %q %s", coin.Amount, coin.Denom)
		}
		if !debit(ed, contract, amounts[i]) {
			return nil, Fail("contract-funds", "ask the contract's author", "the contract pays more than it has")
		}
	}
	return amounts, nil
}

// transfer moves coins from a contract to another, and says so as the chain's bank would.
func transfer(ed *state.Editor, from, to string, coins []engine.Coin) ([]engine.Event, error) {
	amounts, err := take(ed, from, coins)
	if err != nil {
		return nil, err
	}
	var events []engine.Event
	for i, n := range amounts {
		Credit(ed, to, n)
		events = append(events, moved(from, to, coins[i])...)
	}
	return events, nil
}

func moved(from, to string, coin engine.Coin) []engine.Event {
	amount := coin.Amount + coin.Denom
	return []engine.Event{
		event("coin_spent", "spender", from, "amount", amount),
		event("coin_received", "receiver", to, "amount", amount),
		event("transfer", "recipient", to, "sender", from, "amount", amount),
	}
}

type bankMsg struct {
	Send *struct {
		To     string        `json:"to_address"`
		Amount []engine.Coin `json:"amount"`
	} `json:"send"`
	Burn *struct {
		Amount []engine.Coin `json:"amount"`
	} `json:"burn"`
}

// bank pays: a contract of this cluster at once and in private, an account of the chain through the escrow. What is burnt
// stays in the escrow and is nobody's.
func (s *Session) bank(ed *state.Editor, from *wire.Contract, m *bankMsg) (answer, error) {
	self := address.Encode(from.Address)
	switch {
	case m.Burn != nil && m.Send == nil:
		if len(m.Burn.Amount) == 0 {
			return answer{}, Fail("bad-amount", "contracts burn positive numbers of ppha", "the contract burns nothing")
		}
		_, err := take(ed, self, m.Burn.Amount)
		return answer{}, err
	case m.Send == nil || m.Burn != nil:
		return answer{}, unsupported("bank")
	}
	to, err := address.Decode(m.Send.To)
	if err != nil || len(to) != 20 && len(to) != 32 {
		return answer{}, Fail("bad-address", "name an account of this chain or a contract of this cluster", "the contract pays %q, which is neither", m.Send.To)
	}
	if len(m.Send.Amount) == 0 {
		return answer{}, Fail("bad-amount", "contracts pay positive numbers of ppha", "the contract pays nothing")
	}
	out := answer{typeURL: "/cosmos.bank.v1beta1.MsgSendResponse", data: []byte{}}
	payee := address.Encode(to)
	if len(to) == 32 {
		if _, ok := ed.Get(ContractKey(to)); !ok {
			return answer{}, Fail("bad-address", "name an account of this chain or a contract of this cluster", "the contract pays %q, which is neither", m.Send.To)
		}
		out.events, err = transfer(ed, self, payee, m.Send.Amount)
		return out, err
	}
	amounts, err := take(ed, self, m.Send.Amount)
	if err != nil {
		return answer{}, err
	}
	for i, n := range amounts {
		s.payOut(payee, n)
		out.events = append(out.events, moved(self, payee, m.Send.Amount[i])...)
	}
	return out, nil
}
