// Command controlplane is etcd, the Kubernetes control plane, kwok and kubectl in one program:
// the first argument, or the name that it is called by, selects the component. It exists so that
// a machine with nothing but Go and Rust can run a real Kubernetes API server. `up` starts all of
// them; `with-parent` runs any other command so that it ends with its parent.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// What runs a component with the arguments after its name, and gives the exit code.
var components = map[string]func(args []string) int{
	"etcd":                    func(args []string) int { etcdmain.Main(append([]string{"etcd"}, args...)); return 0 },
	"kube-apiserver":          func([]string) int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func([]string) int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func([]string) int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kubectl":                 func([]string) int { return cli.Run(kubectl.NewDefaultKubectlCommand()) },
	"kwok":                    runKwok,
	"up":                      runUp,
	"with-parent":             runWithParent,
}

func main() {
	name := filepath.Base(os.Args[0])
	if len(os.Args) > 1 && components[os.Args[1]] != nil {
		name = os.Args[1]
		// The commands read os.Args themselves.
		os.Args = os.Args[1:]
	}
	run := components[name]
	if run == nil {
		fmt.Fprintf(os.Stderr, "unknown component %q: use etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok, kubectl, up or with-parent\n", name)
		os.Exit(2)
	}
	os.Exit(run(os.Args[1:]))
}
