package main

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/phala-go/phala/core/address"
)

//go:embed testdata/*.txt
var recorded embed.FS

// record is a list of calls of one contract, which the first brings to life.
type record struct {
	name, code string // code is the contract's file
	calls      []call
}

// call is one line: an entry point, who calls, with which funds, and the message.
type call struct {
	entry, sender, funds, msg string
	gas                       uint64
}

// usualGas is what a call gets of which the record does not say.
const usualGas = 1_000_000_000

func records() ([]record, error) {
	names, err := recorded.ReadDir("testdata")
	if err != nil {
		return nil, err
	}
	var out []record
	for _, n := range names {
		text, err := recorded.ReadFile(path.Join("testdata", n.Name()))
		if err != nil {
			return nil, err
		}
		r, err := parse(strings.TrimSuffix(n.Name(), ".txt"), string(text))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// parse reads a record: lines of entry point, sender and message. The first line names the code, # begins a remark, an entry point may
// be followed by @ and gas, a sender by a colon and funds, and $name stands for the address of that account.
func parse(name, text string) (record, error) {
	r := record{name: name}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		if code, ok := strings.CutPrefix(line, "code "); ok {
			r.code = code
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		if len(parts) != 3 {
			return record{}, fmt.Errorf("reading %s: line %d is no call", name, n)
		}
		c := call{msg: expand(name, parts[2]), gas: usualGas}
		var gas string
		c.entry, gas, _ = strings.Cut(parts[0], "@")
		c.sender, c.funds, _ = strings.Cut(parts[1], ":")
		c.sender = account(c.sender)
		if gas != "" {
			var err error
			if c.gas, err = strconv.ParseUint(gas, 10, 64); err != nil {
				return record{}, fmt.Errorf("reading %s: line %d: %w", name, n, err)
			}
		}
		r.calls = append(r.calls, c)
	}
	if r.code == "" || len(r.calls) == 0 || r.calls[0].entry != "instantiate" {
		return record{}, fmt.Errorf("reading %s: it does not begin with code and instantiate", name)
	}
	return r, lines.Err()
}

// expand puts addresses in the place of $names; $self is the record's own contract.
func expand(name, msg string) string {
	return regexp.MustCompile(`\$[a-z]+`).ReplaceAllStringFunc(msg, func(who string) string {
		if who == "$self" {
			raw := self(name)
			return address.Encode(raw[:])
		}
		return account(who[1:])
	})
}

func self(name string) [32]byte { return sha256.Sum256([]byte("contract " + name)) }

func account(name string) string {
	h := sha256.Sum256([]byte(name))
	return address.Encode(h[:20])
}
