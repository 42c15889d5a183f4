package badinput

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/core/light"
	"github.com/phala-go/phala/core/storekey"
	"github.com/phala-go/phala/core/wire"
)

// random makes messages that are well formed and senseless: any field may be missing, and what is there is of a size that
// something may take for right.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0))} }

func (r random) bytes() []byte {
	b := make([]byte, []int{0, 0, 1, 12, 32, 33, 64, 272, 1040, 1120, 1216}[r.IntN(11)])
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if len(b) == 33 {
		b[0] = 1 // a root
	}
	return b
}

func (r random) number() uint64 {
	return []uint64{0, 1, 1, 2, 3, 255, 1 << 31, 1 << 62, 1<<64 - 1, r.Uint64()}[r.IntN(10)]
}

// fill draws every field of a message.
func (r random) fill(m any, depth int) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Interface:
			all := m.(interface{ XXX_OneofWrappers() []any }).XXX_OneofWrappers()
			if k := r.IntN(len(all) + 1); k < len(all) && v.Type().Field(i).Tag.Get("protobuf_oneof") != "" {
				w := reflect.New(reflect.TypeOf(all[k]).Elem())
				if w.Type().AssignableTo(f.Type()) {
					r.value(w.Elem().Field(0), depth, true)
					f.Set(w)
				}
			}
		default:
			r.value(f, depth, false)
		}
	}
}

func (r random) value(f reflect.Value, depth int, whole bool) {
	switch f.Kind() {
	case reflect.Uint32, reflect.Uint64:
		f.SetUint(r.number() & (1<<(f.Type().Bits()-1)<<1 - 1))
	case reflect.Int32:
		f.SetInt(int64(int32(r.number())))
	case reflect.Bool:
		f.SetBool(r.IntN(2) == 1)
	case reflect.String:
		f.SetString([]string{"", "x", "phala-dev-1", "1", "-1", "pha1"}[r.IntN(6)])
	case reflect.Pointer:
		if !whole && (depth > 4 || r.IntN(3) == 0) {
			return
		}
		p := reflect.New(f.Type().Elem())
		r.fill(p.Interface(), depth+1)
		f.Set(p)
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Uint8 {
			f.SetBytes(r.bytes())
			return
		}
		n := r.IntN(3)
		if depth > 4 {
			n = 0
		}
		s := reflect.MakeSlice(f.Type(), n, n)
		for i := range n {
			r.value(s.Index(i), depth, true)
		}
		f.Set(s)
	}
}

// door is a connection to an enclave.
type door struct {
	t *testing.T
	net.Conn
	last uint64
}

func openDoor(t *testing.T, path string) *door {
	t.Helper()
	c, err := net.Dial("unix", path)
	check(t, err)
	return &door{t: t, Conn: c}
}

func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// say sends a frame and reads what is said to it, to the Done.
func (d *door) say(b []byte) []*wire.Out {
	d.t.Helper()
	check(d.t, d.SetDeadline(time.Now().Add(30*time.Second)))
	_, err := d.Write(frame(b))
	check(d.t, err)
	var all []*wire.Out
	for {
		var head [4]byte
		if _, err := io.ReadFull(d, head[:]); err != nil {
			d.t.Fatalf("the enclave does not answer %.200x: %v", b, err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:]))
		_, err := io.ReadFull(d, body)
		check(d.t, err)
		out := &wire.Out{}
		check(d.t, wire.Unmarshal(body, out))
		all = append(all, out)
		if out.GetDone() != nil {
			return all
		}
	}
}

func (d *door) in(in *wire.In) []*wire.Out {
	d.t.Helper()
	d.last++
	in.Id = d.last
	return d.say(wire.Marshal(in))
}

func (d *door) alive() {
	d.t.Helper()
	for _, o := range d.in(&wire.In{Body: &wire.In_Hello{Hello: &wire.Hello{}}}) {
		if o.GetIdentity() != nil {
			return
		}
	}
	d.t.Fatal("the enclave does not say who it is")
}

// garbage is what everybody may throw at an enclave. It answers each frame, and serves on.
func (w *world) garbage(socket string) {
	r := newRandom(3)
	for name, raw := range map[string][]byte{
		"random bytes":           func() []byte { b := make([]byte, 70_000); _, _ = rand.NewChaCha8([32]byte{1}).Read(b); return b }(),
		"a huge frame announced": {0xff, 0xff, 0xff, 0xff, 1, 2, 3},
		"one byte too many":      {1, 0, 0, 1},
		"half a frame":           append([]byte{0, 0, 1, 0}, make([]byte, 100)...),
		"half a length":          {0, 0},
		"nothing":                nil,
	} {
		w.row(name, func(w *world) {
			d := openDoor(w.t, socket)
			_, _ = d.Write(raw) // it may hang up in the middle
			d.Close()
			d = openDoor(w.t, socket)
			defer d.Close()
			d.alive()
		})
	}
	d := openDoor(w.t, socket)
	defer d.Close()
	d.t = w.t
	// Frames that hold what is no In; the connection goes on.
	for range 300 {
		b := r.bytes()
		outs := d.say(b)
		if f := outs[0].GetFailure(); len(outs) != 2 || f == nil || f.Code != "malformed" || f.Next == "" {
			w.t.Fatalf("%x is answered by %v", b, outs)
		}
	}
	d.say(make([]byte, 16<<20))
	d.alive()

	// Each In with nothing in it, and then with anything.
	for _, wrapper := range (*wire.In)(nil).XXX_OneofWrappers() {
		body := reflect.New(reflect.TypeOf(wrapper).Elem())
		body.Elem().Field(0).Set(reflect.New(body.Elem().Field(0).Type().Elem()))
		in := &wire.In{}
		reflect.ValueOf(in).Elem().FieldByName("Body").Set(body)
		d.in(in)
		for range 300 {
			in := &wire.In{}
			body := reflect.New(reflect.TypeOf(wrapper).Elem())
			r.value(body.Elem().Field(0), 0, true)
			reflect.ValueOf(in).Elem().FieldByName("Body").Set(body)
			d.in(in)
		}
	}
	d.alive()

	// Real headers and real proofs, each spoiled in one place.
	height := uint64(1)
	for ; height < 6; height++ {
		lb, err := w.alice.Node.LightBlock(w.ctx, height)
		check(w.t, err)
		good, err := light.Encode(lb)
		check(w.t, err)
		for range 40 {
			d.in(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{spoil(r, good)}}}})
		}
		d.in(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{good}}}})
	}
	for _, k := range []*wire.StoreKey{
		{Store: storekey.Cluster, Key: storekey.ClusterKey(1)},
		{Store: storekey.Gatekeeper, Key: storekey.GatekeeperSetKey()},
	} {
		good, err := w.alice.Node.Value(w.ctx, 5, k)
		check(w.t, err)
		for range 150 {
			v := *good
			for _, part := range []*[]byte{&v.Value, &v.IavlProof, &v.StoreProof} {
				if r.IntN(2) == 0 && len(*part) > 0 {
					*part = spoil(r, *part)
				}
			}
			d.in(&wire.In{Body: &wire.In_StoreValues{StoreValues: &wire.StoreValues{Height: 5, Values: []*wire.StoreValue{&v}}}})
		}
	}
	huge := make([][]byte, 100_000)
	d.in(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: huge}}})
	d.in(&wire.In{Body: &wire.In_LightBlocks{LightBlocks: &wire.LightBlocks{Blocks: [][]byte{make([]byte, 15<<20)}}}})
	d.alive()
}

// spoil changes, cuts or repeats some bytes.
func spoil(r random, b []byte) []byte {
	out := append([]byte(nil), b...)
	for range 1 + r.IntN(3) {
		if len(out) == 0 {
			break
		}
		i := r.IntN(len(out))
		switch r.IntN(4) {
		case 0:
			out[i] ^= 1 << r.IntN(8)
		case 1:
			out[i] = byte(r.Uint32())
		case 2:
			out = append(out[:i], out[i+r.IntN(len(out)-i):]...)
		case 3:
			out = append(out[:i:i], out[max(0, i-r.IntN(20)):]...)
		}
	}
	return out
}

// endpoint: a member's enclave with all its state, while its own offchaind stands still; then enclaves that know nothing yet.
func (w *world) endpoint() {
	s := w.side
	check(w.t, syscall.Kill(s.offchaind.Process.Pid, syscall.SIGSTOP))
	w.garbage(s.socket())
	check(w.t, syscall.Kill(s.offchaind.Process.Pid, syscall.SIGCONT))
	if s.pruntime.ProcessState != nil || syscall.Kill(s.pruntime.Process.Pid, 0) != nil {
		w.t.Fatal("the enclave has ended")
	}
	w.waitServing()
	w.good(2, w.echo2)
	for _, role := range []string{"gatekeeper", "executor"} {
		w.row("a new "+role, func(w *world) {
			socket := filepath.Join(s.dir, role+".sock")
			p := s.run(w.t, role, exec.Command(filepath.Join(bin, "pruntime"), "--home", s.dir, "--genesis", s.genesis, "--role", role, "--tee", "simulated", "--listen", socket))
			defer kill(p)
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				c, err := net.Dial("unix", socket)
				if err == nil {
					c.Close()
					break
				}
				if time.Now().After(end) {
					w.t.Fatal(err)
				}
			}
			w.garbage(socket)
		})
	}
}
