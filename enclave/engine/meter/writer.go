package meter

// writer puts out a new body. The gas that is left is in a global, which is
// right at every trap and for every other function. Within a tight loop it is
// also in a local: a compiler keeps that in a register, while a global read at
// the loop's head waits for the store of the turn before.
type writer struct {
	b      []byte
	gas    uint32 // the global
	local  uint32
	cached bool // the local is up to date
	until  int  // this edit
}

// reload brings the local up to date.
func (w *writer) reload() {
	if w.cached {
		w.b = appendU32(append(w.b, opGlobalGet), w.gas)
		w.b = appendU32(append(w.b, opLocalSet), w.local)
	}
}

func (w *writer) get() {
	if w.cached {
		w.b = appendU32(append(w.b, opLocalGet), w.local)
	} else {
		w.b = appendU32(append(w.b, opGlobalGet), w.gas)
	}
}

// charge takes an amount from the gas that is left.
func (w *writer) charge(amount int64) {
	w.get()
	w.b = append(appendS64(append(w.b, opI64Const), amount), opI64Sub)
	if w.cached {
		w.b = appendU32(append(w.b, opLocalTee), w.local)
	}
	w.b = appendU32(append(w.b, opGlobalSet), w.gas)
}

// depth takes an amount from the depth that is left.
func (w *writer) depth(global uint32, amount int64) {
	w.b = appendU32(append(w.b, opGlobalGet), global)
	w.b = append(appendS64(append(w.b, opI64Const), amount), opI64Sub)
	w.b = appendU32(append(w.b, opGlobalSet), global)
}

// check leaves by a label if no gas is left, or no depth either if its global
// is given: the sign of both is that of their union.
func (w *writer) check(label int, depth uint32) {
	w.get()
	if depth > 0 {
		w.b = append(appendU32(append(w.b, opGlobalGet), depth), opI64Or)
	}
	w.b = appendU32(append(w.b, opI64Const, 0, opI64LtS, opBrIf), uint32(label))
}
