/*
 * Making an epoch's keys among four gatekeepers of whom two are needed, as docs/spec/keys.md has it: one of them, LIAR, does what
 * it likes, and one of the others may crash at any step. Sets B have one member; B stands for its number.
 *
 * Abstracted: a contribution is whether what was sent to a member is as committed; sealing is that only receivers know; a deadline
 * passes at any time after every member that is honest and up has spoken. One attempt: a failed one is followed by a fresh one.
 * Everything else is exhaustive. A run with a name of BUG_… defined is a design that was not chosen, and must violate.
 */
#define N 4
#define LIAR 0
#ifndef LEAST
#define LEAST 2 /* members that have to be left: t in development, t+1 in production */
#endif

mtype = { JOIN, CONTRIBUTE, CONFIRM, DONE, FAILED };
mtype = { NONE, SILENT, BAD, FALSE };

mtype phase = JOIN;
mtype fault[N] = NONE;
bool joined[N];
bool contributed[N];
bool confirmed[N];
bool down[N];
bool crashed;
bool wrong[N];         /* what the liar sent to this member is not as committed */
bool known[16];        /* i*N+B: the liar knows what member i contributed to the key of B */
byte i, j, b, left, lacks; /* of atomic blocks alone */

/* A complaint opens what accused sent who, for the sets that both hold, to everybody; the chain decides at once. */
inline complain(who, accused) {
	b = 0;
	do
	:: b < N -> if :: b != who && b != accused -> known[accused * N + b] = true :: else fi; b++
	:: else -> break
	od;
#ifdef BUG_UNDECIDED
	fault[accused] = BAD
#else
	if
	:: accused == LIAR && wrong[who] -> fault[accused] = BAD
	:: else -> fault[who] = FALSE
	fi
#endif
}

inline maybe_crash(me) {
	if
	:: atomic { !crashed -> crashed = true; down[me] = true }; goto gone
	:: true
	fi
}

proctype honest(byte me) {
	maybe_crash(me);
	joined[me] = true;
	(phase != JOIN);
	maybe_crash(me);
	atomic {
		if
		:: phase == CONTRIBUTE && fault[me] == NONE ->
			contributed[me] = true;
			b = 0;
			do
			:: b < N -> if :: joined[LIAR] && b != me && b != LIAR -> known[me * N + b] = true :: else fi; b++
			:: else -> break
			od
		:: else
		fi
	};
	(phase != JOIN && phase != CONTRIBUTE);
	maybe_crash(me);
	atomic {
		if
		:: phase == CONFIRM && fault[me] == NONE && fault[LIAR] == NONE && wrong[me] -> complain(me, LIAR)
		:: else
		fi
	};
	maybe_crash(me);
	atomic {
		if
		:: phase == CONFIRM && fault[me] == NONE ->
#ifndef BUG_UNHEARD
			assert(fault[LIAR] != NONE || !wrong[me]); /* a true complaint has been decided, so there is no waiting */
#endif
			confirmed[me] = true
		:: else
		fi
	};
gone:
	skip
}

proctype liar() {
	byte k;
	if :: phase == JOIN -> joined[LIAR] = true :: true fi;
	(phase != JOIN);
	atomic {
		if
		:: phase == CONTRIBUTE && fault[LIAR] == NONE ->
			k = 1;
			do
			:: k < N -> if :: wrong[k] = true :: true fi; k++
			:: else -> break
			od;
			contributed[LIAR] = true
		:: true
		fi
	};
	(phase != JOIN && phase != CONTRIBUTE);
	k = 1;
	do
	:: k < N ->
		atomic {
			if
			:: phase == CONFIRM && fault[LIAR] == NONE && fault[k] == NONE -> complain(LIAR, k)
			:: true
			fi
		};
		k++
	:: else -> break
	od;
	if
	:: atomic { phase == CONFIRM && fault[LIAR] == NONE -> confirmed[LIAR] = true }
	:: true
	fi
}

#define SPOKEN(x) ((phase == JOIN && joined[x]) || (phase == CONTRIBUTE && contributed[x]) || (phase == CONFIRM && confirmed[x]))
#define SETTLED(x) (x == LIAR || down[x] || fault[x] != NONE || SPOKEN(x))

inline check() {
	i = 0;
	left = 0;
	do
	:: i < N ->
		if :: fault[i] == NONE -> left++ :: else fi;
		/* honest members are never taken for liars */
		assert(i == LIAR || (fault[i] != BAD && fault[i] != FALSE));
		i++
	:: else -> break
	od;
	if
	:: phase == DONE ->
		assert(left >= LEAST);
		i = 0;
		do
		:: i < N ->
			/* each key that a finished honest member holds is made of what all that count are committed to: so all agree */
			j = 0;
			do
			:: j < N ->
				assert(i == LIAR || fault[i] != NONE || fault[j] != NONE || (contributed[j] && (j != LIAR || !wrong[i])));
				j++
			:: else -> break
			od;
			i++
		:: else -> break
		od;
		/* the liar lacks a key: of a set in use, something that somebody who counts contributed */
		b = 0;
		lacks = 0;
		do
		:: b < N ->
			i = 0;
			do
			:: i < N ->
				if
#ifdef BUG_MOVED /* an excluded member's place is given up, and what was contributed used again for the sets that are left */
				:: (b != LIAR || fault[LIAR] == NONE) && i != LIAR && i != b && fault[i] == NONE && !known[i * N + b] -> lacks++
#else
				:: b == LIAR && i != LIAR && fault[i] == NONE && !known[i * N + b] -> lacks++
#endif
				:: else
				fi;
				i++
			:: else -> break
			od;
			b++
		:: else -> break
		od;
		assert(lacks > 0)
	:: else -> assert(phase == FAILED && left < LEAST)
	fi
}

active proctype chain() {
	atomic { run liar(); run honest(1); run honest(2); run honest(3) };
	do
	:: phase == DONE || phase == FAILED -> break
	:: else ->
		atomic {
			SETTLED(0) && SETTLED(1) && SETTLED(2) && SETTLED(3) ->
			i = 0;
			left = 0;
			do
			:: i < N ->
				if
				:: fault[i] == NONE && !SPOKEN(i) -> fault[i] = SILENT
				:: fault[i] == NONE && SPOKEN(i) -> left++
				:: else
				fi;
				i++
			:: else -> break
			od;
			if
			:: left < LEAST -> phase = FAILED
			:: left >= LEAST && phase == JOIN -> phase = CONTRIBUTE
			:: left >= LEAST && phase == CONTRIBUTE -> phase = CONFIRM
			:: left >= LEAST && phase == CONFIRM -> phase = DONE
			fi
		}
	od;
	atomic { check() }
}
