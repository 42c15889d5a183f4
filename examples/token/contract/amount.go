package main

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/phala-go/phala/sdk/contract"
)

// maxBits is how large an amount may get, as in cw20.
const maxBits = 128

// positive reads an amount of a message.
func positive(s string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.Sign() <= 0 || n.BitLen() > maxBits || n.String() != s {
		return nil, errors.New("an amount is a positive whole number of at most 128 bits")
	}
	return n, nil
}

// number reads an amount that this contract has written.
func number(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic("an amount in the state is no number: " + s)
	}
	return n
}

func balance(ctx *contract.Context, of string) *big.Int {
	if s, ok := balances.Load(ctx, of); ok {
		return number(s)
	}
	return new(big.Int)
}

func take(ctx *contract.Context, from string, n *big.Int) error {
	has := balance(ctx, from)
	if has.Cmp(n) < 0 {
		return fmt.Errorf("you have %s, not %s", has, n)
	}
	if has.Sub(has, n).Sign() == 0 {
		balances.Remove(ctx, from)
		return nil
	}
	balances.Save(ctx, from, has.String())
	return nil
}

func give(ctx *contract.Context, to string, n *big.Int) error {
	has := balance(ctx, to)
	if has.Add(has, n).BitLen() > maxBits {
		return errors.New("the balance would have more than 128 bits")
	}
	balances.Save(ctx, to, has.String())
	return nil
}

func setSupply(ctx *contract.Context, t Token, supply *big.Int) error {
	if supply.BitLen() > maxBits {
		return errors.New("the supply would have more than 128 bits")
	}
	t.TotalSupply = supply.String()
	token.Save(ctx, t)
	return nil
}
