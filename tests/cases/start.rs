//! What keeps the operator from starting: it ends with exit code 1 and says why.

use std::{
    fs,
    process::{Output, Stdio},
    time::Duration,
};

use acceptance::Operator;
use axum::{Router, extract::Request, routing::get};
use serde_json::json;
use tokio::{net::TcpListener, process::Command, sync::mpsc, task::spawn_blocking, time::timeout};

use crate::cluster::PATIENCE;

/// `govcloud run` with a kubeconfig that names this server, and more arguments.
async fn operator(server: &str, arguments: &[&str]) -> (Command, tempfile::TempDir) {
    let program = spawn_blocking(|| Operator::build().unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "users": [{"name": "c", "user": {}}],
        "current-context": "c",
    });
    fs::write(&kubeconfig, content.to_string()).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--listen", "127.0.0.1:0"]).args(arguments).env("KUBECONFIG", kubeconfig);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    (command, folder)
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn settings_that_are_wrong_are_named_with_their_file_and_place() {
    let (mut command, folder) = operator("http://127.0.0.1:1", &[]).await;
    let file = folder.path().join("config.yaml");
    fs::write(&file, "ingressControllers:\n- {class: public, namespace: Edge}\n").unwrap();
    let output = timeout(PATIENCE, command.arg("--config").arg(&file).output()).await.unwrap().unwrap();
    let words = format!("{} is not a valid file of settings: ingressControllers[0]: 'Edge' is not the name of a namespace", file.display());
    assert!(matches!(told(&output), (Some(1), told) if told.contains(&words)), "{output:?}");

    let (mut command, _folder) = operator("http://127.0.0.1:1", &["--config", "/nowhere/config.yaml"]).await;
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(matches!(told(&output), (Some(1), told) if told.contains("reading /nowhere/config.yaml: No such file")), "{output:?}");
}

/// A server that tells a version and refuses everything else; what else it is asked for is sent on.
async fn server(minor: &'static str) -> (String, mpsc::UnboundedReceiver<String>) {
    let (asked, questions) = mpsc::unbounded_channel();
    let version = json!({
        "major": "1", "minor": minor, "gitVersion": format!("v1.{minor}.0"), "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": "",
    });
    let rest = async move |request: Request| {
        let _ = asked.send(request.uri().path().to_owned());
        axum::http::StatusCode::SERVICE_UNAVAILABLE
    };
    let app = Router::new().route("/version", get(async move || version.to_string())).fallback(rest);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), questions)
}

#[tokio::test]
async fn a_cluster_that_is_too_old_is_named() {
    let (old, mut questions) = server("33+").await;
    let (mut command, _folder) = operator(&old, &[]).await;
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let words = "this cluster runs Kubernetes 1.33; govcloud needs 1.34 or later";
    assert!(matches!(told(&output), (Some(1), told) if told.contains(words)), "{output:?}");
    assert!(questions.try_recv().is_err(), "it asks for more");

    let (supported, mut questions) = server("34").await;
    let (mut command, _folder) = operator(&supported, &[]).await;
    let mut running = command.spawn().unwrap();
    assert!(timeout(PATIENCE, questions.recv()).await.unwrap().is_some());
    assert!(timeout(Duration::from_millis(100), running.wait()).await.is_err(), "it has ended");
}
