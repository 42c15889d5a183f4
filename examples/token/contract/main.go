// Command contract is a token whose messages are those of cw20, the token of
// CosmWasm chains, and whose balances are secret: each account learns its own.
package main

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/phala-go/phala/sdk/contract"
)

// Token is what anybody may know.
type Token struct {
	Name        string `json:"name"`
	Symbol      string `json:"symbol"`
	Decimals    uint8  `json:"decimals"`
	TotalSupply string `json:"total_supply"`
}

var (
	token    = contract.NewItem[Token]("token")
	minter   = contract.NewItem[string]("minter")
	balances = contract.NewMap[string]("balances") // by account, decimal; none is zero
)

func instantiate(ctx *contract.Context, msg InstantiateMsg) error {
	if len(msg.Name) < 3 || len(msg.Name) > 50 || len(msg.Symbol) < 3 || len(msg.Symbol) > 12 {
		return errors.New("a name has 3 to 50 bytes and a symbol 3 to 12")
	}
	if msg.Decimals > 18 {
		return errors.New("at most 18 decimals")
	}
	supply := new(big.Int)
	for _, b := range msg.InitialBalances {
		n, err := positive(b.Amount)
		if err == nil {
			err = ctx.CheckAddress(b.Address)
		}
		if err != nil {
			return fmt.Errorf("the balance of %q: %w", b.Address, err)
		}
		if balances.Has(ctx, b.Address) {
			return fmt.Errorf("%s has two balances", b.Address)
		}
		balances.Save(ctx, b.Address, b.Amount)
		supply.Add(supply, n)
	}
	if msg.Mint != nil {
		if err := ctx.CheckAddress(msg.Mint.Minter); err != nil {
			return fmt.Errorf("the minter: %w", err)
		}
		minter.Save(ctx, msg.Mint.Minter)
	}
	return setSupply(ctx, Token{Name: msg.Name, Symbol: msg.Symbol, Decimals: msg.Decimals}, supply)
}

func execute(ctx *contract.Context, msg ExecuteMsg) error {
	switch {
	case msg.Transfer != nil:
		return transfer(ctx, *msg.Transfer)
	case msg.Burn != nil:
		return burn(ctx, *msg.Burn)
	}
	return mint(ctx, *msg.Mint)
}

// transfer says what it did to the sender alone, as every call does.
func transfer(ctx *contract.Context, msg Transfer) error {
	n, err := positive(msg.Amount)
	if err != nil {
		return err
	}
	if err := ctx.CheckAddress(msg.Recipient); err != nil {
		return err
	}
	if err := take(ctx, ctx.Sender(), n); err != nil {
		return err
	}
	if err := give(ctx, msg.Recipient, n); err != nil {
		return err
	}
	ctx.Attribute("action", "transfer")
	ctx.Attribute("from", ctx.Sender())
	ctx.Attribute("to", msg.Recipient)
	ctx.Attribute("amount", msg.Amount)
	return nil
}

func burn(ctx *contract.Context, msg Burn) error {
	n, err := positive(msg.Amount)
	if err != nil {
		return err
	}
	if err := take(ctx, ctx.Sender(), n); err != nil {
		return err
	}
	t, _ := token.Load(ctx)
	return setSupply(ctx, t, n.Sub(number(t.TotalSupply), n))
}

func mint(ctx *contract.Context, msg Mint) error {
	if m, ok := minter.Load(ctx); !ok || m != ctx.Sender() {
		return errors.New("only the minter can mint")
	}
	n, err := positive(msg.Amount)
	if err != nil {
		return err
	}
	if err := ctx.CheckAddress(msg.Recipient); err != nil {
		return err
	}
	if err := give(ctx, msg.Recipient, n); err != nil {
		return err
	}
	t, _ := token.Load(ctx)
	return setSupply(ctx, t, n.Add(number(t.TotalSupply), n))
}

func query(ctx *contract.Context, msg QueryMsg) (any, error) {
	if msg.Balance == nil {
		t, _ := token.Load(ctx)
		return t, nil
	}
	if ctx.Caller() == "" || ctx.Caller() != msg.Balance.Address {
		return nil, errors.New("not your balance")
	}
	return Balance{balance(ctx, msg.Balance.Address).String()}, nil
}

// program is the whole contract.
func program() contract.Contract {
	contract.Warm[Token]()
	contract.Warm[Balance]()
	return contract.Contract{
		Instantiate: contract.Handle(instantiate),
		Execute:     contract.Handle(execute),
		Query:       contract.Answer(query),
	}
}

func init() { contract.Register(program()) }

func main() {}
