//! Who tries: the real kinds of people with the shipped roles, and some with more, so that a policy stands alone.

/// User name and groups of a word in the tables; a word that is none is a user's name. Nothing for the administrator.
pub fn person(word: &str) -> Option<(&str, &'static [&'static str])> {
    let none: &[&str] = &[];
    let found = match word {
        "admin" => return None,
        "owner" => ("olga", &["clinic-owners"][..]),
        "deployer" => ("ci-clinic", none),
        "auditor" => ("anna", &["clinic-audit"][..]),
        "pipeline" => ("system:serviceaccount:clinic--web:deployer", none),
        "other-pipeline" => ("system:serviceaccount:clinic--db:deployer", none),
        "workload" => ("system:serviceaccount:clinic--web:default", none),
        "neighbour" => ("nora", &["museum-owners"][..]),
        "other-deployer" => ("ci-museum", none),
        "neighbour-pipeline" => ("system:serviceaccount:museum--shop:deployer", none),
        "odd-owner" => ("otto", &["oddity-owners"][..]),
        "requester" => ("rob", &["govcloud:requesters"][..]),
        "system-admin" => ("attacks-sys", none),
        "security-admin" => ("attacks-sec", none),
        "member-approver" => ("attacks-sec-member", none),
        "audit-admin" => ("attacks-aud", none),
        "platform" => ("attacks-platform", none),
        "operator" => ("system:serviceaccount:govcloud-system:govcloud-operator", none),
        "strong-operator" => ("attacks-strong-operator", none),
        "queue" => ("attacks-queue", none),
        "wide" => ("attacks-wide", none),
        "stray" => ("system:serviceaccount:clinic:stray", none),
        "binder" => ("attacks-binder", none),
        "gitops" => ("attacks-gitops", none),
        "named" => ("attacks-named", none),
        user => (user, none),
    };
    Some(found)
}
