//! What stops pods from being replaced is warned of, before it happens.

use crate::cluster::{admin, shared, system_yaml, tenant_yaml};

/// What `kubectl` says of this patch, which it does not carry out.
fn told(arguments: &[&str], patch: &str) -> String {
    let mut kubectl = shared().plane.kubectl();
    let answer = kubectl.arg("patch").args(arguments).args(["--type=merge", "--dry-run=server", "-p", patch]).output().unwrap();
    let told = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(answer.status.success(), "{told}");
    told
}

#[tokio::test]
async fn whoever_makes_the_rules_on_images_stricter_is_warned() {
    let admin = admin().await;
    for (name, digest) in [("warned", "Running"), ("unwarned", "Always"), ("carefree", "Never")] {
        admin.apply(&tenant_yaml(name).replace("requireDigest: Never", &format!("requireDigest: {digest}"))).await;
        admin.tenant_ready(name).await;
        admin.apply(&system_yaml(name, "web").replace("Running", "Testing")).await;
        admin.apply(&system_yaml(name, "idle").replace("Running", "Suspended")).await;
        admin.apply(&system_yaml(name, "live")).await;
    }
    let stage = |tenant: &str, system: &str, stage: &str| {
        told(&["hostedsystem", system, "-n", tenant], &format!("{{\"spec\": {{\"stage\": {stage:?}}}}}"))
    };
    let told_of_digests = stage("warned", "web", "Running");
    for words in
        ["Warning", "spec.stage", "namespace warned--web", "name a digest", "cannot be replaced", "kubectl get pods -n warned--web"]
    {
        assert!(told_of_digests.contains(words), "{words}: {told_of_digests}");
    }
    assert!(stage("warned", "idle", "Running").contains("warned--idle"));
    for (tenant, system, wanted) in [
        ("warned", "web", "Suspended"),
        ("warned", "live", "Running"),
        ("warned", "live", "Testing"),
        ("unwarned", "web", "Running"),
        ("carefree", "web", "Running"),
    ] {
        assert_eq!(stage(tenant, system, wanted), "", "{tenant} {system} {wanted}");
    }

    let images = |tenant: &str, images: &str| told(&["agencytenant", tenant], &format!("{{\"spec\": {{\"images\": {images}}}}}"));
    assert!(images("warned", "{\"requireDigest\": \"Always\"}").contains("spec.images.requireDigest: with Always"));
    assert!(images("carefree", "{\"requireDigest\": \"Running\"}").contains("spec.images.requireDigest: with Running"));
    let fewer = images("warned", "{\"registries\": [\"registry.example.gov.cn/warned\"]}");
    assert!(fewer.contains("spec.images.registries: pods with images of registry.example.gov.cn/base are not admitted"), "{fewer}");
    for laxer in ["{\"requireDigest\": \"Running\"}", "{\"requireDigest\": \"Never\"}"] {
        assert_eq!(images("unwarned", laxer), "", "{laxer}");
    }
    let more = "{\"registries\": [\"registry.example.gov.cn/base\", \"registry.example.gov.cn/warned\", \"mirror.example.gov.cn\"]}";
    assert_eq!(images("warned", more), "");
}
