//! The table of children and what names its kinds by hand: the policies that limit the operator, its role, and the documentation.
//! Each names every kind of the table and no other.

use std::{collections::BTreeSet, fs, path::Path};

use govcloud_core::children::{Build, Kind, TABLE, WriteMode};
use serde_json::Value;

/// What `govcloud-operator-outside` refuses besides: what belongs to a kind of the table, or could stand in for one.
const BESIDES: [&str; 4] = ["resourcequotas/status", "serviceaccounts/token", "roles.rbac.authorization.k8s.io", "pods"];
/// What else the operator's role may create: it reports there, and policies have nothing to do with it.
const EVENTS: &str = "events.events.k8s.io";

type Names = BTreeSet<String>;

pub fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The first document of a YAML file.
pub fn document(path: &str) -> Value {
    serde_yaml::from_str(text(path).split("\n---").next().unwrap()).unwrap()
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

fn resource(group: &str, plural: &str) -> String {
    if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
}

/// The resources of rules of which a field has the word, but for those of named objects.
fn resources(rules: &Value, field: &str, word: &str) -> Names {
    let mut found = Names::new();
    for rule in rules.as_array().unwrap().iter().filter(|rule| rule["resourceNames"].is_null() && words(&rule[field]).contains(&word)) {
        for group in words(&rule["apiGroups"]) {
            found.extend(words(&rule["resources"]).into_iter().map(|plural| resource(group, plural)));
        }
    }
    found
}

fn kinds(selected: impl Fn(&Kind) -> bool) -> Names {
    TABLE.iter().filter(|kind| selected(kind)).map(|kind| resource(kind.group, kind.plural)).collect()
}

fn is_namespaced(kind: &Kind) -> bool {
    matches!(kind.build, Build::Inside(_)) && !kind.is_namespace()
}

/// The part of a document between a line and the next that begins with `end`.
fn section<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text.split(&format!("\n{begin}\n")).nth(1).unwrap_or_else(|| panic!("no line is {begin:?}"));
    rest.split(&format!("\n{end}")).next().unwrap()
}

/// Words of a text that are the name of a kind.
fn kinds_in(text: &str) -> Names {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with(|letter: char| letter.is_ascii_uppercase())).map(str::to_owned).collect()
}

#[test]
fn policies_limit_the_operator_in_every_kind_of_the_table() {
    let rules = |path| document(path)["spec"]["matchConstraints"]["resourceRules"].clone();
    let outside = rules("charts/govcloud/policies/operator-outside.yaml");
    let mut named = resources(&outside, "operations", "DELETE");
    for besides in BESIDES {
        assert!(named.remove(besides), "operator-outside.yaml has lost {besides}");
    }
    assert_eq!(named, kinds(is_namespaced), "operator-outside.yaml (left) and the namespaced kinds of TABLE (right)");

    let at_cluster_scope = resources(&rules("charts/govcloud/policies/operator.yaml"), "operations", "DELETE");
    let named: Names = at_cluster_scope.into_iter().filter(|resource| !resource.contains('/')).collect();
    assert_eq!(named, kinds(|kind| !is_namespaced(kind)), "operator.yaml (left) and the cluster-scoped kinds of TABLE (right)");
}

#[test]
fn the_operators_role_lets_it_create_the_kinds_of_the_table_and_no_others() {
    let role = document("charts/govcloud/roles/operator.yaml");
    let mut created = resources(&role["rules"], "verbs", "create");
    assert!(created.remove(EVENTS));
    assert_eq!(created, kinds(|_| true), "roles/operator.yaml (left) and TABLE (right)");
}

#[test]
fn the_documentation_names_the_kinds_of_the_table_and_no_others() {
    let table: Names = TABLE.iter().map(|kind| kind.kind.to_owned()).collect();
    for (file, heading) in
        [("operator/docs/tenants.md", "## What the operator creates"), ("operator/docs/zh-CN/tenants.md", "## Operator 创建的对象")]
    {
        let text = text(file);
        let section = section(&text, heading, "## ");
        let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|--"));
        let mut named: Names = rows.skip(1).filter_map(|row| row[2..].split([' ', '`']).next()).map(str::to_owned).collect();
        // Those of cluster scope stand in a sentence below, before the first name.
        let below = section.lines().find(|line| line.contains("`govcloud:tenant:<")).unwrap();
        named.extend(kinds_in(below.split('`').next().unwrap()).into_iter().filter(|word| word != "Cluster"));
        assert_eq!(named, table, "{file}, {heading:?} (left) and TABLE (right)");
    }
    let text = text("ARCHITECTURE.md");
    let section = section(&text, "**Write modes**", "ownerReferences");
    for mode in [WriteMode::MetadataOnly, WriteMode::Replace, WriteMode::Patch] {
        let row = section.lines().find(|line| line.starts_with(&format!("| {mode:?} |"))).unwrap_or_else(|| panic!("no row {mode:?}"));
        let of_mode: Names = TABLE.iter().filter(|kind| kind.write == mode).map(|kind| kind.kind.to_owned()).collect();
        assert_eq!(kinds_in(row.split(" | ").nth(1).unwrap()), of_mode, "ARCHITECTURE.md, write mode {mode:?} (left) and TABLE (right)");
    }
}
