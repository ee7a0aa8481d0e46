use serde_json::json;

use super::*;

#[test]
fn the_newest_events_of_either_form_are_told_oldest_first() {
    let event = |minute: usize| json!({ "lastTimestamp": format!("2026-01-01T00:{minute:02}:00Z"), "reason": minute.to_string() });
    let mut events: Vec<Value> = (0..12).rev().map(event).collect();
    events.push(json!({ "eventTime": "2026-01-01T00:30:00.000001Z", "reason": "once", "type": "Warning", "message": "m" }));
    let series = json!({ "lastObservedTime": "2026-01-01T00:40:00Z" });
    events.push(json!({ "eventTime": "2026-01-01T00:00:30Z", "series": series, "reason": "again" }));
    events.push(json!({ "reason": "at no time" }));
    let rows = newest(&events, "2026-01-01T01:00:00Z".parse().unwrap());
    let reasons: Vec<&str> = rows.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(reasons, ["4", "5", "6", "7", "8", "9", "10", "11", "once", "again"]);
    assert_eq!(rows[8].cells(), ["30m", "Warning", "once", "m"]);
}

#[test]
fn a_share_tells_what_is_asked_given_and_used_as_far_as_that_is_known() {
    let (given, asked) = (json!({ "requests.cpu": "8", "limits.cpu": "16" }), json!({ "requests.cpu": 9, "pods": "5" }));
    let cells = |used: &Value| ShareRow::all(&given, &asked, used).iter().map(|row| row.cells().join(" ")).collect::<Vec<_>>();
    assert_eq!(cells(&json!({ "requests.cpu": "500m" })), ["limits.cpu 0 16 - 0%", "pods 0 0 5 0%", "requests.cpu 500m 8 9 7%"]);
    assert_eq!(cells(&Value::Null)[2], "requests.cpu ? 8 9 ?");
}

#[test]
fn a_spec_that_this_version_cannot_read_asks_for_nothing_that_could_be_told() {
    let spec = json!({ "displayName": "a", "responsibleUnit": "b", "quota": { "pods": 4 } });
    let tenant =
        |spec: &Value, served: i64| json!({ "metadata": { "generation": 2 }, "spec": spec, "status": { "contractGeneration": served } });
    let asked = |tenant: &Value| AgencyReport::of(tenant, &[], &[], Timestamp::UNIX_EPOCH).requested_changes;
    assert!(asked(&tenant(&spec, 1)).contains(&"quota[pods]: 4".to_owned()));
    assert!(asked(&tenant(&spec, 2)).is_empty(), "it is served");
    assert!(asked(&tenant(&json!({ "podSecurity": "new" }), 1)).is_empty());
}
