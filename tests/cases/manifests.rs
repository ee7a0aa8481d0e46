//! The files that ship, as tools see them: each object against its schema, and the chart's README against its values.

use std::{fs, path::Path};

use acceptance::{Helm, Schemas, Tool, workspace};
use tokio::task::spawn_blocking;

use crate::{cluster::shared, times};

/// Every switch of the chart that is off by default.
const SWITCHES: &str = "serviceMonitor.enabled=true,serviceMonitor.interval=30s,prometheusRule.enabled=true,dashboards.enabled=true,\
    networkPolicy.apiServerRanges={10.0.0.1/32},image.pullSecrets[0].name=registry,serviceAccount.annotations.team=cloud,\
    podLabels.team=cloud,podAnnotations.team=cloud,nodeSelector.pool=platform,tolerations[0].operator=Exists,\
    affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1,\
    affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey=zone";

#[tokio::test]
async fn every_object_that_ships_fits_its_schema() {
    let plane = &shared().plane;
    let helm = spawn_blocking(Helm::four).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let schemas = Schemas::take(plane).await.unwrap_or_else(|error| panic!("{error:#}"));
    let folder = tempfile::tempdir().unwrap();
    let template = ["template", "govcloud", "--namespace", "govcloud-system"];
    let collectors = r#"config.metricsCollectors=[{"namespace":"monitoring"}]"#;
    let subjects = r#"bindings.platform=[{"kind":"ServiceAccount","name":"argo","namespace":"argo"},{"kind":"Group","name":"admins"}]"#;
    let all = ["--set-json", collectors, "--set-json", subjects, "--set", SWITCHES];
    let [default, switched] = [&[][..], &all].map(|values| helm.chart(plane, &[&template[..], values].concat()).unwrap());
    let kustomize = plane.kubectl().arg("kustomize").arg(workspace().join("charts/govcloud")).output().unwrap();
    let kustomized = String::from_utf8(kustomize.stdout).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let rendered = [file("default.yaml", &default), file("switched.yaml", &switched), file("kustomized.yaml", &kustomized)];
    let shipped = ["crds/", "examples", "charts/govcloud/policies", "charts/govcloud/roles"].map(|path| workspace().join(path));
    let paths: Vec<&Path> = rendered.iter().chain(&shipped).map(std::path::PathBuf::as_path).collect();
    let printed = schemas.check(&paths).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(printed.contains("Invalid: 0, Errors: 0, Skipped: 0"), "{printed}");

    for (kind, field, instead) in [
        ("Deployment", "fieldPath:", "fieldpath:"),
        ("Service", "clusterIP:", "clusterip:"),
        ("NetworkPolicy", "policyTypes:", "policyType:"),
        ("ValidatingAdmissionPolicy", "matchConstraints:", "matchConstraint:"),
        ("ServiceMonitor", "interval: \"30s\"", "intervall: \"30s\""),
        ("PrometheusRule", "for: 5m", "form: 5m"),
        ("CustomResourceDefinition", "openAPIV3Schema:", "openAPISchema:"),
    ] {
        assert!(switched.contains(field), "{field}");
        let wrong = file("wrong.yaml", &switched.replace(field, instead));
        let refused = format!("{:#}", schemas.check(&[&wrong]).expect_err(field));
        let name = instead.split(':').next().unwrap();
        assert!(refused.contains(&format!("{kind} ")) && refused.contains(&format!("'{name}' not allowed")), "{field}: {refused}");
    }
    let agency = fs::read_to_string(workspace().join("examples/quickstart/agency.yaml")).unwrap();
    let wrong = file("wrong.yaml", &agency.replace("displayName", "displayNam"));
    let refused = format!("{:#}", schemas.check(&[&wrong]).unwrap_err());
    assert!(refused.contains("AgencyTenant ") && refused.contains("'displayNam' not allowed"), "{refused}");
}

/// With `GOVCLOUD_ACCEPT_CHART=1` the file is written anew.
#[test]
fn the_readme_of_the_chart_is_made_from_its_values() {
    times::take();
    let helm_docs = Tool::helm_docs().unwrap_or_else(|error| panic!("{error:#}"));
    let chart = workspace().join("charts/govcloud");
    let arguments = ["--dry-run", "--log-level=warning", "--sort-values-order=file", "--chart-search-root=."];
    let made = helm_docs.run(&chart, &arguments, "").unwrap_or_else(|error| panic!("{error:#}"));
    let undescribed: Vec<&str> = made.lines().filter(|line| line.starts_with('|') && line.ends_with("|  |")).collect();
    assert_eq!(undescribed, [""; 0], "each value has a comment that begins with two dashes");
    let file = chart.join("README.md");
    if std::env::var_os("GOVCLOUD_ACCEPT_CHART").is_some() {
        fs::write(&file, &made).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), made, "GOVCLOUD_ACCEPT_CHART=1 writes {} anew", file.display());
}
