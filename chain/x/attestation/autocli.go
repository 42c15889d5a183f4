package attestation

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
)

// AutoCLIOptions gives phalad its commands.
func (Module) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.attestation.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Network", Use: "network", Short: "What the genesis says about the network"},
				{RpcMethod: "Policy", Use: "policy [role]", Short: "Which programs may serve in a role", PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "role"}}},
				{RpcMethod: "Collateral", Use: "collateral [hash]", Short: "Bytes that the evidence of many workers shares", PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "hash"}}},
				{RpcMethod: "Nonce", Use: "nonce", Short: "The newest block hash that evidence may name"},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "phala.attestation.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "StoreCollateral", Use: "store-collateral [item]...", Short: "Keep bytes that the evidence of many workers shares", PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "items", Varargs: true}}},
				{RpcMethod: "UpdatePolicy", Use: "update-policy-proposal [policy]", Short: "Propose another policy of a role", PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "policy"}}, GovProposal: true},
			},
		},
	}
}
