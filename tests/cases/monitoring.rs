//! Alerts and dashboard of the chart: they fire and show what they should, and read only what the operator tells.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use acceptance::{Helm, Tool, workspace};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{chart::objects, times};

fn folder() -> PathBuf {
    workspace().join("charts/govcloud/monitoring")
}

fn alerts() -> Value {
    serde_yaml::from_str(&fs::read_to_string(folder().join("alerts.yaml")).unwrap()).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join("dashboard.json")).unwrap()).unwrap()
}

fn promtool() -> Tool {
    Tool::promtool().unwrap_or_else(|error| panic!("{error:#}"))
}

/// What the dashboard asks, with the interval that Grafana would fill in.
fn queries() -> Vec<String> {
    let dashboard = dashboard();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "5m")).collect()
}

/// Names of the metrics in an expression: what is no function, operator or label.
fn names(expression: &str) -> BTreeSet<String> {
    let (mut bare, mut closed_by) = (String::new(), None);
    for character in expression.chars() {
        match (closed_by, character) {
            (Some(end), _) if character != end => continue,
            (Some(_), _) => closed_by = None,
            (None, '{') => closed_by = Some('}'),
            (None, '[') => closed_by = Some(']'),
            (None, '(' | ')') => bare.extend([' ', character]),
            (None, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':') => {
                bare.push(character);
                continue;
            }
            (None, _) => {}
        }
        bare.push(' ');
    }
    let (mut words, mut names) = (bare.split_whitespace().peekable(), BTreeSet::new());
    while let Some(word) = words.next() {
        match (word, words.peek()) {
            ("by" | "without" | "on" | "ignoring" | "group_left" | "group_right", Some(&"(")) => {
                words.find(|word| *word == ")");
            }
            ("and" | "or" | "unless", _) | (_, Some(&("(" | "by" | "without"))) => {}
            (word, _) if word.starts_with(|first: char| first.is_alphabetic()) => drop(names.insert(word.to_owned())),
            _ => {}
        }
    }
    names
}

/// Holds what an operator prints at `/metrics` against promtool's rules, and against what alerts and dashboard read.
pub fn is_what_is_read(printed: &str) {
    let (promtool, folder) = (promtool(), folder());
    // promtool reads the older format, in which the name of a counter's family has the suffix too.
    let lines: Vec<String> = printed.lines().map(String::from).collect();
    let counters = lines.iter().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"));
    let counters: BTreeSet<String> = counters.map(String::from).collect();
    let older = |line: &String| match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
        ["#", what, name, text] if counters.contains(name) => format!("# {what} {name}_total {text}"),
        _ => line.clone(),
    };
    let older: String = lines.iter().map(|line| older(line) + "\n").collect();
    promtool.run(&folder, &["check", "metrics"], &older).unwrap_or_else(|error| panic!("{error:#}"));
    let refused = promtool.run(&folder, &["check", "metrics"], &format!("{older}unexplained 1\n")).unwrap_err();
    assert!(format!("{refused:#}").contains("unexplained no help text"), "{refused:#}");

    let samples = lines.iter().filter(|line| !line.starts_with('#'));
    let exported: BTreeSet<&str> = samples.map(|line| line.split(['{', ' ']).next().unwrap()).collect();
    let alerts = alerts();
    let of_alerts = alerts["groups"][0]["rules"].as_array().unwrap().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let mut number = 0;
    for expression in of_alerts.chain(queries()) {
        for name in names(&expression) {
            assert!(exported.contains(name.as_str()), "{name} of {expression} is not among {exported:#?}");
            number += 1;
        }
    }
    assert!(number > 30, "{number}");
}

#[test]
fn names_of_metrics_are_told_from_all_else_in_an_expression() {
    for (expression, expected) in [
        ("absent(up{job=\"absent_too\"})", vec!["up"]),
        (
            "sum by (result) (rate(a_total{b!=\"c\"}[5m])) / ignoring (result) group_left () sum(rate(d_total[5m])) > 0.1",
            vec!["a_total", "d_total"],
        ),
        ("histogram_quantile(0.5, sum by (le) (rate(e_bucket[1m])))", vec!["e_bucket"]),
        ("f and on (job, instance) g{h=\"i\"} or min(j)-max(k) unless l", vec!["f", "g", "j", "k", "l"]),
    ] {
        assert_eq!(names(expression), expected.into_iter().map(String::from).collect(), "{expression}");
    }
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    times::take();
    let promtool = promtool();
    promtool
        .run(&folder(), &["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"], "")
        .unwrap_or_else(|error| panic!("{error:#}"));
    let tests = fs::read_to_string(folder().join("alerts.test.yaml")).unwrap();
    let tried = |alerts: &Value| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("alerts.yaml"), serde_yaml::to_string(alerts).unwrap()).unwrap();
        fs::write(folder.path().join("alerts.test.yaml"), &tests).unwrap();
        promtool.run(folder.path(), &["test", "rules", "alerts.test.yaml"], "").map_err(|error| format!("{error:#}"))
    };
    let alerts = alerts();
    tried(&alerts).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    for (place, rule) in rules.iter().enumerate() {
        let fires = format!("alertname=\"{}\"", rule["alert"].as_str().unwrap());
        for instead in ["vector(0) > 1", "vector(1)"] {
            let mut changed = alerts.clone();
            changed["groups"][0]["rules"][place]["expr"] = json!(instead);
            let noticed = tried(&changed).expect_err(&format!("{fires}: {instead}"));
            assert!(noticed.contains(&fires), "{fires}: {instead}: {noticed}");
        }
        for words in ["summary", "description"] {
            assert!(rule["annotations"][words].is_string(), "{fires}: {words}");
        }
        for reference in ["operator/docs/operator.md", "operator/docs/zh-CN/operator.md"] {
            let row = format!("| `{}` |", rule["alert"].as_str().unwrap());
            assert!(fs::read_to_string(workspace().join(reference)).unwrap().contains(&row), "{reference}: {row}");
        }
    }
}

#[test]
fn every_panel_of_the_dashboard_asks_what_prometheus_understands() {
    times::take();
    let promtool = promtool();
    let rules = |queries: &[String]| {
        let rules: Vec<Value> =
            queries.iter().zip(0..).map(|(query, number)| json!({"record": format!("panel:{number}"), "expr": query})).collect();
        serde_yaml::to_string(&json!({"groups": [{"name": "dashboard", "rules": rules}]})).unwrap()
    };
    let check = |queries: &[String]| promtool.run(&folder(), &["check", "rules", "--lint=none"], &rules(queries));
    check(&queries()).unwrap_or_else(|error| panic!("{error:#}"));
    let refused = check(&["sum by (resource) (govcloud_objects".to_owned()]).unwrap_err();
    assert!(format!("{refused:#}").contains("unclosed left parenthesis"), "{refused:#}");

    let dashboard = dashboard();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeMap::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(["stat", "timeseries"].contains(&panel["type"].as_str().unwrap()), "{title}: the schema of this kind is not registered");
        assert!(panel["description"].is_string() && ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        for source in panel["targets"].as_array().unwrap().iter().chain([panel]) {
            assert_eq!(source["datasource"], json!({"type": "prometheus", "uid": "${datasource}"}), "{title}");
        }
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{title}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert_eq!(places.insert(place, title), None, "{title}");
        }
    }
}

#[test]
fn the_dashboard_fits_grafanas_schema() {
    times::take();
    let tool = Tool::dashboard().unwrap_or_else(|error| panic!("{error:#}"));
    let text = fs::read_to_string(folder().join("dashboard.json")).unwrap();
    tool.run(&folder(), &[], &text).unwrap_or_else(|error| panic!("{error:#}"));
    for (field, instead) in [("gridPos", "gridpos"), ("drawStyle", "drawStile"), ("graphMode", "graphmode"), ("legendFormat", "legend")] {
        let refused = tool.run(&folder(), &[], &text.replace(field, instead)).expect_err(field);
        assert!(format!("{refused:#}").contains(&format!("unexpected field '{instead}'")), "{field}: {refused:#}");
    }
}

#[tokio::test]
async fn monitoring_comes_only_where_it_is_wanted() {
    let helm = spawn_blocking(Helm::four).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"));
    let plane = &crate::cluster::shared().plane;
    let template = ["template", "govcloud", "--namespace", "govcloud-system"];
    let print = |values: &[&str]| helm.chart(plane, &[&template[..], values].concat());
    let rendered = |values: &[&str]| objects(&print(values).unwrap_or_else(|error| panic!("{error:#}")));
    let of = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    let added = [
        of("ConfigMap", "govcloud-operator-dashboard"),
        of("PrometheusRule", "govcloud-operator"),
        of("Service", "govcloud-operator"),
        of("ServiceMonitor", "govcloud-operator"),
    ];

    let plain = rendered(&[]);
    let kept_out = print(&["--set", "serviceMonitor.enabled=true"]).unwrap_err();
    assert!(format!("{kept_out:#}").contains("name its pods in config.metricsCollectors"), "{kept_out:#}");
    let open = rendered(&["--set", "serviceMonitor.enabled=true,networkPolicy.enabled=false"]);
    assert!(open.contains_key(&added[3]) && !open.contains_key(&added[1]));

    let collector = r#"config.metricsCollectors=[{"namespace":"monitoring"}]"#;
    let switches = "serviceMonitor.enabled=true,serviceMonitor.interval=30s,serviceMonitor.labels.release=kps,prometheusRule.enabled=true,\
        prometheusRule.labels.team=cloud,dashboards.enabled=true,dashboards.labels.board=yes";
    let all = rendered(&["--set-json", collector, "--set", switches]);
    assert_eq!(all.keys().filter(|key| !plain.contains_key(key)).collect::<Vec<_>>(), added.iter().collect::<Vec<_>>());

    let monitor = &all[&added[3]];
    assert_eq!(
        (&monitor["metadata"]["labels"]["release"], &monitor["spec"]["endpoints"]),
        (&json!("kps"), &json!([{"port": "http", "interval": "30s"}]))
    );
    let service = &all[&added[2]];
    let chosen = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    assert!(chosen.iter().all(|(key, value)| service["metadata"]["labels"][key] == *value), "{service}");
    assert_eq!(service["spec"]["selector"], all[&of("Deployment", "govcloud-operator")]["spec"]["selector"]["matchLabels"]);
    assert_eq!(service["spec"]["ports"][0]["name"], "http");
    let rule = &all[&added[1]];
    assert_eq!((&rule["metadata"]["labels"]["team"], &rule["spec"]), (&json!("cloud"), &alerts()));
    let board = &all[&added[0]];
    let labels = &board["metadata"]["labels"];
    assert_eq!((&labels["grafana_dashboard"], &labels["board"]), (&json!("1"), &json!("yes")));
    assert_eq!(serde_json::from_str::<Value>(board["data"]["govcloud.json"].as_str().unwrap()).unwrap(), dashboard());
}
