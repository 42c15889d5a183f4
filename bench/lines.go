package main

import "context"

// lines are all figures. Ratios are of CPU time, ours better if they are large
// but where the name says whose time is over whose.
func lines(rounds int) []line {
	against := func(name string, s scene) line {
		return line{"engine/" + name, "x", func(ctx context.Context) (figure, error) { return s.faster(ctx, rounds) }}
	}
	alone := func(f func(ctx context.Context) (float64, error)) func(ctx context.Context) (figure, error) {
		return func(ctx context.Context) (figure, error) { v, err := f(ctx); return figure{value: v}, err }
	}
	return []line{
		against("cw20_transfer_vs_wasmvm", transfer(cw20)),
		against("cw20_balance_vs_wasmvm", balance(cw20)),
		against("argon2_vs_wasmvm", argon2()),
		{"engine/upload_vs_wasmvm", "x", func(ctx context.Context) (figure, error) { return upload(ctx, cw20, rounds) }},
		{"engine/go_transfer_vs_wasmvm_rust", "x", func(ctx context.Context) (figure, error) { return transfer(goToken).slower(ctx, rounds) }},
		{"engine/metering_cw20", "%", alone(func(ctx context.Context) (float64, error) { return metering(ctx, "cw20") })},
		{"engine/metering_worst", "%", alone(func(ctx context.Context) (float64, error) { return metering(ctx, "worst") })},
		{"engine/idle_rust", "MB", alone(func(ctx context.Context) (float64, error) { return idle(ctx, transfer(cw20)) })},
		{"engine/idle_go", "MB", alone(func(ctx context.Context) (float64, error) { return idle(ctx, transfer(goToken)) })},
		{"engine/two_cores", "x", alone(func(ctx context.Context) (float64, error) { return twoCores(ctx, transfer(cw20), rounds) })},
	}
}
