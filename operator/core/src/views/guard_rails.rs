//! The guard rails on objects that nobody sends to the API server: the cluster's own policies, evaluated as if the object were created
//! by a member in a namespace as it will be.

use std::collections::{BTreeMap, BTreeSet};

use kube_cel::cel::{Context, Value as CelValue, objects::Map};
use serde_json::{Value, json};

use super::cel::{Program, bind, context};

/// The policies of one cluster.
#[derive(Default)]
pub struct GuardRails(Vec<Policy>);

struct Policy {
    name: String,
    rules: Vec<Value>,
    selector: Vec<Value>,
    conditions: Vec<Option<Program>>,
    variables: Vec<(String, Option<Program>)>,
    validations: Vec<Validation>,
}

struct Validation {
    holds: Option<Program>,
    words: Option<Program>,
    message: String,
}

/// An object, and the resource as which it is written.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Resource. Example: deployments.
    pub plural: String,
    /// The object.
    pub object: Value,
}

/// What the guard rails say of an object.
#[derive(Debug, Default)]
pub struct Judged {
    /// Messages of the validations that refuse it, by policy and place.
    pub refused: BTreeMap<(String, usize), String>,
    /// Policies that could not be evaluated on it here.
    pub unknown: BTreeSet<String>,
}

impl GuardRails {
    /// Reads `ValidatingAdmissionPolicy` objects.
    #[must_use]
    pub fn read(policies: &[Value]) -> Self {
        Self(policies.iter().map(Policy::read).collect())
    }

    /// Judges the create of an object in a namespace.
    #[must_use]
    pub fn judge(&self, subject: &Subject, namespace: &Value) -> Judged {
        let (group, object) = (group(&subject.object), bare(&subject.object));
        let request = json!({
            "operation": "CREATE",
            "namespace": namespace["metadata"]["name"],
            "name": object["metadata"]["name"],
            "kind": { "group": group, "kind": object["kind"] },
            "resource": { "group": group, "resource": subject.plural },
            "userInfo": { "username": "", "groups": [] },
        });
        let mut judged = Judged::default();
        for policy in self.0.iter().filter(|policy| policy.selects(namespace) && policy.is_about(&group, &subject.plural)) {
            let mut context = context();
            for (name, value) in [("object", &object), ("oldObject", &Value::Null), ("namespaceObject", namespace), ("request", &request)] {
                bind(&mut context, name, value);
            }
            policy.judge(context, &mut judged);
        }
        judged
    }
}

impl Policy {
    fn read(policy: &Value) -> Self {
        let spec = &policy["spec"];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let program = |value: &Value| value.as_str().and_then(Program::parse);
        let validation = |value: &Value| Validation {
            holds: program(&value["expression"]),
            words: program(&value["messageExpression"]),
            message: text(&value["message"]),
        };
        Self {
            name: text(&policy["metadata"]["name"]),
            rules: list(&spec["matchConstraints"]["resourceRules"]),
            selector: list(&spec["matchConstraints"]["namespaceSelector"]["matchExpressions"]),
            conditions: list(&spec["matchConditions"]).iter().map(|condition| program(&condition["expression"])).collect(),
            variables: list(&spec["variables"]).iter().map(|value| (text(&value["name"]), program(&value["expression"]))).collect(),
            validations: list(&spec["validations"]).iter().map(validation).collect(),
        }
    }

    /// Whether the labels of the namespace are selected; ours ask for no more than whether a label is there.
    fn selects(&self, namespace: &Value) -> bool {
        let has = |term: &Value| term["key"].as_str().is_some_and(|key| namespace["metadata"]["labels"].get(key).is_some());
        self.selector.iter().all(|term| match term["operator"].as_str() {
            Some("Exists") => has(term),
            Some("DoesNotExist") => !has(term),
            _ => false,
        })
    }

    fn is_about(&self, group: &str, plural: &str) -> bool {
        let names = |list: &Value, word: &str| list.as_array().into_iter().flatten().any(|known| known == word || known == "*");
        self.rules.iter().any(|rule| {
            rule["resourceNames"].is_null()
                && names(&rule["apiGroups"], group)
                && names(&rule["resources"], plural)
                && names(&rule["operations"], "CREATE")
        })
    }

    fn judge(&self, mut context: Context, judged: &mut Judged) {
        for condition in &self.conditions {
            match condition.as_ref().and_then(|program| program.holds(&context)) {
                Some(true) => {}
                Some(false) => return,
                None => {
                    judged.unknown.insert(self.name.clone());
                    return;
                }
            }
        }
        self.bind_variables(&mut context);
        for (place, validation) in self.validations.iter().enumerate() {
            match validation.holds.as_ref().and_then(|program| program.holds(&context)) {
                Some(true) => {}
                Some(false) => drop(judged.refused.insert((self.name.clone(), place), validation.say(&context))),
                None => drop(judged.unknown.insert(self.name.clone())),
            }
        }
    }

    /// One after the other, since each may name those before. One without a value is left out, as where only a message asks for it.
    fn bind_variables(&self, context: &mut Context) {
        let mut variables = std::collections::HashMap::<String, CelValue>::new();
        context.add_variable_from_value("variables", CelValue::Map(Map::from(variables.clone())));
        for (name, program) in &self.variables {
            if let Some(value) = program.as_ref().and_then(|program| program.value(context)) {
                variables.insert(name.clone(), value);
                context.add_variable_from_value("variables", CelValue::Map(Map::from(variables.clone())));
            }
        }
    }
}

impl Validation {
    fn say(&self, context: &Context) -> String {
        match self.words.as_ref().and_then(|words| words.value(context)) {
            Some(CelValue::String(words)) if !words.is_empty() => words.to_string(),
            _ => self.message.clone(),
        }
    }
}

/// The API group of an object.
fn group(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default()
}

/// The object as somebody would write it again: without what Kubernetes itself has filled in since.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    for path in ["/status", "/metadata/finalizers", "/metadata/ownerReferences", "/metadata/managedFields"] {
        if let Some((parent, field)) = path.rsplit_once('/') {
            object.pointer_mut(parent).and_then(Value::as_object_mut).map(|fields| fields.remove(field));
        }
    }
    let chosen = match object["kind"].as_str() {
        Some("Pod") => "nodeName",                     // by the scheduler
        Some("PersistentVolumeClaim") => "volumeName", // by the binder
        _ => return object,
    };
    object["spec"].as_object_mut().map(|spec| spec.remove(chosen));
    object
}
