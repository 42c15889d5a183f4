package engine

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The most a trace tells: functions, and bytes of one's name.
const (
	maxTrace     = 16
	maxTraceName = 128
)

// Trace says where a call broke off: the functions that were running,
// innermost first, functions of the host with their module. Where the code has
// no names a function is its number. It is for the one whose call it was and
// for nobody else: which way a contract took may tell of its state. What the
// contract itself said is not in it.
func (e *TrapError) Trace() []string {
	wanted := map[uint32]string{}
	for _, f := range e.frames {
		if i, ok := numbered(f); ok {
			wanted[i] = fmt.Sprintf("function %d", i)
		}
	}
	functionNames(e.code, wanted)
	out := make([]string, 0, len(e.frames))
	for _, f := range e.frames {
		if i, ok := numbered(f); ok {
			f = wanted[i]
		}
		out = append(out, f)
	}
	return out
}

// numbered reads ".$17", as wazero calls a function of code without names.
// The engine's rewriter drops these and leaves the numbers as they are.
func numbered(frame string) (uint32, bool) {
	digits, ok := strings.CutPrefix(frame, ".$")
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil
}

// frames finds the functions in an error of wazero's, which has them as text:
// after a heading one a line, indented, with the types of what it takes.
func frames(err error) (out []string) {
	text := err.Error()
	if said, ok := saidBy(err); ok { // what a contract says is not searched
		_, text, _ = strings.Cut(text, said)
	}
	_, text, _ = strings.Cut(text, "wasm stack trace:\n")
	text, _, _ = strings.Cut(text, "Go runtime stack trace:")
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(line, "\t")
		name, _, typed := strings.Cut(name, "(")
		if !ok || !typed || len(out) == maxTrace {
			continue
		}
		out = append(out, name)
	}
	return out
}

// functionNames replaces those of the wanted functions that well-formed code
// names (the name section of WebAssembly's core specification, appendix A.4).
// Nothing depends on a name section, so a fault in it ends the search.
func functionNames(code []byte, wanted map[uint32]string) {
	if len(wanted) == 0 || len(code) < 8 {
		return
	}
	part, ok := subsection(code[8:], 0, "name", 1)
	if !ok {
		return
	}
	count, part, ok := number(part)
	for ; ok && count > 0; count-- {
		var index uint64
		var name []byte
		if index, part, ok = number(part); !ok {
			return
		}
		if name, part, ok = chunk(part); !ok {
			return
		}
		if _, want := wanted[uint32(index)]; want && len(name) > 0 && index < 1<<32 {
			wanted[uint32(index)] = legible(name)
		}
	}
}

// subsection finds a part of a custom section.
func subsection(sections []byte, id byte, name string, part byte) ([]byte, bool) {
	for len(sections) > 0 {
		this := sections[0]
		body, rest, ok := chunk(sections[1:])
		if !ok {
			return nil, false
		}
		sections = rest
		if this != id {
			continue
		}
		title, body, ok := chunk(body)
		if !ok || string(title) != name {
			continue
		}
		for len(body) > 0 {
			kind := body[0]
			content, rest, ok := chunk(body[1:])
			switch {
			case !ok:
				return nil, false
			case kind == part:
				return content, true
			}
			body = rest
		}
	}
	return nil, false
}

// chunk reads bytes that follow their length.
func chunk(b []byte) (content, rest []byte, ok bool) {
	n, b, ok := number(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

func number(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// legible is a name as it may stand on somebody's terminal, without the hash
// that Rust appends.
func legible(name []byte) string {
	s := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, string(name[:min(len(name), maxTraceName)]))
	if i := strings.LastIndex(s, "::h"); i >= 0 && len(s)-i == len("::h")+16 {
		s = s[:i]
	}
	return s
}
