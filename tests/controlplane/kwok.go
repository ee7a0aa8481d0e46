package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
)

// kwok does nothing without stages; these are its own: nodes become Ready and stay it, pods run,
// jobs complete, and what is deleted goes, all at once.
func kwokStages() string {
	return strings.Join([]string{
		fast.DefaultNodeInit,
		heartbeat.DefaultNodeHeartbeatWithLease,
		// A kubelet tells the resources of what runs; of a node that does not, the API server thinks that it cannot resize.
		strings.Replace(podfast.DefaultPodReady, "        restartCount: 0\n", "        restartCount: 0\n        resources: {}\n", 1),
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
	}, "\n---\n")
}

// runKwok does what kwok's own main does: the stages come in by --config, which is read into the
// context before the command exists. It gets a plain context, because the command installs the
// signal handler and a second one panics.
func runKwok([]string) int {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := log.InitFlags(context.Background(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kwok: reading its configuration:", err)
		return 1
	}
	command := cmd.NewCommand(ctx)
	// Kubernetes registers a --version of its own for the whole program, and cobra would trip over it.
	command.Version = ""
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kwok:", err)
		return 1
	}
	return 0
}
