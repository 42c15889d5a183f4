package meter

// frame is one open block, loop, if or else; the function itself at the bottom.
type frame struct {
	op          byte
	start, end  []byte // types it takes and gives
	height      int    // of the operand stack below it
	unreachable bool   // the rest of it is never executed
	dead        bool   // all of it is
	targeted    bool   // a branch leads to its label
	sets        int    // local.set and local.tee within it
	head        int    // of a loop: the edit that stands before it
}

// stack is what a validating pass over a body keeps: the algorithm of the
// specification's appendix, with an operand of any type written 0.
type stack struct {
	r       *reader
	vals    []byte
	ctl     []frame
	highest int // largest operand stack
	deepest int // largest nesting
	loops   int // open
	deepestLoops,
	joins int // values that may have to be merged where paths meet
}

func (s *stack) reset() {
	s.vals, s.ctl = s.vals[:0], s.ctl[:0]
	s.highest, s.deepest, s.loops, s.deepestLoops, s.joins = 0, 0, 0, 0, 0
}

func (s *stack) top() *frame { return &s.ctl[len(s.ctl)-1] }

// dead tells whether the next instruction can be reached at all.
func (s *stack) dead() bool { f := s.top(); return f.dead || f.unreachable }

func (s *stack) push(t byte) {
	s.vals = append(s.vals, t)
	s.highest = max(s.highest, len(s.vals))
}

func (s *stack) pushAll(types []byte) {
	for _, t := range types {
		s.push(t)
	}
}

// pop takes an operand of a type, or of any if want is 0.
func (s *stack) pop(want byte) byte {
	f := s.top()
	if len(s.vals) == f.height {
		if !f.unreachable {
			s.r.fail(s.r.off, "operand missing before here")
		}
		return want
	}
	got := s.vals[len(s.vals)-1]
	s.vals = s.vals[:len(s.vals)-1]
	if got != want && got != 0 && want != 0 {
		s.r.fail(s.r.off, "operand of type 0x%02x before here, 0x%02x is wanted", got, want)
	}
	if got == 0 {
		return want
	}
	return got
}

func (s *stack) popAll(types []byte) {
	for i := len(types) - 1; i >= 0; i-- {
		s.pop(types[i])
	}
}

func (s *stack) open(op byte, start, end []byte) {
	dead := len(s.ctl) > 0 && s.dead()
	s.ctl = append(s.ctl, frame{op: op, start: start, end: end, height: len(s.vals), dead: dead})
	s.pushAll(start)
	s.deepest = max(s.deepest, len(s.ctl))
	if op == opLoop {
		s.loops++
		s.deepestLoops = max(s.deepestLoops, s.loops)
	}
}

// close ends the innermost frame, leaving its results off the stack.
func (s *stack) close() frame {
	f := *s.top()
	s.popAll(f.end)
	if len(s.vals) != f.height && s.r.err == nil {
		s.r.fail(s.r.off, "%d operands too many before here", len(s.vals)-f.height)
	}
	s.ctl = s.ctl[:len(s.ctl)-1]
	if f.op == opLoop {
		s.loops--
	}
	if len(s.ctl) > 0 {
		s.top().sets += f.sets
	}
	return f
}

// label gives the types a branch to a frame takes, and marks it.
func (s *stack) label(depth uint32) []byte {
	f := &s.ctl[len(s.ctl)-1-int(depth)]
	f.targeted = true
	if f.op == opLoop {
		return f.start
	}
	return f.end
}

// leave makes the rest of the innermost frame unreachable.
func (s *stack) leave() {
	f := s.top()
	s.vals = s.vals[:f.height]
	f.unreachable = true
}
