//! `cargo real-node`: the operator on a real node.

use std::{env, path::PathBuf, process::ExitCode};

use acceptance::real_node;
use tokio::signal::unix::{SignalKind, signal};

const VARIABLE: &str = "GOVCLOUD_NODE";
const HOW: &str = r#"skipped: GOVCLOUD_NODE names no program that brings a node up. It has three commands:
  up            starts a fresh cluster of one node, whose network plugin enforces NetworkPolicies; the last line that it prints is the
                path of the kubeconfig
  exec -- CMD   runs a command on the node, with its standard input; `ctr` reaches the containerd of kubelet
  down          removes the cluster
With kind, Docker and the Cilium command, for example:
  #!/bin/sh -e
  case $1 in
  up)   printf 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnetworking: {disableDefaultCNI: true}\n' |
          kind create cluster --name govcloud --config - --kubeconfig /tmp/govcloud-node >&2
        KUBECONFIG=/tmp/govcloud-node cilium install --wait >&2
        echo /tmp/govcloud-node ;;
  exec) shift 2; exec docker exec -i govcloud-control-plane "$@" ;;
  down) kind delete cluster --name govcloud ;;
  esac"#;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(program) = env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        println!("{HOW}");
        return ExitCode::SUCCESS;
    };
    let steps = tokio::task::spawn_blocking({
        let program = program.clone();
        move || real_node::run(&program)
    });
    let taken = tokio::select! {
        taken = steps => taken.map_err(anyhow::Error::from).flatten(),
        interrupted = interrupted() => interrupted.and_then(|()| real_node::down(&program)).and_then(|()| anyhow::bail!("interrupted")),
    };
    let Err(error) = taken else { return ExitCode::SUCCESS };
    eprintln!("error: {error:#}");
    // The steps may still be waiting for something that has gone.
    std::process::exit(1)
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
