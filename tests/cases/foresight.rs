//! `kubectl govcloud plan`: says what applying files would change, is right in that, and writes nothing.

use acceptance::{Operator, request::plugin_as};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{
    cluster::{Person, admin, pod_yaml, shared, system_yaml, tenant_yaml},
    strangers::versions,
};

/// Runs `plan` on a folder with this file in it; its exit code and what it printed.
async fn plan(user: &'static str, group: &'static str, yaml: &str) -> (i32, String) {
    let yaml = yaml.to_owned();
    spawn_blocking(move || {
        let program = Operator::build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("all.yaml"), yaml).unwrap();
        std::fs::write(folder.path().join("README.md"), "not read").unwrap();
        plugin_as(&shared().plane, &program, user, group, &["plan", "-f", folder.path().to_str().unwrap()]).unwrap()
    })
    .await
    .unwrap()
}

fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found.trim_start().starts_with(line)), "`{line}` is not in\n{text}");
    }
}

/// Versions of the two kinds and of all that is in the namespaces.
async fn everything(admin: &Person, tenant: &str, system: &str) -> (Vec<String>, Vec<Value>) {
    let children = versions(admin, &[tenant, &format!("{tenant}--{system}")]).await;
    let objects = [admin.get("AgencyTenant", "", tenant).await, admin.get("HostedSystem", tenant, system).await];
    (children, objects.map(|object| object["metadata"]["resourceVersion"].clone()).to_vec())
}

#[tokio::test]
async fn a_plan_says_what_comes_of_files_and_writes_nothing() {
    let admin = admin().await;
    admin.tenant_with_systems("planned", &["web"]).await;
    admin.apply(&pod_yaml("planned--web", "running")).await;
    admin
        .until("the pod counts", "ResourceQuota", "planned--web", "govcloud-quota", |quota| {
            quota.is_some_and(|quota| quota["status"]["used"]["pods"] == "1")
        })
        .await;
    let (root, masters) = ("planner", "system:masters");
    let as_it_is = format!("{}---{}", tenant_yaml("planned"), system_yaml("planned", "web"));
    assert_eq!(plan(root, masters, &as_it_is).await, (0, String::new()));

    let before = everything(&admin, "planned", "web").await;
    let changed = as_it_is
        .replace("registry.example.gov.cn/base]", "registry.example.gov.cn/new]")
        .replace("requests.cpu: '8'", "requests.cpu: '12'");
    let more = format!(
        "{changed}---{}---\n{{apiVersion: v1, kind: Secret, metadata: {{name: other}}}}\n",
        system_yaml("planned", "more").replace("requests.cpu: '8'", "requests.cpu: '30'")
    );
    let (code, text) = plan(root, masters, &more).await;
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &[
            "secret/other is ignored",
            "images.registries: registry.example.gov.cn/base is removed",
            "not needed, because spec.preapproved is true",
            "spec.resources.guaranteed.requests.cpu: 8 becomes 12",
            "namespace/planned--more is created",
            "networkpolicy/govcloud-isolation in namespace planned--more is created",
            "resourcequota/govcloud-quota in namespace planned--web is changed",
            "spec.hard.requests.cpu: 8 becomes 12",
            "requests.cpu: 12 of 40 handed out, 28 free (now 8)",
            "hostedsystem/web fits: ",
            "hostedsystem/more waits: ",
            "namespace planned--web: pod running: rule images: spec.containers[main].image: \"registry.example.gov.cn/base/web:1\"",
        ],
    );
    assert!(text.contains("requests.cpu: 30 wanted, 28 free"), "{text}");
    assert_eq!(everything(&admin, "planned", "web").await, before, "a plan writes nothing");
    assert!(admin.look("HostedSystem", "planned", "more").await.is_none());

    // What was foreseen is what comes.
    admin.apply(&changed).await;
    admin
        .until("the share is raised", "ResourceQuota", "planned--web", "govcloud-quota", |quota| {
            quota.is_some_and(|quota| quota["status"]["hard"]["requests.cpu"] == "12")
        })
        .await;
    let (code, text) = plan(root, masters, &changed).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn a_plan_of_a_new_agency_and_of_a_wrong_one() {
    let (root, masters) = ("founder", "system:masters");
    let new = tenant_yaml("foreseen").replace("  preapproved: true\n", "") + "---" + &system_yaml("foreseen", "web");
    let (code, text) = plan(root, masters, &new).await;
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &[
            "agencytenant/foreseen is created",
            "hostedsystem/web in namespace foreseen is created",
            "namespaces \"foreseen\" not found, so the API server checked the schema, but not the policies",
            "needed, by somebody who holds the verb approve on agencytenants",
            "namespace/foreseen is created",
            "rolebinding/govcloud-owner in namespace foreseen--web is created",
            "requests.cpu: 8 of 40 handed out, 32 free (now 0)",
        ],
    );
    let (code, text) = plan(root, masters, &new.replace("limits.cpu: '80'", "limits.cpu: '8'")).await;
    assert_eq!(code, 2, "{text}");
    says(&text, &["agencytenant/foreseen is refused: "]);
    assert!(admin().await.look("AgencyTenant", "", "foreseen").await.is_none());
}

/// What `kubectl apply` has of a tenant, with annotations of others beside kubectl's own.
#[tokio::test]
async fn exit_codes_are_those_of_kubectl_diff() {
    let admin = admin().await;
    let (root, masters) = ("differ", "system:masters");
    let yaml = tenant_yaml("diffed");
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), &yaml).unwrap();
    let file = file.path().to_str().unwrap();
    shared().kubectl(&["apply", "-f", file]);
    admin.tenant_ready("diffed").await;
    admin.patch("AgencyTenant", "", "diffed", json!({"metadata": {"annotations": {"example.com/by": "others"}}})).await;
    assert_eq!(shared().kubectl(&["diff", "-f", file]), "");
    assert_eq!(plan(root, masters, &yaml).await, (0, String::new()));
    let labelled = yaml.replace("{name: diffed}", "{name: diffed, labels: {tier: gold}}");
    let (code, text) = plan(root, masters, &labelled).await;
    assert_eq!((code, text.as_str()), (1, "agencytenant/diffed changes\n  Fields:\n    metadata.labels.tier: gold\n"));

    // The API server's own words, then the operator's.
    let new = |name: &str| tenant_yaml(name) + "---" + &system_yaml(name, "web");
    let egress = "  network: {egress: [{cidr: 10.96.0.0/16, ports: [443], reason: 省级平台}]}\n";
    for (yaml, words) in [
        (new("diff-stage").replace("stage: Running", "stage: Runing"), "hostedsystem/web in namespace diff-stage is refused: "),
        (new("diff-name").replace("name: web", "name: kube--web"), "hostedsystem/kube--web in namespace diff-name is "),
        (new("diff-quota").replace("limits.cpu: '80'", "limits.cpu: '8'"), "agencytenant/diff-quota is refused: "),
        (
            tenant_yaml("diff-domain").replace("diff-domain.example", "diffed.example"),
            "agencytenant/diff-domain is not valid: spec.domains[diffed.",
        ),
        (tenant_yaml("diff-egress") + egress, "agencytenant/diff-egress is not valid: spec.network.egress[10.96.0.0/16].cidr: "),
        (system_yaml("default", "stray"), "hostedsystem/stray in namespace default is not valid: metadata.namespace: "),
        (system_yaml("diff-nowhere", "stray"), "hostedsystem/stray in namespace diff-nowhere is not valid: metadata.namespace: "),
    ] {
        let (code, text) = plan(root, masters, &yaml).await;
        assert_eq!(code, 2, "{text}");
        says(&text, &[words]);
        assert!(!text.contains("kubectl govcloud approve") || !words.starts_with("agencytenant"), "{text}");
    }
    assert!(admin.look("AgencyTenant", "", "diff-stage").await.is_none());
}

#[tokio::test]
async fn the_plugin_takes_kubectl_s_flags_and_speaks_as_kubectl_does() {
    admin().await.tenant_with_systems("flagged", &[]).await;
    let run = |arguments: &'static [&'static str]| {
        spawn_blocking(move || plugin_as(&shared().plane, &Operator::build().unwrap(), "root", "system:masters", arguments).unwrap())
    };
    for (arguments, code, words) in [
        (["my", "--as", "olga", "--as-group", "flagged-owners"].as_slice(), 0, "flagged"),
        (&["--as", "olga", "my"], 0, "You are a member of no agency."),
        (&["my", "--as-group", "flagged-owners"], 1, "Error: --as-group needs --as"),
        (&["my", "--context", "nowhere"], 1, "Error: "),
        (&["my", "--kubeconfig", "/nowhere"], 1, "Error: cannot read /nowhere: "),
        (
            &["approve", "flagged", "--as", "olga"],
            1,
            "Error from server (Forbidden): agencytenants.govcloud.io \"flagged\" is forbidden: User \"olga\" cannot get resource \"agencytenants\" \
             in API group \"govcloud.io\" at the cluster scope\n",
        ),
    ] {
        let (found, text) = run(arguments).await.unwrap();
        assert_eq!(found, code, "{arguments:?}: {text}");
        assert!(if words.ends_with('\n') { text == words } else { text.contains(words) }, "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn an_owner_sees_what_an_owner_may_and_is_told_what_is_not_known() {
    let admin = admin().await;
    admin.tenant_with_systems("seen", &["web"]).await;
    let changed = system_yaml("seen", "web").replace("requests.cpu: '8'", "requests.cpu: '50'");
    let (code, text) = plan("seen-owner", "seen-owners", &changed).await;
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &[
            "hostedsystem/web in namespace seen changes",
            "spec.resources.guaranteed.requests.cpu: 8 becomes 50",
            "hostedsystem/web waits: ",
            "unknown, because you may not read it:",
            "validatingadmissionpolicies, so whether running objects would be admitted",
        ],
    );
    let (code, text) = plan("stranger", "strangers", &changed).await;
    assert_eq!(code, 1, "{text}");
    says(&text, &["hostedsystem/web in namespace seen may not be read by you", "unknown, because you may not read it:"]);
}

#[tokio::test]
async fn the_platforms_own_account_sees_all_that_a_plan_looks_at() {
    let admin = admin().await;
    admin.tenant_with_systems("overseen", &["web"]).await;
    admin.apply(&pod_yaml("overseen--web", "running")).await;
    admin
        .apply(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: overseer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'govcloud:platform'}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: overseer}]
",
        )
        .await;
    let as_it_is = format!("{}---{}", tenant_yaml("overseen"), system_yaml("overseen", "web"));
    let changed = as_it_is
        .replace("registry.example.gov.cn/base]", "registry.example.gov.cn/new]")
        .replace("requests.cpu: '8'", "requests.cpu: '12'");
    let (code, text) = plan("overseer", "none", &changed).await;
    assert_eq!(code, 1, "{text}");
    says(
        &text,
        &[
            "images.registries: registry.example.gov.cn/base is removed",
            "spec.resources.guaranteed.requests.cpu: 8 becomes 12",
            "namespace overseen--web: pod running: rule images: spec.containers[main].image: \"registry.example.gov.cn/base/web:1\"",
        ],
    );
    assert!(!text.contains("may not read"), "{text}");
    let (code, text) = plan("overseer-of-nothing", "none", &changed).await;
    assert!(code != 0 && text.contains("may not read"), "{text}");
}
