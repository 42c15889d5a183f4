package meter

import "slices"

const opI32Add = 0x6a

// wat assembles modules by hand. The zero value is a module with one memory,
// one table and one exported function "f" of type () -> () that does nothing.
type wat struct {
	types   []funcType // 0 is that of f; default () -> ()
	imports []string   // functions "env".name of type 0 as default, or as importType says
	impType uint32
	locals  []byte   // f's declarations, with their number; default none
	body    []byte   // of f, without its end
	more    [][]byte // further bodies, with locals and end
	moreOf  []byte   // their types; default 0
	memory  []byte   // content of the section; default 1 to 2 pages
	globals [][]byte
	exports [][]byte // besides f and memory
	elems   [][]byte
	data    [][]byte
	table   []byte
	mute    bool              // export nothing
	tail    []byte            // after everything
	extra   map[byte][][]byte // further sections, by the one they precede
}

func (w wat) bytes() []byte {
	if w.types == nil {
		w.types = []funcType{{}}
	}
	if w.locals == nil {
		w.locals = []byte{0}
	}
	if w.memory == nil {
		w.memory = []byte{1, 1, 1, 2}
	}
	if w.table == nil {
		w.table = []byte{1, 0x70, 0, 4}
	}
	var types, imports, funcs, bodies [][]byte
	for _, t := range w.types {
		types = append(types, cat([]byte{0x60}, vec(t.params), vec(t.results)))
	}
	for _, i := range w.imports {
		imports = append(imports, cat(vec([]byte("env")), vec([]byte(i)), []byte{0}, appendU32(nil, w.impType)))
	}
	funcs = append(funcs, []byte{0})
	bodies = append(bodies, vec(cat(w.locals, w.body, []byte{opEnd})))
	for i, b := range w.more {
		t := byte(0)
		if w.moreOf != nil {
			t = w.moreOf[i]
		}
		funcs, bodies = append(funcs, []byte{t}), append(bodies, vec(b))
	}
	f := cat(vec([]byte("f")), []byte{0}, appendU32(nil, uint32(len(imports))))
	exports := append([][]byte{f, cat(vec([]byte("memory")), []byte{2, 0})}, w.exports...)
	if w.mute {
		exports = nil
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range []struct {
		id   byte
		body []byte
	}{
		{1, list(types)}, {2, list(imports)}, {3, list(funcs)}, {4, w.table}, {5, w.memory}, {6, list(w.globals)},
		{7, list(exports)}, {8, nil}, {9, list(w.elems)}, {12, nil}, {10, list(bodies)}, {11, list(w.data)},
	} {
		for _, e := range w.extra[s.id] {
			out = append(out, e...)
		}
		if len(s.body) > 0 && (s.body[0] != 0 || len(s.body) > 1) {
			out = cat(out, []byte{s.id}, vec(s.body))
		}
	}
	return cat(out, w.tail)
}

func cat(b ...[]byte) []byte { return slices.Concat(b...) }

func list(items [][]byte) []byte {
	return cat(appendU32(nil, uint32(len(items))), slices.Concat(items...))
}

func repeat(b []byte, n int) []byte { return slices.Repeat(b, n) }

func i32c(v int32) []byte { return appendS64([]byte{opI32Const}, int64(v)) }
func i64c(v int64) []byte { return appendS64([]byte{opI64Const}, v) }
func call(i uint32) []byte {
	return appendU32([]byte{opCall}, i)
}
