//! What a takeover would change in a namespace that is there already, what stays in it as it is, and what it uses of its future quota.

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::guard_rails::Subject;
use crate::{
    children::desired::Desired,
    model::{
        amounts::{Amount, Amounts},
        names::{ANNOTATION_CONTRACT, is_ours},
        pod_usage::Usage,
        tenant::Tenant,
        text::on_one_line,
    },
    plan::NamespacePlan,
};

/// Characters of a list that fits on a line.
const LINE: usize = 100;

/// What becomes of the namespace's own labels, annotations and owners, and which objects are written into it.
#[must_use]
pub fn changes(space: &NamespacePlan, live: &Value, there: &[Subject]) -> Vec<String> {
    let (namespace, children): (Vec<_>, Vec<_>) = space.desired.iter().partition(|desired| desired.kind.is_namespace());
    let marks = namespace.iter().flat_map(|desired| ["labels", "annotations"].map(|field| marks(field, &desired.object, live))).flatten();
    let owners = &live["metadata"]["ownerReferences"];
    let owners = owners
        .as_array()
        .is_some_and(|list| !list.is_empty())
        .then(|| format!("metadata.ownerReferences of the namespace are removed: {owners}"));
    let objects = children.into_iter().map(|desired| {
        let what = if is_there(desired, there) { "is there, and is replaced" } else { "is created" };
        format!("{} {what}", name(desired.kind.kind, &desired.name))
    });
    marks.chain(owners).chain(objects).collect()
}

/// Our labels or annotations as they will be; those of others stay.
fn marks(field: &str, planned: &Value, live: &Value) -> Vec<String> {
    let word = field.trim_end_matches('s');
    let [planned, live] = [planned, live].map(|object| object["metadata"][field].as_object().cloned().unwrap_or_default());
    let set = planned.iter().filter(|(key, value)| live.get(*key) != Some(value)).map(|(key, value)| {
        let text = if key == ANNOTATION_CONTRACT { "..." } else { value.as_str().unwrap_or_default() };
        let text = on_one_line(text, LINE);
        match live.get(key) {
            Some(old) => format!("{word} {key}: {old} becomes \"{text}\""),
            None => format!("{word} {key} is set to \"{text}\""),
        }
    });
    let removed = live.keys().filter(|key| is_ours(key) && !planned.contains_key(*key)).map(|key| format!("{word} {key} is removed"));
    set.chain(removed).collect()
}

fn is_there(desired: &Desired, there: &[Subject]) -> bool {
    there.iter().any(|subject| subject.plural == desired.kind.plural && subject.object["metadata"]["name"] == desired.name)
}

/// What others wrote and stays in force beside what is written: whom it lets in, what else limits it, what else opens its network.
#[must_use]
pub fn stays(space: &NamespacePlan, tenant: &Tenant, there: &[Subject]) -> Vec<String> {
    let others = there.iter().filter(|subject| {
        !space.desired.iter().any(|desired| subject.plural == desired.kind.plural && subject.object["metadata"]["name"] == desired.name)
    });
    let words = |subject: &Subject| {
        let what = |kind: &str| name(kind, subject.object["metadata"]["name"].as_str().unwrap_or_default());
        Some(match subject.plural.as_str() {
            "resourcequotas" => {
                format!("{}: pods must fit into it, too; delete it when govcloud-quota is to be the only one", what("ResourceQuota"))
            }
            "limitranges" => format!("{}: its defaults and limits hold, too", what("LimitRange")),
            "networkpolicies" => format!("{}: what it opens stays open", what("NetworkPolicy")),
            "rolebindings" => {
                let role = subject.object["roleRef"]["name"].as_str().unwrap_or_default();
                format!("{}: role {role} for {}", what("RoleBinding"), subjects(&subject.object, tenant))
            }
            _ => return None,
        })
    };
    others.filter_map(words).collect()
}

fn subjects(binding: &Value, tenant: &Tenant) -> String {
    let members: Vec<&str> = tenant.members.iter().map(|member| member.name.as_str()).collect();
    let subject = |subject: &Value| {
        let (kind, name) = (subject["kind"].as_str().unwrap_or_default(), subject["name"].as_str().unwrap_or_default());
        let stranger = if kind == "ServiceAccount" || members.contains(&name) { "" } else { " (no member of the agency)" };
        format!("{kind} {name}{stranger}")
    };
    let all: Vec<String> = binding["subjects"].as_array().into_iter().flatten().map(subject).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

/// What pods and claims use now against what the quota will allow.
#[must_use]
pub fn usage(space: &NamespacePlan, there: &[Subject], now: Timestamp) -> Vec<String> {
    let quota = space.desired.iter().find(|desired| desired.kind.kind == "ResourceQuota");
    let hard = |key: &str| quota.and_then(|quota| Amount::parse(quota.object["spec"]["hard"][key].as_str()?).ok()).unwrap_or_default();
    let line = |(key, used): (String, Amount)| {
        let hard = hard(&key);
        let beyond = if used > hard { "; what runs goes on, and nothing new is admitted until less is used" } else { "" };
        (used > Amount::ZERO).then(|| format!("{key}: {} used now, {} allowed{beyond}", used.text(&key), hard.text(&key)))
    };
    used(there, now).into_iter().filter_map(line).collect()
}

fn used(there: &[Subject], now: Timestamp) -> Amounts {
    let mut pods = Usage::default();
    for pod in there.iter().filter(|subject| subject.plural == "pods") {
        pods.add(&pod.object, now);
    }
    let mut used = pods.most;
    for claim in there.iter().filter(|subject| subject.plural == "persistentvolumeclaims") {
        let wanted = claim.object["spec"]["resources"]["requests"]["storage"].as_str();
        let sum = used.entry("requests.storage".to_owned()).or_default();
        *sum = sum.plus(wanted.and_then(|text| Amount::parse(text).ok()).unwrap_or_default());
    }
    used
}

fn name(kind: &str, name: &str) -> String {
    format!("{kind} {name}")
}
