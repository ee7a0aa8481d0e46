//! The definitions are a promise: what any released version admitted, this one admits. `tests/released` has those of each release. And
//! every Kubernetes version that is supported takes them.

use std::fs;

use acceptance::{Tool, definitions, workspace};
use serde_json::{Value, json};

use crate::times;

/// Rules that came after a release and refuse nothing that it admitted, for example because they are about a field that is new. Other new
/// rules are refused, although the API server holds a stored object against them only where it is changed: that may be where the operator
/// or a deployment tool has to write.
const HARMLESS_RULES: [&str; 2] = [
    // Accounts of the platform may be members: it refuses less than the rule whose place it takes.
    "oldSelf.hasValue() && (oldSelf.value().spec.members == self.spec.members) || (self.spec.members.all(m, m.kind != 'ServiceAccount' || \
     !has(m.__namespace__) || m.__namespace__ == '' || m.__namespace__.split('--')[0] == self.metadata.name || \
     !m.__namespace__.contains('--')))",
    // A share of pods without what each pod uses: no pod was ever admitted with one. The map is judged only where it is changed, so who
    // applies a stored one again, or writes another field beside it, is not refused.
    "!self.exists(k, k in ['pods', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'] || k.startsWith('requests.') && \
     k.contains('/')) || ['pods', 'requests.cpu', 'requests.memory'].all(k, k in self)",
];

/// What the later definition takes back, as far as it is found here or by crdify.
fn taken_back(crdify: &Tool, old: &Value, new: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, definition: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, definitions::without_rules(definition).to_string()).unwrap();
        format!("file://{}", path.display())
    };
    let config = workspace().join("tests/platform/crdify/config.yaml");
    let arguments = ["--config", config.to_str().unwrap(), &file("old.yaml", old), &file("new.yaml", new)];
    let mut lines = definitions::taken_back(old, new, &HARMLESS_RULES);
    if let Err(refused) = crdify.run(folder.path(), &arguments, "") {
        let refused = format!("{refused:#}");
        let found: Vec<String> = refused.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
        assert!(!found.is_empty(), "crdify fails otherwise: {refused}");
        lines.extend(found);
    }
    lines
}

fn read(path: &std::path::Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

#[test]
fn what_a_release_admitted_is_admitted() {
    times::take();
    let crdify = Tool::crdify().unwrap_or_else(|error| panic!("{error:#}"));
    let mut compared = 0;
    for release in fs::read_dir(workspace().join("tests/released")).unwrap() {
        for old in fs::read_dir(release.unwrap().path()).unwrap() {
            let old = old.unwrap();
            let new = workspace().join("charts/govcloud/definitions").join(old.file_name());
            assert_eq!(taken_back(&crdify, &read(&old.path()), &read(&new)), [""; 0], "{}", old.path().display());
            compared += 1;
        }
    }
    assert!(compared >= 2, "there are two kinds, and {compared} definitions were compared");
}

#[test]
fn each_way_to_break_the_promise_is_found() {
    times::take();
    let crdify = Tool::crdify().unwrap_or_else(|error| panic!("{error:#}"));
    let definition = read(&workspace().join("charts/govcloud/definitions/agencytenants.yaml"));
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let changed = |path: &str, change: &dyn Fn(&mut Value)| {
        let mut new = definition.clone();
        change(new.pointer_mut(&format!("{spec}{path}")).unwrap_or_else(|| panic!("there is no {path}")));
        taken_back(&crdify, &definition, &new)
    };
    let without = |field: &'static str| move |value: &mut Value| drop(value.as_object_mut().unwrap().remove(field));
    let with = |field: &'static str, content: Value| move |value: &mut Value| value[field] = content.clone();
    let append = |content: Value| move |value: &mut Value| value.as_array_mut().unwrap().push(content.clone());
    let role = "/properties/members/items/properties/role";

    assert_eq!(changed("/properties", &with("more", json!({"type": "string"}))), [""; 0], "a field that may be left out");
    assert_eq!(changed("/properties/displayName", &with("description", json!("In other words."))), [""; 0]);
    assert_eq!(changed("/properties/displayName", &with("maxLength", json!(1000))), [""; 0], "a limit that is wider");
    assert_eq!(changed(&format!("{role}/enum"), &append(json!("Guest"))), [""; 0], "a value more");

    let scope = {
        let mut new = definition.clone();
        new["spec"]["scope"] = json!("Namespaced");
        taken_back(&crdify, &definition, &new)
    };
    for (found, words) in [
        (scope, "scope changed"),
        (changed("/properties", &without("domains")), "removed field"),
        (changed("/properties/domains", &with("type", json!("string"))), "type changed"),
        (changed("/required", &append(json!("domains"))), "required"),
        (changed(&format!("{role}/enum"), &|value| drop(value.as_array_mut().unwrap().pop())), "enum"),
        (changed("/properties/displayName", &with("enum", json!(["one"]))), "enum"),
        (changed("/properties/displayName", &with("maxLength", json!(3))), "maxLength"),
        (changed("/properties/displayName", &with("minLength", json!(30))), "minLength"),
        (changed("/properties/domains", &with("maxItems", json!(1))), "maxItems"),
        (changed("/properties/displayName", &with("pattern", json!("^a"))), "unhandled"),
        (changed("/properties/displayName", &with("default", json!("one"))), "default"),
        (changed("/properties/domains", &with("x-kubernetes-list-type", json!("atomic"))), "unhandled"),
        (changed("/properties/domains", &with("x-kubernetes-validations", json!([{"rule": "false"}]))), "new rule: false"),
    ] {
        assert!(found.iter().any(|line| line.contains(words)), "{words}: {found:#?}");
    }
}

#[test]
fn the_oldest_kubernetes_that_is_supported_takes_the_definitions() {
    times::take();
    let oldest = Tool::oldest_kubernetes().unwrap_or_else(|error| panic!("{error:#}"));
    let chart = fs::read_to_string(workspace().join("charts/govcloud/Chart.yaml")).unwrap();
    let minor = chart.split_once("kubeVersion: \">=1.").and_then(|(_, rest)| rest.split_once('.')).unwrap().0;
    let module = fs::read_to_string(workspace().join("tests/platform/oldest/go.mod")).unwrap();
    assert!(module.contains(&format!("k8s.io/apiextensions-apiserver v0.{minor}.")), "the chart is for 1.{minor}, and not the module");

    let folder = workspace().join("charts/govcloud/definitions");
    oldest.run(&folder, &["agencytenants.yaml", "hostedsystems.yaml"], "").unwrap_or_else(|error| panic!("{error:#}"));
    let mut wrong = read(&folder.join("agencytenants.yaml"));
    let costly = json!({"rule": "self.members.all(m, self.members.all(n, self.members.exists_one(o, o.name + m.name == n.name)))"});
    wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] = json!([costly]);
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("wrong.yaml"), wrong.to_string()).unwrap();
    let refused = format!("{:#}", oldest.run(other.path(), &["wrong.yaml"], "").unwrap_err());
    assert!(refused.contains("estimated rule cost exceeds budget"), "{refused}");
}
