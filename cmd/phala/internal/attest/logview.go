package attest

import (
	"crypto"
	"fmt"
	"slices"
	"strings"

	"github.com/phala-go/phala/core/attest/eventlog"
)

// logView is an event log for people and machines.
type logView struct {
	Banks    []string    `json:"banks"`
	Events   []eventView `json:"events"`
	Replayed []named     `json:"replayed"` // what the events lead to, in the log's strongest bank
}

type eventView struct {
	Number   int     `json:"number"`
	Register string  `json:"register"`
	Type     string  `json:"type"`
	Digests  []named `json:"digests"`
	Text     string  `json:"text"`
	Proven   bool    `json:"proven"` // the text follows from the digests; else the log alone says so
}

// strongest is the bank by which a log is shown.
func strongest(l *eventlog.Log) crypto.Hash {
	for _, h := range []crypto.Hash{crypto.SHA384, crypto.SHA256, crypto.SHA512, crypto.SHA1} {
		if slices.Contains(l.Banks, h) {
			return h
		}
	}
	return 0
}

func viewLog(l *eventlog.Log, kind eventlog.Kind) *logView {
	v := &logView{Banks: []string{}, Events: []eventView{}, Replayed: []named{}}
	for _, b := range l.Banks {
		v.Banks = append(v.Banks, b.String())
	}
	var registers []uint32
	for _, e := range l.Events {
		out := eventView{Number: e.Number, Register: kind.Name(e.Register), Type: e.Type.String(), Digests: []named{}}
		out.Text, out.Proven = e.Describe()
		if name, payload, ok := dstackRuntime(&e); ok {
			out.Text = clean(name + " " + payload)
		}
		for _, d := range e.Digests {
			out.Digests = append(out.Digests, named{d.Hash.String(), hexOf(d.Value)})
		}
		v.Events = append(v.Events, out)
		if !slices.Contains(registers, e.Register) {
			registers = append(registers, e.Register)
		}
	}
	slices.Sort(registers)
	h := strongest(l)
	for _, r := range registers {
		if h == 0 {
			break
		}
		if value, _, err := l.Replay(kind, h, r); err == nil {
			v.Replayed = append(v.Replayed, named{kind.Name(r), hexOf(value)})
		}
	}
	return v
}

// dstackRuntime takes apart what dstack hashes of its own events: type, colon, name, colon, payload. The payload is given as text if it
// is printable, else in hexadecimal.
func dstackRuntime(e *eventlog.Event) (name, payload string, ok bool) {
	if e.Type != eventlog.DstackRuntime || len(e.Data) < 5 {
		return "", "", false
	}
	name, payload, ok = strings.Cut(string(e.Data[5:]), ":")
	if clean(payload) != payload {
		payload = hexOf([]byte(payload))
	}
	return name, payload, ok
}

func (v *logView) write(p *page) {
	p.line("event log, banks %v", v.Banks)
	rows := [][]string{{"event", "register", "type", "digest", "what"}}
	for _, e := range v.Events {
		digest := ""
		if n := len(e.Digests); n > 0 {
			digest = e.Digests[n-1].Value
			digest = digest[:min(len(digest), 16)] + "…"
		}
		text := e.Text
		if !e.Proven {
			text += " *"
		}
		rows = append(rows, []string{fmt.Sprint(e.Number), e.Register, e.Type, digest, text})
	}
	p.cells(rows)
	p.line("  * the log's word: the digest is not the hash of this text")
	section(p, "the events lead to", v.Replayed)
}
