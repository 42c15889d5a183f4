package main

import "bytes"

// instructions are loops that do little but instructions of one class.
func instructions() map[string]*contract {
	op := func(b ...byte) []byte { return b }
	times := func(n int, b []byte) []byte { return bytes.Repeat(b, n) }
	var quarter []byte // of ChaCha: additions, exclusive ors, rotations
	for _, step := range [][4]byte{{0, 1, 3, 16}, {2, 3, 1, 12}, {0, 1, 3, 8}, {2, 3, 1, 7}} {
		a, b, d := num+step[0], num+step[1], num+step[2]
		quarter = cat(quarter, get(a), get(b), op(0x6a), set(a), get(d), get(a), op(0x73), number(uint32(step[3])), op(0x77), set(d))
	}
	mix := cat(get(wide), long(6364136223846793005), op(0x7e), get(wide+1), op(0x7c), long(1442695040888963407), op(0x7c), tee(wide), long(33), op(0x88), get(wide), op(0x85), set(wide+1))
	// An address that moves through 256 KiB, which is what a contract's heap may
	// be, and more than the nearest cache holds.
	at := func(step uint32) []byte {
		return cat(get(num), number(step), op(0x6a), number(0x3fff8), op(0x71), tee(num))
	}
	load := cat(at(72), op(0x28, 2, 0), get(num+1), op(0x6a), set(num+1), get(num), op(0x29, 3, 16), get(wide), op(0x7c), set(wide),
		get(num), op(0x2d, 0, 5), get(num+2), op(0x73), set(num+2), get(num), op(0x28, 2, 40), set(num+3))
	store := cat(at(72), get(num+1), op(0x36, 2), leb(1<<18), get(num), get(wide), op(0x37, 3), leb(1<<18+16),
		get(num), get(num+2), op(0x3a, 0), leb(1<<18+5), get(num), op(0x28, 2), leb(1<<18), set(num+1))
	half := op(0x44, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f)
	sum := func(i byte) []byte { // x/2 + 1/2, twice, and a comparison
		return cat(get(float+i), half, op(0xa2), half, op(0xa0), tee(float+i), half, op(0x64), set(num+i),
			get(float+i), get(float+(i+1)%4), op(0xa1, 0x99), set(float+i))
	}
	root := cat(get(float), half, op(0xa0), op(0x9f), half, op(0xa3), set(float))
	// A pattern of four turns, which every processor learns.
	choose := cat(get(turn), number(3), op(0x71, 0x04, 0x40), get(num), get(turn), op(0x6a), set(num), op(0x05), get(num), get(turn), op(0x73), set(num), op(0x0b),
		op(0x02, 0x40), get(turn), number(1), op(0x71, 0x0d, 0), get(num+1), number(3), op(0x6a), set(num+1), op(0x0b))
	// The same on what nobody can foresee.
	guess := cat(mix, get(wide), long(40), op(0x88, 0xa7), number(1), op(0x71, 0x04, 0x40), get(num), get(turn), op(0x6a), set(num), op(0x05), get(num), get(turn), op(0x73), set(num), op(0x0b))
	add := func(i byte) []byte { return cat(get(num+i), get(turn), op(0x6a), set(num+i)) }
	table := cat(op(0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40), get(turn), number(3), op(0x71, 0x0e, 3, 0, 1, 2, 3, 0x0b),
		add(0), op(0x0c, 2, 0x0b), add(1), op(0x0c, 1, 0x0b), add(2), op(0x0c, 0, 0x0b))

	sumOf := function{[]byte{i32, i32}, []byte{i32}, cat(get(0), get(1), op(0x6a))}
	fibonacci := function{[]byte{i32}, []byte{i32}, cat(get(0), number(2), op(0x48, 0x04, 0x40), get(0), op(0x0f, 0x0b),
		get(0), number(1), op(0x6b, 0x10, 0), get(0), number(2), op(0x6b, 0x10, 0, 0x6a))}
	through := cat(get(num), get(turn), number(0), op(0x11, 0, 0), set(num))

	return map[string]*contract{
		"Integer":          {turns: 20_000, body: times(4, quarter)},
		"Integer (i64)":    {turns: 50_000, body: times(4, mix)},
		"Divide":           {turns: 50_000, body: times(4, cat(get(turn), number(7), op(0x6e), get(num), op(0x6a), set(num), get(wide), long(77), op(0x7c), get(turn), op(0xad), op(0x80), set(wide)))},
		"Memory":           {turns: 50_000, body: times(4, load)},
		"Memory (store)":   {turns: 50_000, body: times(4, store)},
		"Memory (global)":  {turns: 50_000, body: times(8, cat(op(0x23, 0), get(turn), op(0x6a, 0x24, 0)))},
		"Float":            {turns: 20_000, body: cat(sum(0), sum(1), sum(2), sum(3))},
		"FloatHi":          {turns: 20_000, body: times(4, root)},
		"Branch":           {turns: 50_000, body: times(8, choose)},
		"Branch (guessed)": {turns: 50_000, body: times(4, guess)},
		"Switch":           {turns: 50_000, body: times(4, table)},
		"Call":             {turns: 1, more: []function{fibonacci}, body: cat(number(21), op(0x10, 0), set(num))},
		"Call (tiny)":      {turns: 50_000, more: []function{sumOf}, body: times(4, cat(get(num), get(turn), op(0x10, 0), set(num)))},
		"Indirect":         {turns: 50_000, more: []function{sumOf}, body: times(4, through)},
		// Each of them a page of the system's that the call has not written yet.
		"Memory (new pages)": {turns: 512, body: cat(get(num), number(4096), op(0x6a), tee(num), get(turn), op(0x36, 2, 0))},
		"GrowPage":           {turns: 400, body: cat(number(1), op(0x40, 0), number(16), op(0x74), set(num), touch(num))},
		"BulkUnit":           {turns: 200, body: cat(number(1<<18), number(0), number(65536), op(0xfc, 10, 0, 0), number(1<<18), number(1), number(65536), op(0xfc, 11, 0))},
		"BulkUnit (short)":   {turns: 20_000, body: times(4, cat(number(1<<18), number(16), number(24), op(0xfc, 10, 0, 0), number(1<<18), number(1), number(24), op(0xfc, 11, 0)))},
	}
}

// touch writes to each of the system's pages of the page at local i.
func touch(i byte) (b []byte) {
	for n := range 16 {
		b = cat(b, get(i), number(1), []byte{0x36, 2}, leb(n*4096))
	}
	return b
}
