//! What `govcloud doctor` tells of a cluster: whether the operator's objects are as its version brings them, whether the operator is at
//! work, and whether the platform around it is as its settings say. `cluster/facts.rs` reads what is judged here.

mod difference;
mod facts;
mod finding;
mod installation;
mod miscount;
mod operator;
mod platform;
mod release;
mod tenants;

use self::finding::{Problem, Report};
pub use self::{
    facts::{Facts, Objects, Read, Shipped},
    finding::{Finding, Verdict},
    installation::{account, has_ended, lease, leave_out_agencies, settings},
    miscount::{Miscount, miscounts},
    tenants::behind,
};

/// Gives a report, or that there can be none.
type Check = fn(&Facts) -> Result<Report, Problem>;

const CHECKS: [(&str, Check); 19] = [
    ("Kubernetes", |facts| Ok(platform::kubernetes(facts))),
    ("APIServices", platform::api_services),
    ("Clock", |facts| Ok(platform::clock(facts))),
    ("Definitions", release::definitions),
    ("Policies", release::policies),
    ("Roles", release::roles),
    ("Bindings", operator::bindings),
    ("Permissions", operator::permissions),
    ("Replicas", operator::replicas),
    ("Leader", operator::leader),
    ("Progress", operator::progress),
    ("NetworkPlugin", platform::network_plugin),
    ("DNS", platform::dns),
    ("Programs", platform::programs),
    ("ClusterRanges", platform::cluster_ranges),
    ("StorageClass", platform::storage_class),
    ("Quotas", tenants::quotas),
    ("Namespaces", tenants::namespaces),
    ("Tenants", tenants::conditions),
];

/// Judges everything, in the order in which it is told.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    CHECKS.iter().flat_map(|(check, judge)| findings(check, judge(facts))).collect()
}

fn findings(check: &'static str, report: Result<Report, Problem>) -> Vec<Finding> {
    let finding = |Problem { verdict, unknown, message, cure }| Finding { check, verdict, message, unknown, cure };
    match report {
        Ok(Report { well, problems }) if problems.is_empty() => {
            vec![Finding { check, verdict: Verdict::Ok, message: well, unknown: false, cure: String::new() }]
        }
        Ok(Report { problems, .. }) => problems.into_iter().map(finding).collect(),
        Err(problem) => vec![finding(problem)],
    }
}

#[cfg(test)]
mod tests;
