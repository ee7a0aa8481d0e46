//! Kubernetes' own `view`, `edit` and `admin` beside the roles of members, verb by verb: what members lack or have besides is in a table,
//! and in a sentence of the role's file.

use std::{collections::BTreeSet, fs};

use k8s_openapi::api::{
    authorization::v1::ResourceRule,
    rbac::v1::{ClusterRole, PolicyRule},
};
use kube::{Api, Client};

use super::{
    access::{Rights, Served, What, spell},
    table::{Cells, Table, cell},
};

/// A member's role, and Kubernetes' role of the same reach.
const PAIRS: [(&str, &str); 3] = [("owner", "admin"), ("deployer", "edit"), ("auditor", "view")];

pub const DIFFERENCES: Table = Table {
    file: "differences.yaml",
    about: "Kubernetes' own `admin`, `edit` and `view` beside the roles of Owners, Deployers and Auditors, as the API server holds them: what\n\
            members lack of them, and what they have besides, of all that is served. Each line has its sentence at the top of the role's\n\
            file in charts/govcloud/roles. Written by the cases `matrix`, read by people.",
    order: &["owner", "deployer", "auditor", "lacks", "has besides"],
    merged: false,
};

/// The differences, and complaints about those that no sentence names.
pub async fn differences(client: &Client) -> (Cells, Vec<String>) {
    let served = Served::ask(client).await;
    let (mut cells, mut untold) = (Cells::new(), Vec::new());
    for (ours, theirs) in PAIRS {
        let (own, kubernetes) = (rights(client, &format!("govcloud:{ours}"), &served).await, rights(client, theirs, &served).await);
        let sentences = sentences(ours);
        for (side, different) in [("lacks", lacking(&kubernetes, &own)), ("has besides", lacking(&own, &kubernetes))] {
            for (what, verb) in different {
                if !served.names(&what).iter().any(|name| sentences.contains(name)) {
                    untold.push(format!("charts/govcloud/roles/{ours}.yaml says nothing of {what}, which {ours} {side} ({verb})"));
                }
                cells.insert(cell(ours, side, &what.to_string(), &verb));
            }
        }
    }
    (cells, untold)
}

/// What a role has of what is served.
async fn rights(client: &Client, name: &str, served: &Served) -> Rights {
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let role = roles.get(name).await.unwrap();
    let rules = role.rules.unwrap_or_default();
    rules.iter().flat_map(|rule| spell(&resource_rule(rule), served)).filter(|(what, _)| served.has(what)).collect()
}

fn resource_rule(rule: &PolicyRule) -> ResourceRule {
    let PolicyRule { api_groups, resources, resource_names, verbs, .. } = rule.clone();
    ResourceRule { api_groups, resources, resource_names, verbs }
}

/// What is in the first and not in the second. Of one object alone is less than of all.
fn lacking(first: &Rights, second: &Rights) -> Vec<(What, String)> {
    let missing = |(what, verb): &&(What, String)| {
        let covered = |what: What| second.contains(&(what, verb.clone()));
        !covered(what.clone()) && !covered(what.of_all())
    };
    first.iter().filter(missing).cloned().collect()
}

/// The words of the comments.
fn sentences(role: &str) -> BTreeSet<String> {
    let file = acceptance::workspace().join(format!("charts/govcloud/roles/{role}.yaml"));
    let text = fs::read_to_string(file).unwrap();
    let comments = text.lines().filter_map(|line| line.strip_prefix('#'));
    let words = comments.flat_map(|line| line.split(|letter: char| !(letter.is_ascii_alphanumeric() || "./-".contains(letter))));
    words.map(|word| word.trim_end_matches('.').to_owned()).collect()
}
