package state

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/phala-go/phala/core/merkle"
)

var blind = bytes.Repeat([]byte{7}, 32)

// A map made by any history equals the model, in content, order, size and root.
func TestAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		m, model := New(blind), map[string]string{}
		for range 200 {
			k := fmt.Sprintf("k%02d", r.IntN(40))
			if r.IntN(3) == 0 {
				m = m.Delete([]byte(k))
				delete(model, k)
			} else {
				v := fmt.Sprint(r.IntN(1000))
				m = m.Set([]byte(k), []byte(v))
				model[k] = v
			}
		}
		if m.Len() != len(model) {
			t.Fatalf("round %d: %d keys, model %d", round, m.Len(), len(model))
		}
		keys := slices.Sorted(maps.Keys(model))
		fresh := New(blind)
		for _, i := range r.Perm(len(keys)) {
			fresh = fresh.Set([]byte(keys[i]), []byte(model[keys[i]]))
		}
		if !bytes.Equal(fresh.Root(), m.Root()) {
			t.Fatalf("round %d: the root depends on history", round)
		}
		lo, hi := fmt.Appendf(nil, "k%02d", r.IntN(40)), fmt.Appendf(nil, "k%02d", r.IntN(40))
		var want, up, down []string
		for _, k := range keys {
			if k >= string(lo) && k < string(hi) {
				want = append(want, k)
			}
		}
		m.Ascend(lo, hi, func(k, _ []byte) bool { up = append(up, string(k)); return true })
		m.Descend(lo, hi, func(k, _ []byte) bool { down = append(down, string(k)); return true })
		slices.Reverse(down)
		if !slices.Equal(up, want) || !slices.Equal(down, want) {
			t.Fatalf("round %d: range %s..%s: up %v, down %v, want %v", round, lo, hi, up, down, want)
		}
	}
}

func TestRootCommitsToContentAndBlinding(t *testing.T) {
	a := New(blind).Set([]byte("k"), []byte("v"))
	others := []Map{
		New(blind),
		New(blind).Set([]byte("k"), []byte("w")),
		New(blind).Set([]byte("kv"), nil),
		New(bytes.Repeat([]byte{8}, 32)).Set([]byte("k"), []byte("v")),
	}
	for i, o := range others {
		if bytes.Equal(a.Root(), o.Root()) {
			t.Errorf("map %d has the same root", i)
		}
	}
	if !bytes.Equal(New(blind).Root(), merkle.Root(nil)) {
		t.Error("an empty map has not the root of an empty tree")
	}
}

func TestOldVersionsStay(t *testing.T) {
	a := New(blind).Set([]byte("k"), []byte("1"))
	root := a.Root()
	b := a.Set([]byte("k"), []byte("2")).Set([]byte("l"), []byte("3"))
	c := b.Delete([]byte("k"))
	if v, _ := a.Get([]byte("k")); string(v) != "1" || !bytes.Equal(a.Root(), root) || a.Len() != 1 {
		t.Error("an old version changed")
	}
	if _, ok := c.Get([]byte("k")); ok || c.Len() != 1 {
		t.Error("a deleted key is there")
	}
}

func TestEditorForgetsFailedSteps(t *testing.T) {
	m := New(blind).Set([]byte("a"), []byte("1")).Set([]byte("b"), []byte("1"))
	e := m.Edit()
	bad := e.Step()
	bad.Set([]byte("z"), []byte("9"))
	good := e.Step()
	good.Set([]byte("c"), []byte("3"))
	good.Delete([]byte("a"))
	good.Set([]byte("b"), []byte("1"))
	e.Commit(good)
	w := e.Writes()
	if len(w) != 2 || string(w[0].Key) != "a" || !w[0].Deleted || string(w[1].Key) != "c" {
		t.Fatalf("writes: %v", w)
	}
	if !bytes.Equal(m.Apply(w).Root(), e.Map().Root()) {
		t.Error("applying the writes leads to another root")
	}
}

func TestSpacesDoNotSeeEachOther(t *testing.T) {
	e := New(blind).Edit()
	a, b := e.Space([]byte{1, 0xff}), e.Space([]byte{2})
	a.Set([]byte{0xff}, []byte("a"))
	b.Set([]byte("x"), []byte("b"))
	n := 0
	a.Ascend(nil, nil, func(k, v []byte) bool {
		n++
		if !bytes.Equal(k, []byte{0xff}) || string(v) != "a" {
			t.Errorf("saw %x=%s", k, v)
		}
		return true
	})
	b.Descend(nil, nil, func(k, v []byte) bool { n += 10; return string(k) == "x" })
	if n != 11 {
		t.Errorf("visits: %d", n)
	}
	if _, ok := b.Get([]byte{0xff}); ok {
		t.Error("a space sees another's key")
	}
}
