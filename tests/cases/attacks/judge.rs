//! Tries rows, many at once, and tells who refused each.

use futures::{StreamExt, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use super::{Row, World, change::changed, table::Action};

const AT_ONCE: usize = 16;

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who refused it, if anybody did.
    pub denier: Option<String>,
    /// The rule's word, when it was a policy.
    pub rule: Option<String>,
    /// The API server's words.
    pub message: String,
}

/// Tries all rows; outcomes come in the rows' order.
pub async fn judge(world: &World, rows: &[Row]) -> Vec<Outcome> {
    let clients = &world.clients(rows.iter().map(|row| row.person.as_str())).await;
    let tries = rows.iter().map(|row| async move {
        let client = &clients[row.person.as_str()];
        let mut answer = attempt(world, client, row).await;
        // An object that was changed by somebody between reading and writing.
        for _ in 0..5 {
            match &answer {
                Err(kube::Error::Api(status)) if status.code == 409 && row.action == Action::Update => {
                    answer = attempt(world, client, row).await;
                }
                _ => break,
            }
        }
        outcome(answer, row)
    });
    stream::iter(tries).buffered(AT_ONCE).collect().await
}

fn api(client: &Client, row: &Row) -> Api<DynamicObject> {
    let word = |field: &str| row.base[field].as_str().unwrap();
    let (group, version) = word("apiVersion").rsplit_once('/').unwrap_or(("", word("apiVersion")));
    let kind = GroupVersionKind::gvk(group, version, word("kind"));
    let resource = match word("kind") {
        "Endpoints" => ApiResource::from_gvk_with_plural(&kind, "endpoints"),
        _ => ApiResource::from_gvk(&kind),
    };
    match row.namespace.as_str() {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}

async fn attempt(world: &World, client: &Client, row: &Row) -> kube::Result<()> {
    let api = api(client, row);
    let at = row.at.as_str();
    let post = PostParams { dry_run: true, ..PostParams::default() };
    let read = |value: Value| serde_json::from_value::<DynamicObject>(value).unwrap_or_else(|error| panic!("{}: {error}", row.name));
    match row.action {
        Action::Create if row.sub.as_deref() == Some("token") => {
            let wanted = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
            api.create_subresource::<_, Value>("token", at, &post, &wanted).await.map(drop)
        }
        Action::Create => api.create(&post, &read(changed(&row.base, &row.with))).await.map(drop),
        Action::Patch => patch(&api, row, &PatchParams::default().dry_run(), &Patch::Merge(&row.with)).await,
        Action::Apply => {
            let bare = json!({"apiVersion": row.base["apiVersion"], "kind": row.base["kind"], "metadata": {"name": at}});
            let wanted = changed(&bare, &row.with);
            patch(&api, row, &PatchParams::apply("attempt").force().dry_run(), &Patch::Apply(&wanted)).await
        }
        Action::Update => {
            let there = self::api(&world.admin.client, row).get(at).await?;
            let wanted = changed(&serde_json::to_value(there).unwrap(), &row.with);
            match &row.sub {
                Some(sub) => api.replace_subresource(sub, at, &post, &wanted).await.map(drop),
                None => api.replace(at, &post, &read(wanted)).await.map(drop),
            }
        }
        Action::Delete => api.delete(at, &DeleteParams::default().dry_run()).await.map(drop),
        Action::DeleteAll => api.delete_collection(&DeleteParams::default().dry_run(), &ListParams::default()).await.map(drop),
        Action::Get => match &row.sub {
            Some(sub) => api.get_subresource(sub, at).await.map(drop),
            None => api.get(at).await.map(drop),
        },
        Action::List => api.list(&ListParams::default().limit(1)).await.map(drop),
    }
}

async fn patch(api: &Api<DynamicObject>, row: &Row, parameters: &PatchParams, patch: &Patch<&Value>) -> kube::Result<()> {
    match &row.sub {
        Some(sub) => api.patch_subresource(sub, &row.at, parameters, patch).await.map(drop),
        None => api.patch(&row.at, parameters, patch).await.map(drop),
    }
}

fn outcome(answer: kube::Result<()>, row: &Row) -> Outcome {
    match answer {
        Ok(()) => Outcome { denier: None, rule: None, message: String::new() },
        Err(kube::Error::Api(status)) => {
            let message = status.message.clone();
            Outcome { denier: Some(denier(status.code, &message)), rule: rule(&message).map(str::to_owned), message }
        }
        Err(error) => panic!("{}: {error:?}", row.name),
    }
}

/// Who refused: a policy of ours, or a word for what of Kubernetes did.
fn denier(code: u16, message: &str) -> String {
    if let Some((_, rest)) = message.split_once("ValidatingAdmissionPolicy 'govcloud-") {
        return rest.split('\'').next().unwrap_or_default().to_owned();
    }
    let word = match code {
        403 if message.contains("attempting to grant RBAC permissions not currently held") => "escalation",
        403 if message.contains("violates PodSecurity") => "pod-security",
        403 if message.contains("exceeded quota") => "quota",
        403 if message.contains("cannot ") => "rbac",
        400 | 422 => "schema",
        404 => "absent",
        _ => return format!("{code}"),
    };
    word.to_owned()
}

fn rule(message: &str) -> Option<&str> {
    denied_request(message)?.strip_prefix("rule ")?.split(": ").next()
}

/// The policy's own words.
fn denied_request(message: &str) -> Option<&str> {
    message.split_once(" denied request: ").map(|(_, words)| words)
}

impl Outcome {
    /// What is not as the row says, if anything.
    pub fn complaint(&self, row: &Row) -> Option<String> {
        let attack = row.attack.as_ref().map_or(String::new(), |attack| format!(" ({attack})"));
        let who = |denier: Option<&str>| denier.map_or("admitted".to_owned(), |denier| format!("refused by {denier}"));
        let told = || format!("{}{attack} as {}: ", row.name, row.person);
        if self.denier != row.denied {
            let [is, should] = [&self.denier, &row.denied].map(|denier| who(denier.as_deref()));
            return Some(format!("{}{is}, should be {should}: {}", told(), self.message));
        }
        if self.rule != row.rule {
            return Some(format!("{}rule {:?}, should be {:?}: {}", told(), self.rule, row.rule, self.message));
        }
        let poor = row.rule.as_ref().and_then(|_| poor(denied_request(&self.message)?))?;
        Some(format!("{}{poor}: {}", told(), self.message))
    }
}

/// What a refusal lacks: the rule, the field or object, the value or what is allowed, and whom to ask.
fn poor(words: &str) -> Option<&'static str> {
    let parts: Vec<&str> = words.splitn(3, ": ").collect();
    if parts.len() < 3 || parts.iter().any(|part| part.trim().is_empty()) {
        return Some("the message names no field or no value");
    }
    if !words.contains("ask ") && !words.contains("an Owner of ") {
        return Some("the message names nobody to ask");
    }
    let technical = words.contains("failed expression") || words.contains("no such key") || words.len() > 3000;
    technical.then_some("the message is not for people")
}
