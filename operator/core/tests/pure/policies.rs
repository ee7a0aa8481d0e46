//! The frame that all policies of the chart have in common: the order of their parts, the header that says what each rule judges, the
//! stanza by which they are proven to be in force, and that the same name means the same in each of them.

use std::collections::{BTreeMap, BTreeSet};

use govcloud_core::model::names::{LABEL_VERSION, POLICIES, PROBE_PREFIX};
use serde_json::{Value, json};

use super::table::{document, text};

/// Variables of one name that differ from policy to policy, and why.
const DIFFER: [(&str, &str); 1] = [("everywhere", "each policy asks for the right to write its own kind in the whole cluster")];
const PARTS: [&str; 11] = [
    "apiVersion",
    "kind",
    "metadata",
    "  name",
    "  labels",
    "spec",
    "  failurePolicy",
    "  matchConstraints",
    "  matchConditions", // may be absent
    "  variables",
    "  validations",
];

struct Policy {
    name: &'static str,
    text: String,
    spec: Value,
}

fn policies() -> impl Iterator<Item = Policy> {
    POLICIES.into_iter().map(|name| {
        let path = format!("charts/govcloud/policies/{}.yaml", name.strip_prefix("govcloud-").unwrap());
        Policy { name, text: text(&path).split("\n---\n").next().unwrap().to_owned(), spec: document(&path)["spec"].take() }
    })
}

impl Policy {
    fn list(&self, part: &str) -> &[Value] {
        self.spec[part].as_array().map_or(&[], Vec::as_slice)
    }

    /// What an expression or a message says, on one line.
    fn words(value: &Value) -> String {
        value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn probe(&self) -> String {
        format!("request.resource.resource == 'clusterroles' && request.?name.orValue('') == '{PROBE_PREFIX}{}'", self.name)
    }

    /// The comment at the top, on one line.
    fn header(&self) -> String {
        let lines = self.text.lines().map_while(|line| line.strip_prefix('#'));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// The rules that the header lists after a word, up to the end of the sentence.
    fn listed(&self, word: &str) -> Vec<String> {
        let header = self.header();
        let sentence = header.split(&format!(" {word}: ")).nth(1).and_then(|rest| rest.split(['.', ':']).next());
        sentence.unwrap_or_default().split(", ").filter(|rule| !rule.is_empty()).map(str::to_owned).collect()
    }

    /// The rules that the messages name.
    fn rules(&self) -> BTreeSet<String> {
        let messages = self.list("validations").iter().flat_map(|rule| [&rule["message"], &rule["messageExpression"]]);
        let named = |message| {
            let words = Self::words(message);
            words.split("rule ").skip(1).filter_map(|rest| rest.split_once(": ").map(|(rule, _)| rule.to_owned())).collect::<Vec<_>>()
        };
        messages.flat_map(named).filter(|rule| rule.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')).collect()
    }
}

#[test]
fn the_parts_of_a_policy_stand_in_one_order() {
    for policy in policies() {
        let key = |line: &str| line.split_once(':').map(|(key, _)| key.to_owned());
        let is_part = |line: &&str| line.trim_start_matches("  ").starts_with(|letter: char| letter.is_ascii_lowercase());
        let shallow = |line: &&str| !line.starts_with("    ") && is_part(line);
        let parts: Vec<String> = policy.text.lines().filter(shallow).filter_map(key).collect();
        let wanted = PARTS.into_iter().filter(|part| *part != "  matchConditions" || !policy.spec["matchConditions"].is_null());
        assert_eq!(parts, wanted.collect::<Vec<_>>(), "{}", policy.name);
        let constraints = policy.text.split("\n  matchConstraints:\n").nth(1).unwrap().lines().take_while(|line| line.starts_with("    "));
        let parts: Vec<String> = constraints.filter(is_part).filter_map(key).collect();
        let wanted = ["    matchPolicy", "    objectSelector", "    namespaceSelector", "    resourceRules"];
        assert_eq!(parts, wanted, "{}", policy.name);
    }
}

#[test]
fn policies_their_bindings_and_the_chart_are_of_the_version_of_the_operator() {
    for policy in policies() {
        let file = text(&format!("charts/govcloud/policies/{}.yaml", policy.name.strip_prefix("govcloud-").unwrap()));
        let labels = file.lines().filter(|line| line.starts_with("  labels: "));
        let wanted = format!("  labels: {{app.kubernetes.io/part-of: govcloud, {LABEL_VERSION}: {}}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(labels.collect::<Vec<_>>(), [&wanted, &wanted], "{}", policy.name);
    }
    let chart = document("charts/govcloud/Chart.yaml");
    assert_eq!([&chart["version"], &chart["appVersion"]], [env!("CARGO_PKG_VERSION"); 2], "and so is the chart");
}

#[test]
fn the_header_says_of_each_rule_what_it_judges_and_what_the_platform_writes() {
    for policy in policies() {
        let (content, authorship) = (policy.listed("Content"), policy.listed("Authorship"));
        let listed: BTreeSet<String> = content.iter().chain(&authorship).cloned().collect();
        assert_eq!(listed.len(), content.len() + authorship.len(), "{}: a rule is listed twice", policy.name);
        assert_eq!(listed, policy.rules(), "{}: the rules of the header (left) and of the messages (right)", policy.name);
        assert!(policy.header().contains(" Platform: "), "{}: what of the platform may have written the value?", policy.name);
    }
}

#[test]
fn every_policy_refuses_its_probe_first_and_judges_nothing_else_of_it() {
    for policy in policies() {
        let (name, probe) = (policy.name, policy.probe());
        let rule = json!({"apiGroups": ["rbac.authorization.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE"],
            "resources": ["clusterroles"], "resourceNames": [format!("{PROBE_PREFIX}{name}")], "scope": "*"});
        assert_eq!(policy.spec["matchConstraints"]["resourceRules"].as_array().unwrap().last(), Some(&rule), "{name}");
        assert_eq!(policy.list("variables")[0], json!({"name": "probe", "expression": probe}), "{name}");
        // It judges other ClusterRoles too, which are also updated and deleted.
        let begin =
            if name == "govcloud-operator" { format!("(request.operation == 'CREATE' && {probe}) || ") } else { format!("({probe}) || ") };
        for condition in policy.list("matchConditions") {
            assert!(Policy::words(&condition["expression"]).starts_with(&begin), "{name}: {}", condition["name"]);
        }
        let (first, rest) = policy.list("validations").split_first().unwrap();
        assert_eq!(first, &json!({"expression": "!variables.probe", "message": "probe: this policy is active"}), "{name}");
        for rule in rest {
            assert!(Policy::words(&rule["expression"]).starts_with("variables.probe || "), "{name}: {}", rule["message"]);
        }
    }
}

#[test]
fn variables_of_one_name_are_the_same_in_every_policy() {
    let mut known = BTreeMap::<String, BTreeMap<String, Vec<&str>>>::new();
    for policy in policies() {
        for variable in policy.list("variables") {
            let expression = Policy::words(&variable["expression"]).replace(&format!("'{PROBE_PREFIX}{}'", policy.name), "its probe");
            known.entry(Policy::words(&variable["name"])).or_default().entry(expression).or_default().push(policy.name);
        }
    }
    let differing: BTreeMap<&str, _> = known.iter().filter(|(_, of)| of.len() > 1).map(|(name, of)| (name.as_str(), of.values())).collect();
    assert_eq!(differing.keys().copied().collect::<Vec<_>>(), DIFFER.map(|(name, _)| name), "{differing:#?}");
}

/// The API server evaluates the message of every rule, also of those that hold, and an error costs it more than the rule.
#[test]
fn a_message_about_the_first_of_a_list_is_empty_where_the_list_is() {
    for policy in policies() {
        for rule in policy.list("validations") {
            let words = Policy::words(&rule["messageExpression"]);
            let Some((before, _)) = words.split_once("[0]") else { continue };
            if !before.rsplit("variables.").next().is_some_and(|list| list.chars().all(char::is_alphanumeric)) {
                continue; // a field of the object
            }
            let guard = words.strip_prefix("size(variables.").and_then(|rest| rest.split_once(") == 0 ? '' : "));
            assert!(guard.is_some_and(|(list, rest)| rest.contains(&format!("variables.{list}[0]"))), "{}: {words}", policy.name);
        }
    }
}
