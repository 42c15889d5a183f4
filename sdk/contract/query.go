package contract

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Ask queries another contract of the same cluster and decodes its answer.
func Ask[R any](ctx *Context, address string, msg any) (R, error) {
	var answer R
	question, err := json.Marshal(msg)
	if err != nil {
		return answer, fmt.Errorf("asking %s: %w", address, err)
	}
	type smart struct {
		Contract string `json:"contract_addr"`
		Msg      []byte `json:"msg"`
	}
	type wasm struct {
		Smart smart `json:"smart"`
	}
	raw, err := ctx.Query(struct {
		Wasm wasm `json:"wasm"`
	}{wasm{smart{address, question}}})
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil {
		return answer, fmt.Errorf("asking %s: %w", address, err)
	}
	return answer, nil
}

// Query makes any CosmWasm query and gives the answer as it comes.
func (c *Context) Query(request any) ([]byte, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var system struct {
		Error json.RawMessage `json:"error"`
		OK    *struct {
			Error *string `json:"error"`
			OK    []byte  `json:"ok"`
		} `json:"ok"`
	}
	if err := json.Unmarshal(c.host.Query(b), &system); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	switch {
	case system.OK == nil:
		return nil, fmt.Errorf("not answered: %s", system.Error)
	case system.OK.Error != nil:
		return nil, errors.New(*system.OK.Error)
	}
	return system.OK.OK, nil
}
