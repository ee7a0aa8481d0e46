//! The access matrix: everything that the API server serves, every verb, everybody, everywhere, against one table that was reviewed.
//! What is in no table is denied; what appears or goes missing, a resource of a newer Kubernetes too, fails until somebody has
//! looked at it.

mod access;
mod attempts;
mod differences;
mod laws;
mod table;
mod tries;
mod world;

use std::time::Instant;

use access::Access;
use table::Table;

use crate::{
    alone::Alone,
    cluster::{admin, shared},
};

/// By RBAC.
const EXPECTED: Table = Table {
    file: "expected.yaml",
    about: "Who may do what, as RBAC decides; whatever is not here is denied. A place has what `cluster` has and more; everybody\n\
            has what `everybody` has, and a ServiceAccount what `every account` has. `served` is what there is to be denied: a line\n\
            that appears there is a new resource, to be thought about. Written by the cases `matrix`, read by people.",
    order: &[
        "everybody",
        "every account",
        "requester",
        "owner",
        "deployer",
        "auditor",
        "pipeline",
        "workload",
        "stranger",
        "system-admin",
        "security-admin",
        "audit-admin",
        "platform",
        "operator",
        "served",
        "cluster",
        "home",
        "own",
        "sibling",
        "foreign-home",
        "foreign-own",
        "kube-system",
        "govcloud-system",
    ],
    merged: false,
};

/// By policies, of what RBAC allows.
const TRIED: Table = Table {
    file: "tried.yaml",
    about: "What comes of the writes that expected.yaml allows, tried on objects that are there: who, the outcome (allowed, or the\n\
            policy and its rule that refused), the attempt, the objects.",
    order: &["requester", "owner", "deployer", "pipeline", "system-admin", "security-admin", "platform", "operator", "allowed"],
    merged: true,
};

#[tokio::test]
async fn everybody_may_do_everywhere_what_the_table_says_and_nothing_else() {
    let admin = admin().await;
    world::settle(&admin).await;
    let begin = Instant::now();
    let access = Access::settled(&shared().plane).await;
    let cells = access.cells();
    laws::hold(&cells);
    EXPECTED.compare(&cells);
    let questions = access.confirm(&admin.client).await;
    println!("{} cells, {questions} questions in {:.1} s", cells.len(), begin.elapsed().as_secs_f64());
}

#[tokio::test]
async fn members_have_what_kubernetes_own_roles_have_but_for_what_a_sentence_names() {
    let (cells, untold) = differences::differences(&admin().await.client).await;
    assert!(untold.is_empty(), "{}", untold.join("\n"));
    differences::DIFFERENCES.compare(&cells);
}

#[tokio::test]
async fn what_rbac_allows_is_refused_by_the_policies_that_the_table_names() {
    let admin = admin().await;
    world::settle(&admin).await;
    tries::bring_samples(&admin).await;
    let plane = &shared().plane;
    Access::settled(plane).await;
    let begin = Instant::now();
    let outcomes = tries::outcomes(plane, &admin, &EXPECTED.accepted()).await;
    TRIED.compare(&outcomes);
    println!("{} writes in {:.1} s", outcomes.len(), begin.elapsed().as_secs_f64());
}

#[tokio::test]
async fn with_the_operator_dead_everybody_may_do_the_same() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    world::settle(&admin).await;
    operator.kill().unwrap();
    tries::bring_samples(&admin).await;
    let cells = Access::settled(alone.plane).await.cells();
    laws::hold(&cells);
    EXPECTED.compare(&cells);
    let outcomes = tries::outcomes(alone.plane, &admin, &cells).await;
    tries::take_samples(&admin).await;
    TRIED.compare(&outcomes);
}
