package devnet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one program under supervision.
type process struct {
	name string
	log  string // path
	cmd  *exec.Cmd
	done chan struct{}
	err  error // after done

	mu       sync.Mutex
	expected bool // we asked it to end
}

// Died says which program ended by itself, and what it said last.
type Died struct {
	Program string
	Status  string
	LogFile string
	Tail    string
}

// Error shows the last lines of the log.
func (d *Died) Error() string {
	s := fmt.Sprintf("%s ended by itself (%s)", d.Program, d.Status)
	if d.Tail != "" {
		s += "; its last lines:\n" + d.Tail
	}
	return s + "\nthe whole log: " + d.LogFile
}

// starter starts programs from one thread that lives as long as the network: Linux ties a child's death signal to the thread
// that made it.
type starter struct {
	ask  chan func()
	quit chan struct{}
}

func newStarter() *starter {
	s := &starter{make(chan func()), make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		for {
			select {
			case f := <-s.ask:
				f()
			case <-s.quit:
				return
			}
		}
	}()
	return s
}

func (s *starter) start(name, logDir, bin string, env []string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(logDir, name+".log"), done: make(chan struct{})}
	f, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer f.Close()
	p.cmd = exec.Command(bin, args...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = sysProcAttr()
	errc := make(chan error)
	s.ask <- func() { errc <- p.cmd.Start() }
	if err := <-errc; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// signal asks the program to end.
func (p *process) signal(sig os.Signal) {
	p.mu.Lock()
	p.expected = true
	p.mu.Unlock()
	_ = p.cmd.Process.Signal(sig)
}

func (p *process) wasAsked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expected
}

// died describes an end that nobody asked for.
func (p *process) died() *Died {
	return &Died{Program: p.name, Status: p.cmd.ProcessState.String(), LogFile: p.log, Tail: tail(p.log, 12)}
}

// stop ends processes: asked first, killed after the grace.
func stop(ps []*process, grace time.Duration) {
	for _, p := range ps {
		p.signal(syscall.SIGTERM)
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, p := range ps {
		select {
		case <-p.done:
		case <-ctx.Done():
			p.signal(syscall.SIGKILL)
			<-p.done
		}
	}
}

// tail is the last n lines of a file, looking at its last 16 KiB.
func tail(path string, n int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const window = 16 << 10
	if st, err := f.Stat(); err == nil && st.Size() > window {
		_, _ = f.Seek(-window, 2)
	}
	var b bytes.Buffer
	_, _ = b.ReadFrom(f)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
