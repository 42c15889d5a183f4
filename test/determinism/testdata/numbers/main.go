// Command numbers is a contract that does what a Go program may do differently on another machine: floats, the order of maps,
// goroutines, the garbage collector, random numbers.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/phala-go/phala/sdk/contract"
)

// Msg says what to do.
type Msg struct {
	Float *Float  `json:"float,omitempty"`
	Tally *Tally  `json:"tally,omitempty"`
	Tree  *Tree   `json:"tree,omitempty"`
	Order *Rounds `json:"order,omitempty"`
	Work  *Rounds `json:"work,omitempty"`
	Dice  *Rounds `json:"dice,omitempty"`
}

// Float wants some functions of two numbers, which are given as text since JSON knows no NaN.
type Float struct {
	A string `json:"a"`
	B string `json:"b"`
}

// Tally adds to counts.
type Tally struct {
	Counts map[string]float64 `json:"counts"`
}

// Tree is JSON within JSON.
type Tree struct {
	Label    string          `json:"label"`
	Weight   float64         `json:"weight"`
	Any      json.RawMessage `json:"any,omitempty"`
	Children []Tree          `json:"children,omitempty"`
}

// Rounds is how often.
type Rounds struct {
	Times int `json:"times"`
}

var (
	counts = contract.NewMap[float64]("counts")
	last   = contract.NewItem[string]("last")
)

func execute(ctx *contract.Context, m Msg) error {
	if m.Tally != nil {
		for k, v := range m.Tally.Counts { // in the order that the runtime draws
			old, _ := counts.Load(ctx, k)
			counts.Save(ctx, k, old+v)
		}
	}
	text, err := do(ctx, m)
	last.Save(ctx, text)
	return err
}

func query(ctx *contract.Context, m Msg) (string, error) { return do(ctx, m) }

func do(ctx *contract.Context, m Msg) (string, error) {
	switch {
	case m.Float != nil:
		return m.Float.functions()
	case m.Tally != nil:
		sum := 0.0
		for _, v := range counts.All(ctx) {
			sum += v
		}
		return fmt.Sprintf("%v %x", sum, math.Float64bits(sum)), nil
	case m.Tree != nil:
		out, err := json.MarshalIndent(m.Tree, "", " ")
		return fmt.Sprintf("%v %x", m.Tree.sum(), sha256.Sum256(out)), err
	case m.Order != nil:
		seen := map[int]bool{}
		for i := range m.Order.Times {
			seen[i*i] = true
		}
		out := ""
		for k := range seen {
			out += strconv.Itoa(k) + " "
		}
		return out, nil
	case m.Work != nil:
		return fmt.Sprintf("%x", work(m.Work.Times)), nil
	case m.Dice != nil:
		out := ""
		for range m.Dice.Times {
			out += strconv.Itoa(rand.IntN(6) + 1)
		}
		return out, nil
	}
	return "", fmt.Errorf("nothing to do")
}

func (f Float) functions() (string, error) {
	a, err := strconv.ParseFloat(f.A, 64)
	if err != nil {
		return "", err
	}
	b, err := strconv.ParseFloat(f.B, 64)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, v := range []float64{
		a + b, a - b, a * b, a / b, math.Sqrt(a), math.Sin(a), math.Exp(a), math.Pow(a, b), math.Mod(a, b), math.FMA(a, b, a), math.Log(a),
		math.Floor(a), math.RoundToEven(b), math.Trunc(a), math.Min(a, b), math.Max(a, b), math.Copysign(a, b), float64(float32(a) / float32(b)),
	} {
		fmt.Fprintf(&out, "%016x ", math.Float64bits(v))
	}
	return out.String(), nil
}

func (t Tree) sum() float64 {
	n := t.Weight
	for _, c := range t.Children {
		n += c.sum() / 3
	}
	return n
}

// work has goroutines hash, and leave garbage, and joins what they found.
func work(times int) []byte {
	parts := make(chan []byte)
	for g := range 4 {
		go func() {
			b := []byte{byte(g)}
			for range times {
				h := sha256.Sum256(append(make([]byte, 4096), b...))
				b = h[:]
			}
			parts <- b
		}()
	}
	var all [][]byte
	for range 4 {
		all = append(all, <-parts)
	}
	slices.SortFunc(all, slices.Compare)
	h := sha256.Sum256(slices.Concat(all...))
	return h[:]
}

func init() {
	contract.Register(contract.Contract{
		Instantiate: contract.Handle(func(*contract.Context, struct{}) error { return nil }),
		Execute:     contract.Handle(execute), Query: contract.Answer(query),
	})
}

func main() {}
