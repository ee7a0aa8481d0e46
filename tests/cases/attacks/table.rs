//! The tables as they are written, and the rows that are in them.

use std::{collections::BTreeMap, iter};

use govcloud_core::model::names::POLICIES;
use serde::Deserialize;
use serde_json::{Value, json};

use super::World;

const BASES: &str = include_str!("tables/bases.yaml");
const TABLES: [(&str, &str); 7] = [
    ("workloads", include_str!("tables/workloads.yaml")),
    ("services", include_str!("tables/services.yaml")),
    ("access", include_str!("tables/access.yaml")),
    ("network", include_str!("tables/network.yaml")),
    ("marks", include_str!("tables/marks.yaml")),
    ("tenants", include_str!("tables/tenants.yaml")),
    ("operator", include_str!("tables/operator.yaml")),
];

/// One attempt, and what should come of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Table and name, for people.
    pub name: String,
    /// Number in the list of attacks, where it is one of those.
    pub attack: Option<String>,
    /// Who tries: a word of `people`, or a user's name.
    pub person: String,
    pub action: Action,
    /// The ordinary object.
    pub base: Value,
    /// The object that is there already, by name; else the base's own name.
    pub at: String,
    /// Namespace; empty for the cluster.
    pub namespace: String,
    pub sub: Option<String>,
    /// The change, or the patch.
    pub with: Value,
    /// Who should refuse: a policy without its prefix, or one of the words of [`super::judge::denier`].
    pub denied: Option<String>,
    /// The rule's word in the policy's message.
    pub rule: Option<String>,
}

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    #[default]
    Create,
    /// Merges `with` into the object.
    Patch,
    /// Changes the object as it is, and puts it back.
    Update,
    /// Server-side apply, forced.
    Apply,
    Delete,
    DeleteAll,
    Get,
    List,
}

impl Row {
    /// An attempt of the clinic's owner in its workload namespace to create this object as it is.
    pub fn creation(name: String, base: Value, attack: &str, denied: Option<(&str, &str)>) -> Self {
        Self {
            name,
            attack: denied.map(|_| attack.to_owned()),
            person: "owner".to_owned(),
            action: Action::Create,
            base,
            at: String::new(),
            namespace: "clinic--web".to_owned(),
            sub: None,
            with: json!({}),
            denied: denied.map(|(denier, _)| denier.to_owned()),
            rule: denied.map(|(_, rule)| rule.to_owned()).filter(|rule| !rule.is_empty()),
        }
    }
}

/// Rows with what they have in common.
#[derive(Deserialize)]
struct Group {
    #[serde(flatten)]
    common: Common,
    rows: Vec<RowText>,
}

#[derive(Clone, Default, Deserialize)]
struct Common {
    of: Option<String>,
    #[serde(rename = "as")]
    person: Option<String>,
    #[serde(rename = "do")]
    action: Option<Action>,
    at: Option<String>,
    #[serde(rename = "in")]
    place: Option<String>,
    sub: Option<String>,
}

#[derive(Deserialize)]
struct RowText {
    name: String,
    attack: Option<String>,
    #[serde(flatten)]
    own: Common,
    with: Option<Value>,
    denied: Option<String>,
    rule: Option<String>,
    /// Whether it is so only where no operator does its part at once.
    #[serde(default)]
    dead: bool,
}

/// The ordinary objects by name.
pub fn bases(world: &World) -> BTreeMap<String, Value> {
    serde_yaml::from_str(&world.filled(BASES)).unwrap()
}

/// The rows of all tables.
pub fn written(world: &World) -> Vec<Row> {
    let bases = bases(world);
    let mut rows = Vec::new();
    for (table, text) in TABLES {
        let groups: Vec<Group> = serde_yaml::from_str(&world.filled(text)).unwrap_or_else(|error| panic!("{table}: {error}"));
        for group in groups {
            let rows_now = group.rows.into_iter().filter(|text| !text.dead || world.operator_is_dead);
            rows.extend(rows_now.map(|text| row(table, &bases, &group.common, text)));
        }
    }
    rows
}

fn row(table: &str, bases: &BTreeMap<String, Value>, common: &Common, text: RowText) -> Row {
    let name = format!("{table}: {}", text.name);
    let own = text.own;
    let of = own.of.as_ref().or(common.of.as_ref()).unwrap();
    let base = bases.get(of).unwrap_or_else(|| panic!("{name}: there is no base {of}")).clone();
    let of_its_own = own.of.is_some();
    // An object of another kind is not at the same name.
    let at = own.at.or_else(|| common.at.clone().filter(|_| !of_its_own));
    Row {
        person: own.person.or_else(|| common.person.clone()).unwrap_or_else(|| "owner".to_owned()),
        action: own.action.or(common.action).unwrap_or_default(),
        at: at.unwrap_or_else(|| base["metadata"]["name"].as_str().unwrap_or_default().to_owned()),
        namespace: namespace(&own.place.or_else(|| common.place.clone()).unwrap_or_default()),
        sub: own.sub.or_else(|| common.sub.clone()),
        base,
        with: text.with.unwrap_or_else(|| json!({})),
        attack: text.attack,
        denied: text.denied,
        rule: text.rule,
        name,
    }
}

/// A place as the tables call it.
fn namespace(place: &str) -> String {
    let name = match place {
        "home" => "clinic",
        "web" => "clinic--web",
        "db" => "clinic--db",
        "paused" => "clinic--paused",
        "shop" => "museum--shop",
        "odd-home" => "oddity",
        "odd" => "oddity--odd",
        "plain" => "plain-ground",
        "cluster" => "",
        other => other,
    };
    name.to_owned()
}

/// Each policy's probe, which nobody may create, and a neighbour of theirs, which is nobody's business.
pub fn probes(world: &World) -> Vec<Row> {
    let base = bases(world)["clusterrole"].clone();
    let row = |policy: Option<&str>| {
        let name = format!("govcloud:probe:{}", policy.unwrap_or("none-of-ours"));
        let denied = policy.and_then(|policy| policy.strip_prefix("govcloud-")).map(|policy| (policy, ""));
        Row {
            person: "admin".to_owned(),
            namespace: String::new(),
            with: json!({"metadata": {"name": name}}),
            ..Row::creation(format!("probes: {name}"), base.clone(), "", denied)
        }
    };
    POLICIES.into_iter().map(|policy| row(Some(policy))).chain(iter::once(row(None))).collect()
}
