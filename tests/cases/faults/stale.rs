//! A list of former times in which something is missing that exists: nothing is closed, ended or deleted for it.

use std::time::Duration;

use acceptance::proxy::Fault;
use tokio::time::sleep;

use super::{Faulty, steps::Act, world::unlike};
use crate::{alone::Alone, cluster::Person, history::History};

const RESOURCES: [&str; 8] =
    ["hostedsystems", "agencytenants", "namespaces", "resourcequotas", "networkpolicies", "limitranges", "rolebindings", "serviceaccounts"];

/// The operator believes the list for so long, before its watch tells what has happened since.
const BELIEVED: Duration = Duration::from_secs(2);

/// Moments at which the system was closed, or somebody shut out of it.
fn closed(history: &History, namespace: &str) -> Vec<String> {
    let shut_out = history.of("RoleBinding", namespace).filter(|revision| revision.object.is_none());
    let starved = history
        .of("ResourceQuota", namespace)
        .filter(|revision| revision.object.as_ref().is_none_or(|quota| quota["spec"]["hard"]["pods"] != "60"));
    let cut_off = history
        .of("NetworkPolicy", namespace)
        .filter(|revision| revision.object.as_ref().is_none_or(|policy| !policy["spec"]["ingress"].is_array()));
    shut_out.chain(starved).chain(cut_off).map(|revision| format!("{} {} at {}", revision.kind, revision.name, revision.version)).collect()
}

async fn pod(admin: &Person) -> String {
    admin.get("Pod", "former--web", "running").await["metadata"]["uid"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_former_times_closes_nothing() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    let mut faulty = Faulty::start(&alone).await;
    let former = faulty.proxy.lists();
    let tenants = ["former".to_owned()];
    for act in [Act::Create, Act::Declare(&["web"]), Act::Start] {
        act.perform(&admin, "former").await;
        faulty.settled(&admin, &tenants).await;
    }
    let mut before = faulty.settled(&admin, &tenants).await;
    before.insert("before".to_owned(), before["former"].clone());
    let running = pod(&admin).await;
    let mut wrong = Vec::new();
    for resource in RESOURCES {
        faulty.end();
        let mut history = History::begin(&admin).await;
        let list = former[resource].clone();
        faulty = Faulty::start_with(&alone, alone.program, |proxy| {
            proxy.stall_watches(true);
            proxy.arm(Fault::Stale(list), 0, 1, move |asked| asked.verb == "list" && asked.resource == resource);
        })
        .await;
        sleep(BELIEVED).await;
        faulty.proxy.stall_watches(false);
        let mut worlds = faulty.settled(&admin, &tenants).await;
        worlds.insert("before".to_owned(), before["before"].clone());
        history.catch_up(&admin, |tenant| tenant == "former").await;
        let writes: Vec<String> = faulty.proxy.writes_of("former").iter().map(ToString::to_string).collect();
        let deleted = writes.iter().filter(|line| line.starts_with("delete")).cloned();
        let complaints = closed(&history, "former--web").into_iter().chain(deleted).chain(unlike(&worlds, "before"));
        wrong.extend(complaints.map(|complaint| format!("without {resource}: {complaint}")));
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(pod(&admin).await, running);
    faulty.end();
}
