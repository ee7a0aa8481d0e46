//! The classes that the API server's admission plugins put into claims and Ingresses that name none.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::guard_rails::Subject;

/// Annotations of the class that is the cluster's default, and of objects that name a class as it was done formerly.
const STORAGE: [&str; 2] = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
const INGRESS: [&str; 1] = ["ingressclass.kubernetes.io/is-default-class"];
const FORMER_STORAGE: &str = "volume.beta.kubernetes.io/storage-class";
const FORMER_INGRESS: &str = "kubernetes.io/ingress.class";

/// The cluster's default classes, where it has some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultClasses {
    storage: Option<String>,
    ingress: Option<String>,
}

impl DefaultClasses {
    /// Finds them among all storage and ingress classes.
    #[must_use]
    pub fn read(storage: &[Value], ingress: &[Value]) -> Self {
        Self { storage: newest(storage, &STORAGE), ingress: newest(ingress, &INGRESS) }
    }

    /// Completes an object as the API server does when it is created.
    pub fn complete(&self, subject: &mut Subject) {
        let (field, class, former) = match subject.plural.as_str() {
            "persistentvolumeclaims" => ("storageClassName", &self.storage, FORMER_STORAGE),
            "ingresses" => ("ingressClassName", &self.ingress, FORMER_INGRESS),
            _ => return,
        };
        let object = &mut subject.object;
        let names_class = !object["spec"][field].is_null() || !object["metadata"]["annotations"][former].is_null();
        if let Some(class) = class.as_ref().filter(|_| !names_class) {
            object["spec"][field] = json!(class);
        }
    }
}

/// Of several default classes the newest, as the API server chooses.
fn newest(classes: &[Value], marks: &[&str]) -> Option<String> {
    let is_default = |class: &&Value| marks.iter().any(|mark| class["metadata"]["annotations"][*mark] == "true");
    let text = |class: &Value, field: &str| class["metadata"][field].as_str().unwrap_or_default().to_owned();
    let defaults = classes.iter().filter(is_default);
    defaults.map(|class| (text(class, "creationTimestamp"), Reverse(text(class, "name")))).max().map(|(_, Reverse(name))| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, created: &str, mark: &str) -> Value {
        json!({ "metadata": { "name": name, "creationTimestamp": created, "annotations": { mark: "true" } } })
    }

    fn completed(plural: &str, object: Value) -> Value {
        let storage = [class("old", "2026-01-01T00:00:00Z", STORAGE[0]), class("new", "2026-02-01T00:00:00Z", STORAGE[1])];
        let same_time = |name| class(name, "2026-01-01T00:00:00Z", INGRESS[0]);
        let defaults =
            DefaultClasses::read(&storage, &[same_time("public"), same_time("internal"), json!({ "metadata": { "name": "a" } })]);
        let mut subject = Subject { plural: plural.into(), object };
        defaults.complete(&mut subject);
        subject.object
    }

    #[test]
    fn an_object_that_names_no_class_gets_the_newest_default() {
        assert_eq!(completed("persistentvolumeclaims", json!({ "spec": {} }))["spec"]["storageClassName"], "new");
        assert_eq!(completed("ingresses", json!({ "spec": {} }))["spec"]["ingressClassName"], "internal");
    }

    #[test]
    fn an_object_that_names_a_class_keeps_it() {
        for object in [
            json!({ "spec": { "storageClassName": "" } }),
            json!({ "metadata": { "annotations": { FORMER_STORAGE: "slow" } }, "spec": { "storageClassName": null } }),
        ] {
            assert_eq!(completed("persistentvolumeclaims", object.clone())["spec"], object["spec"]);
        }
        assert_eq!(completed("services", json!({ "spec": {} })), json!({ "spec": {} }));
    }
}
