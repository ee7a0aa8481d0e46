//! The two kinds in `kubectl`, as people use it.

use serde_json::json;

use crate::cluster::{Person, admin, pod_yaml, shared, system_yaml, tenant_yaml};

/// What `kubectl` prints, word by word: a list for each line.
fn table(arguments: &[&str]) -> Vec<Vec<String>> {
    let lines = |text: String| text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    lines(shared().kubectl(arguments))
}

/// The answer holds all of these words.
fn says(arguments: &[&str], words: &[&str]) {
    let answer = shared().kubectl(arguments);
    let text = answer.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in what kubectl {} says:\n{answer}", arguments.join(" "));
    }
}

/// Runs `kubectl` with a manifest.
fn with_file(arguments: &[&str], yaml: &str) -> String {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), yaml).unwrap();
    shared().kubectl(&[arguments, &["-f", file.path().to_str().unwrap()]].concat())
}

/// A tenant with a system in service that runs a pod, and one in test.
async fn tenant(admin: &Person, name: &str) {
    admin.tenant_with_systems(name, &["web"]).await;
    let namespace = format!("{name}--web");
    admin.apply(&pod_yaml(&namespace, "main")).await;
    admin
        .until("the pod counts", "ResourceQuota", &namespace, "govcloud-quota", |quota| {
            quota.is_some_and(|quota| quota["status"]["used"]["requests.cpu"] == "100m")
        })
        .await;
    admin.apply(&system_yaml(name, "trial").replace("Running", "Testing")).await;
    admin.system_ready(name, "trial").await;
    admin
        .until("both are counted", "AgencyTenant", "", name, |tenant| {
            tenant.is_some_and(|tenant| tenant["status"]["summary"]["systems"] == "2/2")
        })
        .await;
}

#[tokio::test]
async fn the_columns_tell_the_decision_first_and_the_display_name_last() {
    tenant(&admin().await, "columns").await;
    for name in ["agency", "at", "agencytenants"] {
        let found = table(&["get", name, "columns"]);
        let columns = ["NAME", "STAGE", "APPROVED", "READY", "REASON", "SYSTEMS", "CPU", "CPU%", "MEMORY", "MEMORY%", "AGE"];
        assert_eq!(found[0], columns);
        assert_eq!(found[1][..10], ["columns", "Active", "True", "True", "Ready", "2/2", "100m/16/40", "40", "128Mi/64Gi/160Gi", "40"]);
        assert_eq!(found[1].len(), 11, "{found:?}");
    }
    let wide = table(&["get", "agency", "columns", "-o", "wide"]);
    assert!(wide[0].join(" ").ends_with("DISPLAY NAME") && wide[0].join(" ").contains("CPU USED%"), "{wide:?}");
    assert_eq!(wide[1].last().unwrap(), "测试委员会");
    let sorted = table(&["get", "agency", "--sort-by", ".status.summary.cpuPercent"]);
    assert!(sorted.iter().any(|line| line[0] == "columns"), "{sorted:?}");

    let found = table(&["get", "hs", "-n", "columns"]);
    let columns = ["NAME", "STAGE", "READY", "REASON", "CPU", "MEMORY", "PODS", "WORKLOAD", "NAMESPACE", "AGE"];
    assert_eq!(found[0], columns);
    assert_eq!(found[1][..8], ["trial", "Testing", "True", "Ready", "0/8", "0/32Gi", "0/60", "columns--trial"]);
    assert_eq!(found[2][..4], ["web", "Running", "True", "Ready"]);
    let everywhere = table(&["get", "hs", "-A"]);
    assert_eq!(everywhere[0], [&["NAMESPACE"], &columns[..]].concat());
    assert!(everywhere.iter().any(|line| line[..3] == ["columns", "web", "Running"]), "{everywhere:?}");
}

#[tokio::test]
async fn both_kinds_are_found_by_category_stage_and_condition() {
    tenant(&admin().await, "selected").await;
    let all = table(&["get", "govcloud", "-A"]);
    for name in ["agencytenant.govcloud.io/selected", "hostedsystem.govcloud.io/web"] {
        assert!(all.iter().flatten().any(|word| word == name), "{name} is not in {all:?}");
    }
    for (stage, name) in [("Running", "web"), ("Testing", "trial")] {
        let found = table(&["get", "hs", "-n", "selected", "--field-selector", &format!("spec.stage={stage}"), "-o", "name"]);
        assert_eq!(found, [[format!("hostedsystem.govcloud.io/{name}")]]);
    }
    says(
        &["wait", "--for=condition=Ready", "agencytenant/selected", "--timeout=20s"],
        &["agencytenant.govcloud.io/selected condition met"],
    );
    says(
        &["wait", "--for=condition=Ready", "hs/web", "hs/trial", "-n", "selected", "--timeout=20s"],
        &["web condition met", "trial condition met"],
    );
    // One that is not so makes it wait in vain.
    says(&["wait", "--for=condition=Stalled", "agency/selected", "--timeout=0s"], &["condition not met"]);
}

/// Field => words of its explanation.
const EXPLAINED: &str = r#"
agencytenant.spec.quota => The agency's total | (cores, bytes) | Storage that is not named is 0 | Example: `{requests.cpu: "40", | Unit: cores for cpu
hostedsystem.spec.resources.guaranteed => `spec.quota` | Default: nothing | condition `QuotaGranted` | Example: `{requests.cpu: "8", | bytes for memory
agencytenant.spec.members.role => ENUM: Owner Deployer Auditor | an Owner creates systems and runs their workloads | an Auditor reads | Example: Owner
agency.spec.network.egress => cidr <string> -required- | Example: 203.0.113.0/24 | 1 to 65535 | Example: 省级平台
agency.spec.network.egress.protocol => ENUM: TCP UDP | Default: TCP
agency.spec.network.kubernetesAPI => ENUM: Deny Allow | leader election | Default: Deny
hs.spec.network.withinSystem => ENUM: Allow Deny | `NetworkPolicies` of the Owners | Default: Allow
hs.spec.stage => ENUM: Testing Running Suspended Retired | Retired also ends the pods | Default: Testing
hs.status.conditions => One aspect of the object's state | for people, with what to do about it
"#;

#[tokio::test]
async fn explain_teaches_unit_default_and_example() {
    for (field, words) in super::rows(EXPLAINED).filter_map(|row| row.split_once(" => ")) {
        says(&["explain", field], &words.split(" | ").collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_object_that_no_operator_has_seen_says_so() {
    admin().await.tenant_with_systems("unseen-home", &[]).await;
    for yaml in [tenant_yaml("unseen"), system_yaml("unseen-home", "unseen")] {
        let answer = with_file(&["apply", "--dry-run=server", "-o", "yaml"], &yaml);
        assert!(answer.contains("observedGeneration: -1") && answer.contains("name: unseen"), "{answer}");
    }
}

#[tokio::test]
async fn a_misspelt_field_is_refused_and_named() {
    let right = tenant_yaml("misspelt");
    let answer = with_file(&["apply", "--dry-run=server"], &right);
    assert!(answer.contains("agencytenant.govcloud.io/misspelt created (server dry run)"), "{answer}");
    let answer = with_file(&["apply", "--dry-run=server"], &(right + "  podSecurty: baseline\n"));
    assert!(answer.contains("strict decoding error: unknown field \"spec.podSecurty\""), "{answer}");
}

#[tokio::test]
async fn an_edit_by_patch_is_judged_as_an_apply_is() {
    let admin = admin().await;
    admin.tenant_with_systems("patched", &[]).await;
    let patch = |pods: &str| json!({"spec": {"quota": {"pods": pods}}}).to_string();
    says(
        &["patch", "agency", "patched", "--type=merge", "-p", &patch("four")],
        &["is invalid: spec.quota[pods]", "'four' is not a quantity"],
    );
    says(&["patch", "agency", "patched", "--type=merge", "-p", &patch("401")], &["agencytenant.govcloud.io/patched patched"]);
}

#[tokio::test]
async fn a_tenant_that_is_applied_again_is_unchanged_and_an_empty_namespace_of_a_member_is_refused() {
    let admin = admin().await;
    let yaml = tenant_yaml("reapplied");
    let generation = async || admin.get("AgencyTenant", "", "reapplied").await["metadata"]["generation"].clone();
    with_file(&["apply"], &yaml);
    admin.tenant_ready("reapplied").await;
    let before = generation().await;
    for _ in 0..2 {
        assert_eq!(with_file(&["apply"], &yaml).trim(), "agencytenant.govcloud.io/reapplied unchanged");
    }
    assert_eq!(with_file(&["diff"], &yaml), "");
    // Beside one that leaves it out this would be another spec, and so another generation.
    let written_out = yaml.replace("\"role\":", "\"namespace\":\"\",\"role\":");
    assert_ne!(written_out, yaml);
    let answer = with_file(&["apply"], &written_out);
    assert!(answer.contains("spec.members[0].namespace in body should be at least 1 chars long"), "{answer}");
    assert_eq!(generation().await, before);
}
