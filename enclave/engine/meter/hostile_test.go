package meter

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// TestHostThroughTable: a function of the host must not be cheaper where it is
// reached by its place in the table, whichever type of the same content the
// caller names; other calls through the table keep their price.
func TestHostThroughTable(t *testing.T) {
	cost := V1().Cost
	types := []funcType{{}, {}, {params: []byte{i32}}}
	for _, c := range []struct {
		name    string
		typ     byte // the caller names
		element byte // function in the table
		want    int64
	}{
		{"host", 0, 0, cost[Host]},
		{"host by a type of the same content", 1, 0, cost[Host]},
		{"own function", 0, 2, cost[Indirect]},
	} {
		both(t, func(t *testing.T, rt wazero.Runtime) {
			visits := 0
			host(t, rt, func(context.Context, api.Module) { visits++ })
			w := wat{types: types, imports: []string{"host"}, body: cat(i32c(0), []byte{opCallIndirect, c.typ, 0}),
				more: [][]byte{{0, opEnd}}, elems: [][]byte{{0, opI32Const, 0, opEnd, 1, c.element}}}
			_, inst := start(t, rt, w.bytes())
			set(inst, 1_000_000)
			if _, err := inst.ExportedFunction("f").Call(t.Context()); err != nil {
				t.Fatal(c.name, err)
			}
			gas, _ := left(inst)
			if got := 1_000_000 - int64(gas) - cost[Integer]; got != c.want || (visits > 0) != (c.element == 0) {
				t.Errorf("%s: cost %d, want %d; %d visits", c.name, got, c.want, visits)
			}
		})
	}
	// An import of another type changes nothing.
	w := wat{types: types, imports: []string{"host"}, impType: 2, body: cat(i32c(0), []byte{opCallIndirect, 0, 0}), elems: [][]byte{{0, opI32Const, 0, opEnd, 1, 0}}}
	m, err := Rewrite(w.bytes(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if want := cost[Integer] + cost[Indirect] + smallCalls*cost[Call]; m.Report.MaxOverrun != want {
		t.Errorf("a table with a function of another type: at most %d, want %d", m.Report.MaxOverrun, want)
	}
}

// TestInjectedIndices tries to name in code what Rewrite adds behind the last
// of each index space.
func TestInjectedIndices(t *testing.T) {
	drop := []byte{opDrop}
	for name, body := range map[string][]byte{
		"read the gas":            cat([]byte{opGlobalGet, 1}, drop),
		"set the gas":             cat(i64c(1<<62), []byte{opGlobalSet, 1}),
		"set the depth":           cat(i64c(1<<62), []byte{opGlobalSet, 2}),
		"set it in dead code":     cat([]byte{opUnreachable}, i64c(1), []byte{opGlobalSet, 1}),
		"call a helper":           cat(i32c(1), call(1), drop),
		"call the other":          cat(i32c(1), call(2), drop),
		"name an injected type":   cat(i32c(0), i32c(0), []byte{opCallIndirect, 1, 0}, drop),
		"a block of such a type":  cat(i32c(0), []byte{opBlock, 1, opEnd}, drop),
		"an injected local":       cat([]byte{opLocalGet, 0}, drop),
		"leave for a check's end": cat(i32c(1), []byte{opBrIf, 1}),
	} {
		_, err := Rewrite(wat{globals: manyGlobals(1), body: body}.bytes(), Config{})
		var flaw *Error
		if !errors.As(err, &flaw) || flaw.Offset == 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestTimeIsBounded hands over modules as large as can be that make the
// validating pass do the most for each byte.
func TestTimeIsBounded(t *testing.T) {
	wide := funcType{repeat([]byte{i64}, 32), repeat([]byte{i64}, 32)}
	fill := func(b []byte, head ...byte) []byte {
		return cat(head, repeat(b, (100<<10)/len(b)), []byte{opUnreachable})
	}
	table := cat([]byte{opUnreachable, opBlock, 1}, i32c(0), []byte{opBrTable}, appendU32(nil, 12_000), make([]byte, 12_001), []byte{opEnd, opUnreachable})
	for name, body := range map[string][]byte{
		"calls":               fill(call(1), opUnreachable),
		"blocks":              fill([]byte{opBlock, 1, opEnd}, opUnreachable),
		"branches":            fill(cat(i32c(0), []byte{opBrIf, 0}), opUnreachable),
		"table of many types": table,
		"local.tee":           fill([]byte{opLocalTee, 0}, opLocalGet, 0),
	} {
		whole := cat([]byte{1, 1, i64}, body, []byte{opEnd})
		w := wat{types: []funcType{{}, wide}, body: []byte{opNop}}
		for size := 0; size < 7<<20; size += len(whole) {
			w.more, w.moreOf = append(w.more, whole), append(w.moreOf, 1)
		}
		code := w.bytes()
		begin := time.Now()
		_, err := Rewrite(code, Config{})
		took := time.Since(begin)
		t.Logf("%s: %d bytes, %s, %v", name, len(code), took.Round(time.Millisecond), err)
		if took > 20*time.Second { // a slow machine with other work has ten times what it takes
			t.Errorf("%s: took %s", name, took)
		}
	}
}
