// Package book is a contract that uses all of the SDK: items, maps, indexes,
// events, refusals, panics, keys, signatures, randomness and private events.
package book

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/phala-go/phala/sdk/contract"
)

// Entry is one line of the book.
type Entry struct {
	Owner string   `json:"owner"`
	Text  string   `json:"text"`
	Tags  []string `json:"tags,omitempty"`
	Size  uint64   `json:"size"`
}

// Msg is a call: exactly one of its fields.
type Msg struct {
	Write  *Write    `json:"write,omitempty"`
	Remove *Name     `json:"remove,omitempty"`
	Prune  *struct{} `json:"prune,omitempty"`
	Sign   *Name     `json:"sign,omitempty"`
	Draw   *struct{} `json:"draw,omitempty"`
	Tell   *Name     `json:"tell,omitempty"`
	Refuse *Name     `json:"refuse,omitempty"`
	Panic  *struct{} `json:"panic,omitempty"`
}

// Write keeps a text under a name.
type Write struct {
	Name string   `json:"name"`
	Text string   `json:"text"`
	Tags []string `json:"tags,omitempty"`
}

// Name is one of the book's.
type Name struct {
	Name string `json:"name"`
}

// Ask is a query: exactly one of its fields.
type Ask struct {
	Get  *Name     `json:"get,omitempty"`
	List *struct{} `json:"list,omitempty"`
	By   *Name     `json:"by,omitempty"`
	Key  *Name     `json:"key,omitempty"`
	Like *Name     `json:"like,omitempty"`
}

var (
	count   = contract.NewItem[uint64]("count")
	entries = contract.NewIndexedMap("entries", contract.Index[Entry]{Name: "owner", Key: func(e Entry) string { return e.Owner }})
)

func execute(ctx *contract.Context, m Msg) error {
	switch {
	case m.Write != nil:
		return write(ctx, m.Write)
	case m.Remove != nil:
		entries.Remove(ctx, m.Remove.Name)
		return nil
	case m.Prune != nil: // removes under an iterator
		for name, e := range entries.Backwards(ctx) {
			if e.Owner == ctx.Sender() {
				entries.Remove(ctx, name)
			}
		}
		return nil
	case m.Sign != nil:
		s, err := ctx.Sign(m.Sign.Name, contract.Ed25519, []byte(m.Sign.Name))
		if err != nil {
			return err
		}
		ctx.Attribute("signature", hex.EncodeToString(s))
		return nil
	case m.Draw != nil:
		v, err := ctx.Random()
		if err != nil {
			return err
		}
		ctx.Attribute("drawn", hex.EncodeToString(v))
		return nil
	case m.Tell != nil:
		return ctx.EmitPrivate(ctx.Sender(), []byte(m.Tell.Name))
	case m.Refuse != nil:
		count.Save(ctx, 1<<40)
		return errors.New(m.Refuse.Name)
	case m.Panic != nil:
		count.Save(ctx, 1<<41)
		panic("on purpose")
	}
	return errors.New("no message")
}

func write(ctx *contract.Context, w *Write) error {
	if w.Name == "" {
		return errors.New("a name is needed")
	}
	if old, ok := entries.Load(ctx, w.Name); ok && old.Owner != ctx.Sender() {
		return fmt.Errorf("%q is of %s", w.Name, old.Owner)
	}
	n, _ := count.Load(ctx)
	count.Save(ctx, n+1)
	entries.Save(ctx, w.Name, Entry{ctx.Sender(), w.Text, w.Tags, uint64(len(w.Text))})
	ctx.Attribute("number", fmt.Sprint(n+1))
	ctx.Emit("written", contract.Attribute{Key: "name", Value: w.Name}, contract.Attribute{Key: "time", Value: ctx.Time().UTC().String()})
	return nil
}

func query(ctx *contract.Context, a Ask) (any, error) {
	switch {
	case a.Get != nil:
		e, ok := entries.Load(ctx, a.Get.Name)
		if !ok {
			return nil, errors.New("not found")
		}
		return e, nil
	case a.List != nil:
		n, _ := count.Load(ctx)
		names := []string{fmt.Sprint(n)}
		for name := range entries.All(ctx) {
			names = append(names, name)
		}
		return names, nil
	case a.By != nil:
		names := []string{}
		for name := range entries.By(ctx, "owner", a.By.Name) {
			names = append(names, name)
		}
		return names, nil
	case a.Like != nil:
		names := []string{}
		for name := range entries.Under(ctx, a.Like.Name) {
			names = append(names, name)
		}
		return names, nil
	case a.Key != nil:
		k, err := ctx.PublicKey(a.Key.Name, contract.Secp256k1)
		return hex.EncodeToString(k), err
	}
	return nil, errors.New("no question")
}

// Program is the contract.
var Program = contract.Contract{Execute: contract.Handle(execute), Query: contract.Answer(query)}
