/*
 * Kept parts of 2 of 4 old gatekeepers are split for a new set of 2 of 4, as docs/spec/keys.md has it. One old gatekeeper, LIAR,
 * sends each receiver what it likes or nothing, for each set apart; one other old one may crash between any two messages. New
 * member SPY is the liar's friend; two honest new members receive. Receivers are alike and do not speak with each other.
 *
 * Abstracted: shares of one set B for one receiver are one value, right or wrong. Everything else is exhaustive. A run with a name
 * of BUG_… defined is a design that was not chosen, and must violate.
 */
#define N 4
#define LIAR 0
#define SPY 3
#define MAJORITY 2 /* of the three holders of a part: (n-t)/2+1 */
#define RECEIVERS 2

byte right[8];   /* receiver*N+B: how many old holders have sent the right shares */
byte other[8];   /* … other shares; one liar alone cannot send more than one */
bool sent[12];   /* receiver*N+old: it has */
bool down[N];
bool crashed;
bool lied;
bool known[16];  /* B*N+B': liar and spy know that share */
byte finished;

proctype honest(byte me) {
	byte r, b, c;
	/* to the spy: shares of all B that it holds, for all B' that the spy is outside of */
	atomic {
		b = 0;
		do
		:: b < N ->
			c = 0;
			do
#ifdef BUG_ALL /* a receiver is sent all shares of a part */
			:: c < N -> if :: b != me -> known[b * N + c] = true :: else fi; c++
#else
			:: c < N -> if :: b != me && c != SPY -> known[b * N + c] = true :: else fi; c++
#endif
			:: else -> break
			od;
			b++
		:: else -> break
		od
	};
	r = 0;
	do
	:: r < RECEIVERS ->
		if
		:: atomic { !crashed -> crashed = true; down[me] = true }; goto gone
		:: true
		fi;
		atomic {
			b = 0;
			do
			:: b < N -> if :: b != me -> right[r * N + b]++ :: else fi; b++
			:: else -> break
			od;
			sent[r * N + me] = true
		};
		r++
	:: else -> break
	od;
gone:
	skip
}

proctype liar() {
	byte r, b;
	/* what it has kept it can split itself */
	atomic {
		b = 1;
		do
		:: b < N -> r = 0; do :: r < N -> known[b * N + r] = true; r++ :: else -> break od; b++
		:: else -> break
		od
	};
	r = 0;
	do
	:: r < RECEIVERS ->
		atomic {
			b = 1;
			do
			:: b < N ->
				if
				:: right[r * N + b]++
				:: other[r * N + b]++; lied = true
				:: lied = true /* nothing */
				fi;
				b++
			:: else -> break
			od;
			sent[r * N + LIAR] = true
		};
		r++
	:: else -> break
	od
}

#define HAS(b) (right[r * N + b] >= NEED || other[r * N + b] >= NEED)
#ifdef BUG_FIRST /* the first shares that come are taken */
#define NEED 1
#else
#define NEED MAJORITY
#endif
#define SILENT(x) (down[x] || sent[r * N + x])

proctype receiver(byte r) {
	byte b;
	if
	:: atomic { HAS(0) && HAS(1) && HAS(2) && HAS(3) ->
		b = 0;
		do
		:: b < N -> assert(other[r * N + b] < NEED); b++ /* what is taken is right: so all new holders agree, and on the old secret */
		:: else -> break
		od;
		finished++ }
	:: atomic { SILENT(0) && SILENT(1) && SILENT(2) && SILENT(3) && !(HAS(0) && HAS(1) && HAS(2) && HAS(3)) ->
		/* it ends with nothing only where somebody lied or fell silent, and another besides: then the caller tries t senders */
		assert(crashed && lied) }
	fi
}

active proctype network() {
	byte old, new;
	atomic { run liar(); run honest(1); run honest(2); run honest(3); run receiver(0); run receiver(1) };
	(_nr_pr == 1);
	assert(!known[LIAR * N + SPY]) /* liar and spy together lack a share of the part that the liar lacks */
}
