//! What tenants show to each other: the index finds what a walk over all tenants finds.

use std::collections::{BTreeMap, BTreeSet};

use govcloud_core::{
    api::{
        Quantity,
        agency_tenant::SubjectKind,
        approval::{Contract, Decision},
        tenant_status::QuotaFigures,
    },
    model::{
        amounts::{Amounts, add},
        export_index::ExportIndex,
        exports::{Age, Exports, Requester, Right, overlap},
        names::TenantName,
        root::TenantRoot,
        snapshot::Snapshot,
    },
    plan::conflicts::{ClaimConflict, claim_conflicts, over_request_limit},
};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample::select,
};

use super::{
    approval::claimant,
    world::{approval, snapshot},
};

fn domains() -> impl Strategy<Value = Vec<String>> {
    btree_set("[ab](\\.[abc]){0,2}", 0..4).prop_map(|domains| domains.into_iter().collect())
}

prop_compose! {
    /// One of a few tenants, as it is or is again after its creation, with one of a few requesters.
    fn any_root()(name in "[a-k]", created in "[1-3]", asked in domains(), held in option::of(domains()), requester in "[xy]",
        decision in option::of(select(&[Decision::Approved, Decision::Rejected][..])), deleting in prop::bool::weighted(0.1)) -> TenantRoot {
        let mut root = claimant(&name, &created, "a", "wish");
        root.deleting = deleting;
        root.status.approval = decision.map(|decision| approval(decision, 1, ""));
        let spec = root.spec.as_mut().unwrap();
        spec.members.reverse(); // an Owner stands first
        spec.members[0].name = requester;
        spec.domains = asked;
        let mut contract = spec.clone();
        root.status.contract = held.map(|held| {
            contract.domains = held;
            Contract::of(&contract)
        });
        root
    }
}

/// What a tenant is told, with these exports in sight.
fn told(seen: &Snapshot) -> (Vec<ClaimConflict>, Option<Vec<&str>>) {
    (claim_conflicts(seen, seen.tenant.as_ref().unwrap()), over_request_limit(seen))
}

/// Each tenant with the exports of all others.
fn walk(roots: &BTreeMap<TenantName, TenantRoot>) -> BTreeMap<TenantName, Snapshot> {
    let all: Vec<_> = roots.values().map(|root| Exports::of(root).into()).collect();
    let seen =
        |(name, root): (&TenantName, &TenantRoot)| (name.clone(), Snapshot { exports: all.clone(), ..snapshot(root.clone(), Vec::new()) });
    roots.iter().map(seen).collect()
}

/// Claims that go before those of a tenant.
fn claims(seen: &Snapshot) -> usize {
    let mine = Exports::of(seen.tenant.as_ref().unwrap());
    let others = seen.exports.iter().filter(|other| other.age.tenant != seen.name);
    others.flat_map(|other| other.held()).filter(|(theirs, _)| mine.domains.keys().any(|domain| overlap(domain, theirs))).count()
}

proptest! {
    #[test]
    fn the_index_finds_what_a_walk_over_all_tenants_finds(changes in vec((any_root(), prop::bool::weighted(0.2)), 1..24)) {
        let (mut index, mut roots) = (ExportIndex::default(), BTreeMap::<TenantName, TenantRoot>::new());
        for (root, goes) in changes {
            let name = TenantName::new(root.name.as_str());
            let before = walk(&roots);
            let changed = if goes {
                (roots.remove(&name), None)
            } else {
                (roots.insert(name.clone(), root.clone()), Some(root))
            };
            let exports = [changed.0.as_ref(), changed.1.as_ref()].map(|root| root.map(Exports::of));
            let affected = index.update(&name, exports[1].clone());
            let after = walk(&roots);
            for reader in roots.keys() {
                let mut others = Amounts::new();
                roots.iter().filter(|(name, _)| *name != reader).for_each(|(_, root)| add(&mut others, &Exports::of(root).total));
                prop_assert_eq!(index.promised_to_others(reader), others);
            }
            for (reader, all) in &after {
                let seen = Snapshot { exports: index.read(reader), ..all.clone() };
                let (found, expected) = (told(&seen), told(all));
                if claims(all) <= 8 {
                    prop_assert_eq!(&found.0, &expected.0, "{}", reader);
                }
                prop_assert_eq!(found.0.is_empty(), expected.0.is_empty(), "{}", reader);
                prop_assert!(found.0.iter().all(|conflict| expected.0.contains(conflict)), "{}", reader);
                prop_assert_eq!(found.1.is_some(), expected.1.is_some(), "{}", reader);
                prop_assert!(found.1.iter().flatten().all(|name| expected.1.iter().flatten().any(|other| name == other)), "{}", reader);
                if *reader != name && before.get(reader).is_some_and(|before| told(before) != expected) && claims(all) <= 8 {
                    let many = expected.1.as_ref().is_some_and(|older| older.len() > 5);
                    prop_assert!(many || affected.contains(reader), "{} is not told", reader);
                }
            }
            if exports[0] == exports[1] {
                prop_assert_eq!(&affected, &BTreeSet::new());
            }
            for reader in &affected {
                let theirs = Exports::of(&roots[reader]);
                let reads = |exports: &Exports| {
                    let meets = exports.held().any(|(domain, _)| theirs.domains.keys().any(|other| overlap(domain, other)));
                    meets || (exports.requester.is_some() && exports.requester == theirs.requester && exports.age < theirs.age)
                };
                prop_assert!(exports.iter().flatten().any(reads), "{} is told of {}", reader, name);
            }
        }
    }
}

#[test]
fn one_who_asks_for_much_costs_others_nothing() {
    let mut index = ExportIndex::default();
    let mut asked = Exports::of(&claimant("t", "0", "a.example.cn", "wish"));
    asked.requester = Some(Requester { kind: SubjectKind::User, namespace: String::new(), name: "li".into() });
    let named = |number: usize| TenantName::new(format!("t{number:05}"));
    let age = |number: usize| Age { created: format!("{number:05}"), tenant: named(number) };
    for number in 0..3000 {
        let affected = index.update(&named(number), Some(Exports { age: age(number), ..asked.clone() }));
        assert!(affected.is_empty(), "who asks later is in nobody's way");
    }
    assert_eq!(index.read(&TenantName::new("t02999")).len(), 20, "the oldest requests of the same requester");
    assert!(index.update(&TenantName::new("t00020"), None).is_empty(), "nobody reads it");
    let younger = index.update(&TenantName::new("t00002"), None);
    assert_eq!(younger.len(), 3000 - 4, "everybody behind it");

    for number in 3000..6000 {
        let held = Exports {
            age: age(number),
            domains: [(format!("x{number}.example.cn"), Right::Contract)].into(),
            requester: None,
            total: Amounts::new(),
        };
        assert!(index.update(&named(number), Some(held)).is_empty());
    }
    let wide = claimant("wide", "9", "cn", "wish");
    assert!(index.update(&TenantName::new("wide"), Some(Exports::of(&wide))).is_empty());
    assert!(index.read(&TenantName::new("wide")).len() < 20);
}

#[test]
fn as_long_as_a_total_cannot_be_lowered_the_higher_one_is_promised() {
    let mut root = claimant("health", "1", "a.example.cn", "contract");
    let promised = |root: &TenantRoot| Exports::of(root).total["pods"].text("pods");
    assert_eq!(promised(&root), "400");
    let total = [("pods".to_owned(), Quantity("500".into()))].into();
    root.status.quota = Some(QuotaFigures { total, ..QuotaFigures::default() });
    assert_eq!(promised(&root), "500");
}

#[test]
fn who_reads_what_stays_is_not_told() {
    let requester = |name: &str| Some(Requester { kind: SubjectKind::User, namespace: String::new(), name: name.into() });
    let shown = |name: &str, domains: &[&str], right, by: &str| Exports {
        age: Age { created: "1".into(), tenant: TenantName::new(name) },
        domains: domains.iter().map(|domain| ((*domain).to_owned(), right)).collect(),
        requester: requester(by),
        total: Amounts::new(),
    };
    let mut index = ExportIndex::default();
    for (name, domains) in [("reads-a", &["a.cn"][..]), ("reads-b", &["b.cn"]), ("z-same-requester", &[])] {
        index.update(&TenantName::new(name), Some(shown(name, domains, Right::Wish, if domains.is_empty() { "li" } else { name })));
    }
    let mut told = |domains: &[&str], by: &str| {
        let affected = index.update(&TenantName::new("holds"), Some(shown("holds", domains, Right::Approval, by)));
        affected.into_iter().map(|tenant| tenant.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(told(&["a.cn", "b.cn"], "li"), ["reads-a", "reads-b", "z-same-requester"]);
    assert_eq!(told(&["a.cn"], "li"), ["reads-b"]);
    assert_eq!(told(&["a.cn"], "wang"), ["z-same-requester"]);
}
