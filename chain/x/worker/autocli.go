package worker

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
)

// AutoCLIOptions gives phalad its commands.
func (Module) AutoCLIOptions() *autocliv1.ModuleOptions {
	name := []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}, {ProtoField: "slot"}}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.worker.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Params", Use: "params", Short: "What a registration costs"},
				{RpcMethod: "Worker", Use: "worker [operator] [slot]", Short: "One TEE worker", PositionalArgs: name},
				{RpcMethod: "Workers", Use: "workers", Short: "All TEE workers, a page at a time"},
				{RpcMethod: "Evidence", Use: "evidence [operator] [slot]", Short: "The evidence a TEE worker was registered with", PositionalArgs: name},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.worker.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Register", Use: "register [endpoint] [evidence]", Short: "Register one boot of an enclave, in place of the boot before",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "endpoint"}, {ProtoField: "evidence"}}},
				{RpcMethod: "Unregister", Use: "unregister [slot]", Short: "Take a worker out and get its bond back",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "slot"}}},
			},
		},
	}
}
