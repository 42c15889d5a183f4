package meter

import "slices"

// build puts the sections together again.
func (m *module) build() []byte {
	var funcs, globals, exports []byte
	n := uint32(0) // helpers
	if m.hasMem {
		n = 2
		t := m.typeIndex(funcType{[]byte{i32}, []byte{i32}})
		funcs = appendU32(appendU32(nil, t), t)
		cost := &m.cfg.Table.Cost
		m.code = append(m.code, vec(m.chargeFor(cost[GrowPage], 0, true))...)
		m.code = append(m.code, vec(m.chargeFor(cost[BulkUnit], bulkShift, false))...)
	}
	globals = append(globals,
		i64, 1, opI64Const, 0, opEnd, // gas: nothing runs before the host has given some
		i64, 1, opI64Const, 0, opEnd) // depth
	export := func(name string, global uint32) {
		exports = append(exports, vec([]byte(name))...)
		exports = appendU32(append(exports, byte(KindGlobal)), global)
	}
	export(GasGlobal, m.gasGlobal())
	export(DepthGlobal, m.depthGlobal())
	next := 0
	for i, g := range m.globals {
		if g.mutable {
			export(m.out.Globals[next].Name, uint32(i))
			next++
		}
	}
	m.raw[secCode].items = nil // the new bodies take their place
	out := make([]byte, 0, len(m.code)+len(m.r.b)/2)
	out = append(out, "\x00asm\x01\x00\x00\x00"...)
	for _, s := range []struct {
		id   byte
		more uint32
		add  []byte
	}{
		{secType, uint32(len(m.moreTypes)), slices.Concat(m.moreTypes...)},
		{secImport, 0, nil},
		{secFunction, n, funcs},
		{secTable, 0, nil},
		{secMemory, 0, nil},
		{secGlobal, 2, globals},
		{secExport, uint32(2 + len(m.out.Globals)), exports},
		{secElement, 0, nil},
		{secCode, n, m.code},
	} {
		old := m.raw[s.id]
		if s.id == secMemory && m.hasMem {
			old = span{1, m.memoryType()}
		}
		count := appendU32(nil, uint32(old.n)+s.more)
		if old.n == 0 && s.more == 0 {
			continue
		}
		out = appendU32(append(out, s.id), uint32(len(count)+len(old.items)+len(s.add)))
		out = append(out, count...)
		out = append(out, old.items...)
		out = append(out, s.add...)
	}
	return out
}

// memoryType is the memory with the bounds it really has.
func (m *module) memoryType() []byte {
	most := m.out.MaxPages
	if m.cfg.SparePage {
		most++
	}
	return appendU32(appendU32([]byte{1}, m.out.MinPages), most)
}
