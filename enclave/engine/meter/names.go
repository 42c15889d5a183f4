package meter

import (
	"strings"
	"unicode/utf8"
)

// maxNames bounds what is kept of a name section, in bytes.
const maxNames = 4 << 20

// custom looks for function names in a custom section. Nothing depends on
// these, so a fault in them only ends the reading.
func (m *module) custom() {
	r := m.r
	if name := r.take(r.u32()); !utf8.Valid(name) || r.err != nil {
		m.r.fail(m.r.off, "name of a custom section is cut short or not UTF-8")
		return
	} else if string(name) != "name" || m.out.Names != nil {
		return
	}
	for r.more() {
		kind := r.byte()
		part := reader{b: r.take(r.u32())}
		part.end = len(part.b)
		if kind == 1 && r.err == nil {
			m.out.Names = functionNames(part, m.cfg.Limits)
			return
		}
	}
}

func functionNames(r reader, lim Limits) map[uint32]string {
	names := map[uint32]string{}
	kept := 0
	for n := r.count(lim.Functions+lim.Imports, "names"); n > 0 && r.err == nil; n-- {
		i, b := r.u32(), r.take(r.u32())
		b = b[:min(len(b), lim.Name)]
		if kept += len(b); r.err != nil || kept > maxNames {
			break
		}
		names[i] = strings.ToValidUTF8(string(b), "\ufffd")
	}
	return names
}
