package boot

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phala-go/phala/core/wire"
)

// machine is a fake kernel. Devices appear after a while.
type machine struct {
	files    map[string]string
	modules  map[string]error // what loading one gives
	broken   map[string]error // mounts that do not work
	disks    map[string][]byte
	after    time.Duration // when disks and ports appear
	slept    time.Duration
	done     []string
	told     bytes.Buffer
	refusing bool // nobody at the host's end of any port
}

func booted() *machine {
	disk, err := Config{wire.ROLE_EXECUTOR, []byte(`{"chain_id":"x"}`)}.Disk()
	if err != nil {
		panic(err)
	}
	return &machine{
		files: map[string]string{
			"/proc/cmdline": "console=ttyS0 lockdown=confidentiality\n", cmdlineFile: "console=ttyS0 lockdown=confidentiality",
			"/sys/class/virtio-ports/vport0p1/name": logPort + "\n", "/sys/class/virtio-ports/vport0p2/name": endpointPort + "\n",
			logs[0]: "a log",
		},
		modules: map[string]error{"000-configfs.ko": nil, "001-tdx_guest.ko": syscall.ENODEV, "002-virtio_blk.ko": nil},
		disks:   map[string][]byte{"vda": make([]byte, 4096), "vda1": nil, "vdb": disk},
	}
}

func (m *machine) mount(kind, target string) error {
	m.done = append(m.done, "mount "+kind)
	return m.broken[kind]
}

func (m *machine) readFile(p string) ([]byte, error) {
	if s, ok := m.files[p]; ok {
		return []byte(s), nil
	}
	return nil, fs.ErrNotExist
}

func (m *machine) list(dir string) (names []string, err error) {
	switch dir {
	case modulesDir:
		for n := range m.modules {
			names = append(names, n)
		}
	case "/sys/class/block":
		for n := range m.disks {
			if m.slept >= m.after {
				names = append(names, n)
			}
		}
	case "/sys/class/virtio-ports":
		for p := range m.files {
			if path.Dir(path.Dir(p)) == dir {
				names = append(names, path.Base(path.Dir(p)))
			}
		}
		if len(names) == 0 {
			return nil, fs.ErrNotExist
		}
	}
	return names, nil
}

func (m *machine) loadModule(p string) error {
	m.done = append(m.done, "load "+path.Base(p))
	return m.modules[path.Base(p)]
}

func (m *machine) open(device string) (io.ReadCloser, error) {
	b, ok := m.disks[path.Base(device)]
	if !ok || b == nil {
		return nil, syscall.ENOMEDIUM
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *machine) openPort(device string) (*Port, error) {
	return newPort(&fakeLine{hungUp: m.refusing, out: &m.told}, device), nil
}

func (m *machine) sleep(d time.Duration) { m.slept += d }

func bring(m *machine) (*Guest, string, error) {
	var log bytes.Buffer
	g, err := up(m, slog.New(slog.NewTextHandler(&log, nil)))
	return g, log.String(), err
}

func TestUp(t *testing.T) {
	m := booted()
	m.after = 3 * time.Second
	g, _, err := bring(m)
	if err != nil {
		t.Fatal(err)
	}
	if g.Role != wire.ROLE_EXECUTOR || string(g.Genesis) != `{"chain_id":"x"}` || g.Endpoint.Addr().String() != "/dev/vport0p2" {
		t.Errorf("%+v, endpoint %s", g.Config, g.Endpoint.Addr())
	}
	want := []string{
		"mount proc", "mount sysfs", "mount devtmpfs", "mount tmpfs", "load 000-configfs.ko", "load 001-tdx_guest.ko", "load 002-virtio_blk.ko",
		"mount configfs", "mount securityfs",
	}
	if !slices.Equal(m.done, want) {
		t.Errorf("done: %q", m.done)
	}
	if m.told.String() != "a log" {
		t.Errorf("the host was told %q", m.told.String())
	}
}

// What is missing ends the start with a word about it, after a while and never later; what is optional does not.
func TestUpWithout(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*machine)
		refuse string // empty: it comes up
		warn   string
	}{
		"a disk":              {func(m *machine) { m.disks = nil }, "no disk that holds the configuration", ""},
		"a disk in time":      {func(m *machine) { m.after = time.Minute }, "within 20s", ""},
		"a whole disk":        {func(m *machine) { m.disks["vdb"] = m.disks["vdb"][:50] }, "16 bytes, of which", ""},
		"ports":               {func(m *machine) { delete(m.files, "/sys/class/virtio-ports/vport0p2/name") }, endpointPort, ""},
		"any port":            {func(m *machine) { noPorts(m) }, endpointPort, ""},
		"proc":                {func(m *machine) { m.broken = map[string]error{"proc": syscall.EPERM} }, "mounting proc at /proc", ""},
		"configfs":            {func(m *machine) { m.broken = map[string]error{"configfs": syscall.ENODEV} }, "", "configfs"},
		"its own command":     {func(m *machine) { m.files["/proc/cmdline"] += " lockdown=none" }, "start the image's disk as it is", ""},
		"a command line":      {func(m *machine) { delete(m.files, cmdlineFile) }, "reading the image's command line", ""},
		"a module's good":     {func(m *machine) { m.modules["002-virtio_blk.ko"] = syscall.EKEYREJECTED }, "", "002-virtio_blk.ko"},
		"a log":               {func(m *machine) { delete(m.files, logs[0]) }, "", "the kernel has none"},
		"a reader of the log": {func(m *machine) { m.refusing = true }, "", errHungUp.Error()},
	} {
		m := booted()
		c.change(m)
		g, log, err := bring(m)
		switch {
		case c.refuse == "" && (err != nil || g == nil):
			t.Errorf("without %s: %v", name, err)
		case c.refuse != "" && (err == nil || !strings.Contains(err.Error(), c.refuse)):
			t.Errorf("without %s: %v, want %q", name, err, c.refuse)
		case !strings.Contains(log, c.warn):
			t.Errorf("without %s: log %q, want %q", name, log, c.warn)
		case m.slept > patience:
			t.Errorf("without %s: waited for %s", name, m.slept)
		}
	}
}

func noPorts(m *machine) {
	for p := range m.files {
		if strings.HasPrefix(p, "/sys/class/virtio-ports/") {
			delete(m.files, p)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, role := range []wire.Role{wire.ROLE_EXECUTOR, wire.ROLE_GATEKEEPER} {
		for _, size := range []int{1, sector - headSize, sector - headSize + 1, 100_000} {
			c := Config{role, bytes.Repeat([]byte{7}, size)}
			disk, err := c.Disk()
			if err != nil || len(disk)%sector != 0 || len(disk)-size-headSize >= sector {
				t.Fatalf("%d bytes: a disk of %d, %v", size, len(disk), err)
			}
			got, err := parseConfig(bytes.NewReader(append(disk, 1, 2, 3)))
			if err != nil || got.Role != role || !bytes.Equal(got.Genesis, c.Genesis) {
				t.Errorf("%s, %d bytes: %v", role, size, err)
			}
		}
	}
	for _, c := range []Config{{}, {wire.ROLE_EXECUTOR, nil}, {0, []byte{1}}, {3, []byte{1}}} {
		if _, err := c.Disk(); err == nil {
			t.Errorf("role %d, %d bytes: a disk was made", c.Role, len(c.Genesis))
		}
	}
}

func TestConfigRefused(t *testing.T) {
	good, err := Config{wire.ROLE_EXECUTOR, []byte("genesis")}.Disk()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at   int
		to   string
		want string
	}{
		"magic":          {0, "P", "does not begin"},
		"version":        {len(magic) - 12, "2", "does not begin"},
		"role":           {len(magic), "\x00\x00\x00\x09", "role 9"},
		"negative role":  {len(magic), "\xff\xff\xff\xff", "role -1"},
		"no genesis":     {len(magic) + 4, "\x00\x00\x00\x00", "genesis of 0 bytes"},
		"cut off":        {len(magic) + 4, "\x00\x00\x02\x00", "of which 472 are there"},
		"much too large": {len(magic) + 4, "\xff\xff\xff\xff", "genesis of 4294967295 bytes"},
	} {
		bad := bytes.Clone(good)
		copy(bad[c.at:], c.to)
		if _, err := parseConfig(bytes.NewReader(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, n := range []int{0, headSize - 1} {
		if _, err := parseConfig(bytes.NewReader(good[:n])); err == nil {
			t.Errorf("%d bytes were read", n)
		}
	}
	if _, err := parseConfig(io.MultiReader(bytes.NewReader(good[:headSize]), errReader{})); !errors.Is(err, syscall.EIO) {
		t.Errorf("a broken disk: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, syscall.EIO }
