//! What stays when the operator, or all of the product, is removed.

use std::{fs, process::Command};

use acceptance::{ControlPlane, Helm, Operator, workspace};
use tokio::task::spawn_blocking;

use super::{INSTALL, chart};
use crate::cluster::Person;

/// Without the chart the tenants and what protects them stay, and a new installation takes all of it up again.
pub async fn removed_and_put_back(plane: &ControlPlane, helm: &Helm, admin: &Person) {
    let kept = [
        ("CustomResourceDefinition", "", "agencytenants.govcloud.io"),
        ("ValidatingAdmissionPolicy", "", "govcloud-tenants"),
        ("ValidatingAdmissionPolicyBinding", "", "govcloud-tenants"),
        ("ClusterRole", "", "govcloud:owner"),
        ("AgencyTenant", "", "charted"),
        ("HostedSystem", "charted", "web"),
        ("ResourceQuota", "charted--web", "govcloud-quota"),
        ("NetworkPolicy", "charted--web", "govcloud-isolation"),
    ];
    let mut uids = Vec::new();
    for (kind, namespace, name) in kept {
        uids.push(admin.get(kind, namespace, name).await["metadata"]["uid"].clone());
    }
    let told = foretold(plane).await;
    for line in [
        "  removes Deployment govcloud-system/govcloud-operator and what belongs to it",
        "with 1 agency tenants and 1 hosted systems",
        "    2 namespaces of agencies ",
    ] {
        assert!(told.iter().any(|told| told.contains(line)), "{line}: {told:#?}");
    }
    uninstalled(plane, helm, admin).await;
    let bound = async || admin.get("ClusterRoleBinding", "", "govcloud:audit-admin:members").await["subjects"].clone();
    assert_eq!(bound().await[0]["name"], "charted-checks");
    chart(plane, helm, &INSTALL).unwrap();
    assert!(bound().await.is_null(), "whom the new values do not name is left in");
    admin.get("Deployment", "govcloud-system", "govcloud-operator").await;
    for ((kind, namespace, name), uid) in kept.into_iter().zip(uids) {
        assert_eq!(admin.get(kind, namespace, name).await["metadata"]["uid"], uid, "{kind} {namespace}/{name}");
    }
}

async fn uninstalled(plane: &ControlPlane, helm: &Helm, admin: &Person) {
    helm.run(plane, &["uninstall", "govcloud", "--namespace", "govcloud-system", "--wait"]).unwrap_or_else(|error| panic!("{error:#}"));
    admin.gone("Deployment", "govcloud-system", "govcloud-operator").await;
}

/// What `govcloud uninstall --dry-run` says.
async fn foretold(plane: &ControlPlane) -> Vec<String> {
    let program = spawn_blocking(Operator::build).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let output = Command::new(program).args(["uninstall", "--dry-run"]).env("KUBECONFIG", plane.kubeconfig()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// By the three commands that `govcloud uninstall --dry-run` and operator/docs/operator.md name: then nothing of the product is left, and
/// what the agencies have in their namespaces stays.
pub async fn removed_altogether(plane: &ControlPlane, helm: &Helm, admin: &Person) {
    let told = foretold(plane).await;
    let commands = told.iter().skip_while(|line| !line.starts_with("All of it")).skip(1).take(3);
    let reference = fs::read_to_string(workspace().join("operator/docs/operator.md")).unwrap();
    for command in commands {
        assert!(reference.contains(command.trim()), "operator/docs/operator.md has no {command}");
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[0] {
            "kubectl" => {
                let output = plane.kubectl().args(&words[1..]).args(["--timeout", "60s"]).output().unwrap();
                assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
            }
            _ => drop(helm.run(plane, &[&words[1..], &["--wait"]].concat()).unwrap_or_else(|error| panic!("{error:#}"))),
        }
    }
    admin.gone("Deployment", "govcloud-system", "govcloud-operator").await;
    for kind in
        ["CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ClusterRole", "ClusterRoleBinding"]
    {
        let mut left = admin.names(kind, "").await;
        left.retain(|name| name.contains("govcloud"));
        assert_eq!(left, [""; 0], "{kind}");
    }
    for namespace in ["charted", "charted--web"] {
        assert!(told.contains(&format!("    namespace {namespace}")), "{told:#?}");
        admin.get("Namespace", "", namespace).await;
        admin.get("NetworkPolicy", namespace, "govcloud-isolation").await;
    }
}
