package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// arguments encodes what the entry point is given.
func (c *Call) arguments(of *Contract) ([][]byte, error) {
	encoded := c.Env.json(of.extended)
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
	return [][]byte{encoded, c.Info.json(), c.Msg}, nil
}

// json is Env as contracts read it; only extended ones see the caller.
func (e *Env) json(extended bool) []byte {
	b := make([]byte, 0, 320)
	b = strconv.AppendUint(append(b, `{"block":{"height":`...), e.Height, 10)
	b = strconv.AppendUint(append(b, `,"time":"`...), e.TimeNanos, 10)
	b = quote(append(b, `","chain_id":`...), e.ChainID)
	b = append(b, `},"transaction":`...)
	if e.TxIndex != nil {
		b = strconv.AppendUint(append(b, `{"index":`...), uint64(*e.TxIndex), 10)
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(quote(append(b, `,"contract":{"address":`...), e.Contract), '}')
	if extended {
		b = quote(append(b, `,"caller":`...), e.Caller)
	}
	return append(b, '}')
}

// json is Info as contracts read it.
func (i *Info) json() []byte {
	b := quote(append(make([]byte, 0, 128), `{"sender":`...), i.Sender)
	b = append(b, `,"funds":[`...)
	for n, c := range i.Funds {
		if n > 0 {
			b = append(b, ',')
		}
		b = quote(append(b, `{"denom":`...), c.Denom)
		b = append(quote(append(b, `,"amount":`...), c.Amount), '}')
	}
	return append(b, "]}"...)
}

// quote appends a string as encoding/json writes it.
func quote(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			escaped, err := json.Marshal(s)
			if err != nil { // cannot be: any string is JSON, with U+FFFD for what is not UTF-8
				escaped = []byte(`""`)
			}
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// decode reads a ContractResult: exactly one of ok and error.
func decode(entry Entry, answer []byte) (Outcome, error) {
	if out, refused, ok := plain(entry, answer); ok {
		return out, refused
	}
	return thorough(entry, answer)
}

// thorough is decode for any JSON.
func thorough(entry Entry, answer []byte) (Outcome, error) {
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
