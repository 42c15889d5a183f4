// Command rotating is a contract that keeps a secret, and draws another when the chain tells it to: after somebody who has seen the
// old one was removed for cause.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/phala-go/phala/sdk/contract"
)

// First is the secret to begin with.
type First struct {
	Secret []byte `json:"secret"`
}

// Msg is what anyone may say.
type Msg struct {
	Touch *struct{} `json:"touch,omitempty"`
}

// Word is what the chain may say.
type Word struct {
	Rotate *struct{} `json:"rotate,omitempty"`
}

// Shown is what it answers: nothing of the secret but its hash.
type Shown struct {
	Touched int    `json:"touched"`
	Rotated int    `json:"rotated"`
	Hash    string `json:"hash"`
}

type state struct {
	Touched int    `json:"touched"`
	Rotated int    `json:"rotated"`
	Secret  []byte `json:"secret"`
}

var kept = contract.NewItem[state]("state")

func begin(ctx *contract.Context, first First) error {
	kept.Save(ctx, state{Secret: first.Secret})
	return nil
}

func touch(ctx *contract.Context, m Msg) error {
	s, ok := kept.Load(ctx)
	if m.Touch == nil || !ok {
		return errors.New("want touch")
	}
	s.Touched++
	kept.Save(ctx, s)
	return nil
}

func sudo(ctx *contract.Context, w Word) error {
	s, ok := kept.Load(ctx)
	if w.Rotate == nil || !ok {
		return errors.New("want rotate")
	}
	s.Rotated++
	var err error
	s.Secret, err = ctx.Random()
	kept.Save(ctx, s)
	return err
}

func show(ctx *contract.Context, _ struct{}) (Shown, error) {
	s, _ := kept.Load(ctx)
	h := sha256.Sum256(s.Secret)
	return Shown{s.Touched, s.Rotated, hex.EncodeToString(h[:])}, nil
}

func init() {
	contract.Register(contract.Contract{
		Instantiate: contract.Handle(begin), Execute: contract.Handle(touch), Sudo: contract.Handle(sudo), Query: contract.Answer(show),
	})
}

func main() {}
