package engine

import "github.com/tetratelabs/wazero/api"

// Errors of WASI's, as it numbers them.
const (
	wasiBadFile     = 8
	wasiFault       = 21
	wasiUnsupported = 52
)

// wasiModule is as much of wasi_snapshot_preview1 as the Go runtime wants to
// start: no files, no arguments, no environment, a clock that stands at block
// time, randomness that is a function of the code, output that goes nowhere.
func wasiModule() hostModule {
	errno := i32s(1)
	funcs := map[string]hostFunc{
		"args_sizes_get":    {i32s(2), errno, wasiNone},
		"args_get":          {i32s(2), errno, wasiSuccess},
		"environ_sizes_get": {i32s(2), errno, wasiNone},
		"environ_get":       {i32s(2), errno, wasiSuccess},
		"clock_time_get":    {[]api.ValueType{i32, i64, i32}, errno, wasiClock},
		"random_get":        {i32s(2), errno, wasiRandom},
		"fd_write":          {i32s(4), errno, wasiWrite},
		"sched_yield":       {nil, errno, wasiSuccess},
		"proc_exit":         {i32s(1), nil, wasiExit},
		"poll_oneoff":       {i32s(4), errno, wasiAnswer(wasiUnsupported)},
	}
	for name, params := range map[string][]api.ValueType{
		"fd_close":              i32s(1),
		"fd_fdstat_get":         i32s(2),
		"fd_fdstat_set_flags":   i32s(2),
		"fd_filestat_get":       i32s(2),
		"fd_pread":              {i32, i32, i32, i64, i32},
		"fd_prestat_get":        i32s(2),
		"fd_prestat_dir_name":   i32s(3),
		"fd_pwrite":             {i32, i32, i32, i64, i32},
		"fd_read":               i32s(4),
		"fd_readdir":            {i32, i32, i32, i64, i32},
		"fd_seek":               {i32, i64, i32, i32},
		"fd_sync":               i32s(1),
		"path_create_directory": i32s(3),
		"path_filestat_get":     i32s(5),
		"path_open":             {i32, i32, i32, i32, i32, i64, i64, i32, i32},
		"path_readlink":         i32s(6),
		"path_remove_directory": i32s(3),
		"path_unlink_file":      i32s(3),
	} {
		funcs[name] = hostFunc{params, errno, wasiAnswer(wasiBadFile)}
	}
	return hostModule{name: "wasi_snapshot_preview1", funcs: funcs}
}

func wasiAnswer(errno uint64) func(*frame, args) (uint64, error) {
	return func(*frame, args) (uint64, error) { return errno, nil }
}

func wasiSuccess(*frame, args) (uint64, error) { return 0, nil }

// wasiNone says that a list is empty: no entries, no bytes.
func wasiNone(f *frame, a args) (uint64, error) {
	mem := f.instance.Memory()
	if !mem.WriteUint32Le(a.ptr(0), 0) || !mem.WriteUint32Le(a.ptr(1), 0) {
		return wasiFault, nil
	}
	return 0, nil
}

func wasiClock(f *frame, a args) (uint64, error) {
	if !f.instance.Memory().WriteUint64Le(a.ptr(2), f.clock) {
		return wasiFault, nil
	}
	return 0, nil
}

func wasiRandom(f *frame, a args) (uint64, error) {
	buf, ok := f.instance.Memory().Read(a.ptr(0), a.ptr(1))
	if !ok {
		return wasiFault, nil
	}
	if err := f.copied(len(buf)); err != nil {
		return 0, err
	}
	_, _ = f.dice().Read(buf)
	return 0, nil
}

// wasiWrite swallows output: it may be about secrets.
func wasiWrite(f *frame, a args) (uint64, error) {
	mem, list, count := f.instance.Memory(), a.ptr(1), a.ptr(2)
	if uint64(list)+8*uint64(count) > uint64(mem.Size()) {
		return wasiFault, nil
	}
	if err := f.copied(8 * int(count)); err != nil {
		return 0, err
	}
	var n uint32
	for i := range count {
		length, _ := mem.ReadUint32Le(list + 8*i + 4)
		n += length
	}
	if !mem.WriteUint32Le(a.ptr(3), n) {
		return wasiFault, nil
	}
	return 0, nil
}

func wasiExit(_ *frame, a args) (uint64, error) {
	return 0, fault("the program exited with code %d", a.ptr(0))
}
