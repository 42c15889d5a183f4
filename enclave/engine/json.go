package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// envJSON is Env as contracts read it.
type envJSON struct {
	Block       blockJSON `json:"block"`
	Transaction *txJSON   `json:"transaction"`
	Contract    selfJSON  `json:"contract"`
	Caller      *string   `json:"caller,omitempty"` // only in extended contracts
}

type blockJSON struct {
	Height  uint64 `json:"height"`
	Time    string `json:"time"`
	ChainID string `json:"chain_id"`
}

type txJSON struct {
	Index uint32 `json:"index"`
}

type selfJSON struct {
	Address string `json:"address"`
}

type infoJSON struct {
	Sender string `json:"sender"`
	Funds  []Coin `json:"funds"`
}

// arguments encodes what the entry point is given.
func (c *Call) arguments(of *Contract) ([][]byte, error) {
	env := envJSON{
		Block: blockJSON{
			Height: c.Env.Height, Time: strconv.FormatUint(c.Env.TimeNanos, 10), ChainID: c.Env.ChainID,
		},
		Contract: selfJSON{c.Env.Contract},
	}
	if c.Env.TxIndex != nil {
		env.Transaction = &txJSON{*c.Env.TxIndex}
	}
	if of.extended {
		env.Caller = &c.Env.Caller
	}
	encoded, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("encoding the environment: %w", err)
	}
	if c.Entry == Migrate && of.migrateInfo {
		info, err := json.Marshal(c.MigrateInfo)
		if err != nil {
			return nil, fmt.Errorf("encoding who migrates: %w", err)
		}
		return [][]byte{encoded, c.Msg, info}, nil
	}
	if c.Entry.params() == 2 {
		return [][]byte{encoded, c.Msg}, nil
	}
	info, err := json.Marshal(infoJSON{c.Info.Sender, append([]Coin{}, c.Info.Funds...)})
	if err != nil {
		return nil, fmt.Errorf("encoding the sender: %w", err)
	}
	return [][]byte{encoded, info, c.Msg}, nil
}

// decode reads a ContractResult: exactly one of ok and error.
func decode(entry Entry, answer []byte) (Outcome, error) {
	var result struct {
		OK    json.RawMessage `json:"ok"`
		Error *string         `json:"error"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return Outcome{}, &TrapError{Entry: entry, Reason: fmt.Sprintf("the answer is not a result: %v", err)}
	}
	if (result.OK == nil) == (result.Error == nil) {
		return Outcome{}, &TrapError{Entry: entry, Reason: "the answer is neither ok nor an error, or both"}
	}
	if result.Error != nil {
		return Outcome{}, &ContractError{Message: *result.Error}
	}
	var out Outcome
	var err error
	switch entry {
	case Query:
		err = json.Unmarshal(result.OK, &out.Query)
	case IBCChannelOpen:
		out.Query = result.OK
	default:
		err = json.Unmarshal(result.OK, &out.Response)
	}
	switch {
	case err != nil:
		return Outcome{}, &TrapError{Entry: entry, Reason: fmt.Sprintf("the answer's content cannot be read: %v", err)}
	case !entry.raw() && out.Response == nil:
		return Outcome{}, &TrapError{Entry: entry, Reason: "the answer is null"}
	}
	return out, nil
}
