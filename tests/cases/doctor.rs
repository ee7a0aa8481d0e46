//! `govcloud doctor`: green where all is well, and for each thing that is broken by hand a line with what was seen and what to do. The
//! cases share a cluster of their own, one after the other, and each mends what it broke.

mod cluster;
mod product;

use std::{
    path::PathBuf,
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use acceptance::{ControlPlane, Operator, programs, request, workspace};
use serde_json::Value;
use tokio::{
    sync::{Mutex, MutexGuard},
    task::spawn_blocking,
    time::sleep,
};

use crate::cluster::{PATIENCE, Person, pod_yaml, system_yaml, tenant_yaml};

struct World {
    plane: ControlPlane,
    operator: Option<Operator>,
    program: PathBuf,
}

/// A finding of the report.
#[derive(Clone, Debug)]
struct Finding {
    check: String,
    verdict: String,
    message: String,
    cure: String,
}

async fn prepare() -> World {
    let plane = spawn_blocking(ControlPlane::start).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let client = plane.client().await.unwrap();
    programs::install(&client).await.unwrap();
    Operator::install(&plane).await.unwrap();
    request::appoint(&client).await.unwrap();
    let program = spawn_blocking(Operator::build).await.unwrap().unwrap();
    let operator = Operator::start_program(&plane, &program).await.unwrap();
    let admin = Person { client };
    admin.apply(&tenant_yaml("examined")).await;
    admin.tenant_ready("examined").await;
    admin.apply(&system_yaml("examined", "web")).await;
    admin.system_ready("examined", "web").await;
    admin.apply(&pod_yaml("examined--web", "web")).await;
    World { plane, operator: Some(operator), program }
}

/// The cluster, for one case at a time.
async fn world() -> (MutexGuard<'static, World>, Person) {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    crate::times::take();
    let get = || WORLD.get_or_init(|| Mutex::new(tokio::runtime::Runtime::new().unwrap().block_on(prepare())));
    let world = spawn_blocking(get).await.unwrap().lock().await;
    let admin = Person { client: world.plane.client().await.unwrap() };
    world.until_well("before this case").await;
    (world, admin)
}

impl World {
    /// Runs the command; what it printed and its exit code.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(&self.program);
        command.arg("doctor").args(arguments).env("KUBECONFIG", self.plane.kubeconfig());
        let output = command.output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    fn findings(&self, arguments: &[&str]) -> (Option<i32>, Vec<Finding>) {
        let (code, text) = self.run(&[arguments, &["--output", "json"]].concat());
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let read = |finding: &Value| Finding {
            check: field(finding, "check"),
            verdict: field(finding, "verdict"),
            message: field(finding, "message"),
            cure: field(finding, "cure"),
        };
        (code, report["findings"].as_array().unwrap().iter().map(read).collect())
    }

    /// Waits until all is well but for the network plugin, which such a cluster has not.
    async fn until_well(&self, when: &str) {
        let begun = Instant::now();
        loop {
            let (code, findings) = self.findings(&[]);
            let unwell: Vec<_> = findings.iter().filter(|found| found.verdict != "OK" && found.check != "NetworkPlugin").collect();
            if unwell.is_empty() {
                assert_eq!(code, Some(0));
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{when}: {unwell:#?}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until a finding says this, with a cure; a failure tells by the exit code.
    async fn until_told(&self, verdict: &str, check: &str, message: &str, cure: &str) -> Finding {
        let begun = Instant::now();
        loop {
            let (code, findings) = self.findings(&[]);
            let says = |found: &&Finding| found.check == check && found.verdict == verdict && found.message.contains(message);
            if let Some(found) = findings.iter().find(says) {
                assert!(found.cure.contains(cure), "{found:?}");
                assert!(verdict != "FAIL" || code == Some(1), "{code:?}");
                return found.clone();
            }
            let unwell: Vec<_> = findings.iter().filter(|found| found.verdict != "OK").collect();
            assert!(begun.elapsed() < PATIENCE, "{unwell:#?}");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Does what a cure says: its command of kubectl, in the checkout.
    async fn cure(&self, finding: &Finding) {
        let command = finding.cure.split_once("kubectl ").unwrap().1.split(", ").next().unwrap();
        let output = self.plane.kubectl().args(command.split(' ')).current_dir(workspace()).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        self.until_well(&finding.cure).await;
    }
}

#[tokio::test]
async fn all_is_well_and_told_line_by_line() {
    let (world, _admin) = world().await;
    world.until_well("at first").await;
    let (code, text) = world.run(&[]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "OK    Kubernetes     v1.",
        "OK    Policies       all 19 are there, as version ",
        "OK    Permissions    ServiceAccount govcloud-system/govcloud-operator may do all that the operator's roles say",
        "OK    DNS            name servers in namespace kube-system with labels k8s-app=kube-dns: 1",
        "OK    Quotas         the status of all 2 is what the pods add up to",
        "WARN  NetworkPlugin  no DaemonSet of a network plugin is known to enforce NetworkPolicies\n                     cure: ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn what_one_may_not_read_is_unknown() {
    let (world, _admin) = world().await;
    let (code, findings) = world.findings(&["--as", "nobody-special"]);
    assert_eq!(code, Some(2), "{findings:#?}");
    let of = |check: &str| findings.iter().find(|found| found.check == check).unwrap();
    assert_eq!(of("Kubernetes").verdict, "OK");
    for check in ["Definitions", "Policies", "Permissions", "Leader", "DNS", "Quotas", "Namespaces"] {
        let found = of(check);
        assert!(found.verdict == "WARN" && found.message.starts_with("unknown: ") && !found.cure.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_lets_nobody_in_is_not_examined() {
    let (world, _admin) = world().await;
    let kubeconfig = std::fs::read_to_string(world.plane.kubeconfig()).unwrap();
    let mut config: Value = serde_yaml::from_str(&kubeconfig).unwrap();
    let path = world.plane.directory().join("stranger.kubeconfig");
    let at = path.to_string_lossy().into_owned();
    config["users"][0]["user"] = serde_json::json!({"token": "secret-of-somebody"});
    std::fs::write(&path, config.to_string()).unwrap();
    let (code, text) = world.run(&["--kubeconfig", &at]);
    assert!(code == Some(2) && text.contains("Unauthorized"), "{code:?} {text}");
    std::fs::write(&path, "users:\n- name: c\n  user: {token: secret-of-somebody\n").unwrap();
    let (code, text) = world.run(&["--kubeconfig", &at]);
    assert!(code == Some(2) && text.contains("the kubeconfig is not valid") && !text.contains("secret"), "{code:?} {text}");
}
