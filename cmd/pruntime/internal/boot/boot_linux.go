package boot

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// First says whether this program is the first process of an initramfs.
func First() bool { return os.Getpid() == 1 && len(os.Args) > 0 && os.Args[0] == initName }

// Up brings the machine up, once, from the first process.
func Up(log *slog.Logger) (*Guest, error) { return up(linux{}, log) }

// Off switches the machine off; there is nothing to be saved. If the kernel does not, the first process must not end all the same,
// since that would be a panic of the kernel.
func Off() {
	for {
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		time.Sleep(time.Second)
	}
}

type linux struct{}

func (linux) mount(kind, target string) error {
	err := unix.Mount(kind, target, kind, unix.MS_NOSUID|unix.MS_NOEXEC, "")
	if errors.Is(err, unix.EBUSY) { // it is there already
		return nil
	}
	return err
}

func (linux) readFile(path string) ([]byte, error) { return os.ReadFile(path) }
func (linux) sleep(d time.Duration)                { time.Sleep(d) }

func (linux) list(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (linux) loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

func (linux) open(device string) (io.ReadCloser, error) { return os.Open(device) }

func (linux) openPort(device string) (*Port, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return newPort(serial(fd), device), nil
}

// serial is a port as the kernel's driver gives it. Go's own poller waits for changes, and that a host has hung up is a state.
type serial int

func (s serial) poll(write bool) (ready, hungUp bool, err error) {
	p := []unix.PollFd{{Fd: int32(s), Events: unix.POLLIN}}
	if write {
		p[0].Events = unix.POLLOUT
	}
	if _, err := unix.Poll(p, int(pause.Milliseconds())); err != nil && !again(err) {
		return false, false, fmt.Errorf("waiting for the host: %w", err)
	}
	if p[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0 {
		return false, false, errors.New("waiting for the host: the port is gone")
	}
	return p[0].Revents&p[0].Events != 0, p[0].Revents&unix.POLLHUP != 0, nil
}

func (s serial) Read(b []byte) (int, error)  { return unix.Read(int(s), b) }
func (s serial) Write(b []byte) (int, error) { return unix.Write(int(s), b) }
