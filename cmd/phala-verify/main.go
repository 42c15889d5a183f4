//go:build js && wasm

// Command phala-verify is what a browser or Node runs to check receipts: core/receipt, compiled for js/wasm. It sets one function,
// phalaVerifyReceipt(file, trust), and answers with a report or an error in JSON (docs/spec/receipt.md). It must never load anything:
// the page gives it all.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall/js"
	"time"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/receipt"
)

// trust is what the page gives beside the file.
type trust struct {
	Genesis        string    `json:"genesis"` // the genesis file's text, or else
	ChainID        string    `json:"chain_id"`
	Height         uint64    `json:"height"`
	Hash           hexBytes  `json:"hash"`
	Now            time.Time `json:"now"`
	TrustingPeriod int64     `json:"trusting_period_seconds"`
}

func main() {
	js.Global().Set("phalaVerifyReceipt", js.FuncOf(func(_ js.Value, args []js.Value) any {
		rep, err := verify(args)
		if err != nil {
			return answer(map[string]string{"error": err.Error()})
		}
		return answer(rep)
	}))
	select {} // the function lives as long as the page
}

func answer(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return `{"error":"writing the report"}`
	}
	return string(b)
}

func verify(args []js.Value) (*receipt.Report, error) {
	if len(args) != 2 || !args[0].InstanceOf(js.Global().Get("Uint8Array")) || args[1].Type() != js.TypeString {
		return nil, errors.New("want the file as Uint8Array and the trust as JSON")
	}
	if n := args[0].Get("length").Int(); n > receipt.MaxSize {
		return nil, fmt.Errorf("the file has %d bytes: at most %d", n, receipt.MaxSize)
	}
	file := make([]byte, args[0].Get("length").Int())
	js.CopyBytesToGo(file, args[0])
	var t trust
	if err := json.Unmarshal([]byte(args[1].String()), &t); err != nil {
		return nil, fmt.Errorf("reading the trust: %w", err)
	}
	r, err := receipt.Parse(file)
	if err != nil {
		return nil, err
	}
	start := receipt.Trust{ChainID: t.ChainID, Height: t.Height, Hash: t.Hash}
	if t.Genesis != "" {
		if start.Genesis, err = light.ParseGenesis([]byte(t.Genesis)); err != nil {
			return nil, err
		}
	}
	return receipt.Check(r, start, receipt.Options{Now: t.Now, TrustingPeriod: time.Duration(t.TrustingPeriod) * time.Second})
}
