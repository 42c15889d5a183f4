package contract

import "fmt"

//go:wasmexport interface_version_8
func interfaceVersion8() {}

//go:wasmexport requires_phala
func requiresPhala() {}

//go:wasmexport instantiate
func exportInstantiate(env, info, msg uint32) uint32 {
	return enter("instantiate", take(env), take(info), take(msg))
}

//go:wasmexport execute
func exportExecute(env, info, msg uint32) uint32 {
	return enter("execute", take(env), take(info), take(msg))
}

//go:wasmexport query
func exportQuery(env, msg uint32) uint32 {
	return enter("query", take(env), nil, take(msg))
}

//go:wasmexport migrate
func exportMigrate(env, msg uint32) uint32 {
	return enter("migrate", take(env), nil, take(msg))
}

//go:wasmexport sudo
func exportSudo(env, msg uint32) uint32 {
	return enter("sudo", take(env), nil, take(msg))
}

//go:wasmexport reply
func exportReply(env, msg uint32) uint32 {
	return enter("reply", take(env), nil, take(msg))
}

// enter runs the registered contract. A panic becomes an abort, which tells
// the caller what the program would have printed where nobody reads.
func enter(entry string, env, info, msg []byte) uint32 {
	defer func() {
		if why := recover(); why != nil {
			hostAbort(hold(fmt.Append(nil, "panic: ", why)))
		}
	}()
	if registered == nil {
		panic("contract: nothing was registered")
	}
	return hold(registered.Run(enclave{}, entry, env, info, msg))
}
