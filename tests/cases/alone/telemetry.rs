//! What the operator tells of itself: metrics and log.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::{Alone, start_on};
use crate::cluster::tenant_yaml;

/// Samples by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}")))
        .map(|(key, value)| (key.to_owned(), value.parse().unwrap()))
        .collect()
}

fn sum(samples: &BTreeMap<String, f64>, prefix: &str) -> f64 {
    samples.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix)).map(|(_, value)| value).sum()
}

#[tokio::test]
async fn metrics_count_what_there_is() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("measured", &["db", "web"]).await;
    admin.apply(&tenant_yaml("undecided").replace("  preapproved: true\n", "")).await;
    admin.until_condition("AgencyTenant", "", "undecided", "Ready", "False", "Requested").await;
    alone.settled().await;
    let (code, text) = operator.get("/metrics").await.unwrap();
    assert_eq!(code, 200);
    let samples = samples(&text);
    let reconciles = sum(&samples, "controller_runtime_reconcile_total{");
    assert!(
        reconciles >= 3.0 && sum(&samples, "controller_runtime_reconcile_total{controller=\"agencytenant\",result=\"success\"}") >= 1.0,
        "{text}"
    );
    assert_eq!(sum(&samples, "controller_runtime_reconcile_time_seconds_count").to_string(), reconciles.to_string(), "{text}");
    assert!(sum(&samples, "controller_runtime_reconcile_time_seconds_sum") > 0.0, "{text}");
    assert_eq!(samples.get("workqueue_depth{controller=\"agencytenant\"}"), Some(&0.0), "{text}");
    for (kind, resource) in [("AgencyTenant", "agencytenants"), ("HostedSystem", "hostedsystems")] {
        let there = admin.names(kind, "").await.len();
        assert_eq!(samples[&format!("govcloud_objects{{resource=\"{resource}\"}}")].to_string(), there.to_string(), "{text}");
    }
    assert!(samples["govcloud_objects{resource=\"children\"}"] >= 18.0, "{text}");
    let systems = admin.api("HostedSystem", "").list(&Default::default()).await.unwrap().items;
    // Cases before this one may have left some that go.
    let running = systems.iter().filter(|system| system.data["status"]["stage"] == "Running").count();
    assert_eq!(samples["govcloud_hosted_systems{stage=\"Running\"}"].to_string(), running.to_string(), "{text}");
    let ready = systems.iter().filter(|system| {
        let conditions = system.data["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["reason"] == "Ready")
    });
    let counted = "govcloud_conditions{resource=\"hostedsystems\",condition=\"Ready\",status=\"True\",reason=\"Ready\"}";
    assert_eq!(samples[counted].to_string(), ready.count().to_string(), "{text}");
    assert!(samples["govcloud_agency_tenants{stage=\"Active\"}"] >= 1.0, "{text}");
    assert!((0.0..120.0).contains(&samples["govcloud_agency_request_age_seconds{agency=\"undecided\"}"]), "{text}");
    assert!(samples["govcloud_agency_quota{agency=\"measured\",resource=\"requests.cpu\",figure=\"total\"}"] > 0.0, "{text}");
    for sample in ["govcloud_watch_synced{resource=\"hostedsystems\"}", "govcloud_guard_rails_in_force"] {
        assert_eq!(samples.get(sample), Some(&1.0), "{text}");
    }
    let memory = samples["process_resident_memory_bytes"];
    assert!((f64::from(1 << 20)..f64::from(1 << 30)).contains(&memory), "{text}");
    crate::monitoring::is_what_is_read(&text);
    operator.stop().await.unwrap();
}

#[tokio::test]
async fn every_line_of_a_json_log_is_json() {
    let alone = Alone::turn().await;
    // The harness passes no flags of the operator's.
    let wrapper = alone.plane.directory().join("with-json-log");
    fs::write(&wrapper, format!("#!/bin/sh\nexec '{}' \"$@\" --log-format json\n", alone.program.display())).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).unwrap();
    let operator = start_on(alone.plane, &wrapper).await;
    let admin = alone.admin().await;
    admin.apply("{apiVersion: v1, kind: Namespace, metadata: {name: logged}}").await;
    admin.apply(&tenant_yaml("logged")).await;
    admin.until_condition("AgencyTenant", "", "logged", "Ready", "False", "Conflict").await;
    admin.delete("Namespace", "", "logged").await;
    admin.tenant_ready("logged").await;
    let log = operator.log().to_owned();
    operator.stop().await.unwrap();
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(lines.len() >= 3, "{text}");
    let (records, lines): (Vec<Value>, Vec<Value>) = lines.into_iter().partition(|line| line["audit"].is_string());
    assert!(records.iter().all(|record| record["agency"] == "logged" && record["number"].is_i64()) && !records.is_empty(), "{records:?}");
    for line in lines {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["fields"]["message"].is_string(), "{line}");
    }
}
