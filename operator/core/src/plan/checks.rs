//! What the schema cannot see of what people write, or did not when it was stored.

use std::net::SocketAddr;

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::{
    api::{
        AgencyTenantSpec,
        agency_tenant::{Egress, Member, SubjectKind},
        approval::Contract,
        common::{NEEDED_BY_PODS, WITHOUT_PODS},
    },
    model::{
        amounts::{Amounts, amounts},
        exports::MAX_OPEN_REQUESTS,
        names::{NamespaceName, tenant_name_complaint},
        pod_usage::counts,
        root::{TenantRoot, Unreadable},
        settings::Settings,
        snapshot::Snapshot,
        tenant::{EgressRule, Problem},
    },
    plan::{
        conflicts::{claim_conflicts, over_request_limit},
        contract::asked_for,
    },
};

/// Hosted systems that an agency may declare. Each costs the API server some ten objects, also without a share.
pub(super) const MAX_SYSTEMS: usize = 100;

/// What is wrong with what is asked for, beside what the schema sees.
pub(super) fn request(snapshot: &Snapshot, root: &TenantRoot, settings: &Settings) -> Vec<Problem> {
    let spec = match &root.spec {
        Ok(spec) => spec,
        Err(complaint) => return vec![unreadable(complaint)],
    };
    let mut problems = checked_tenant(root, spec, settings, &snapshot.api_server).err().unwrap_or_default();
    check_accounts(&root.name, &spec.members, settings, &mut problems);
    problems.extend(snapshot.finalizer_rejections.tenant.as_ref().map(|words| refused(words)));
    problems.extend(granted(root, spec));
    problems.extend(claim_conflicts(snapshot, root).into_iter().map(|conflict| Problem {
        field: format!("spec.domains[{}]", conflict.domain),
        complaint: format!(
            "overlaps {}, which agencytenant/{} holds; use another domain, or have it removed there first",
            conflict.theirs, conflict.tenant
        ),
    }));
    problems.extend(over_request_limit(snapshot).map(|open| Problem {
        field: "metadata.name".into(),
        complaint: format!(
            "{} requests of {} are open and older, and {MAX_OPEN_REQUESTS} are looked at: {}; this one is looked at once fewer are: have \
             one approved or rejected, or withdraw one (kubectl govcloud withdraw)",
            open.len(),
            spec.members.first().map_or("the same requester", |member| member.name.as_str()),
            open.iter().take(MAX_OPEN_REQUESTS).copied().collect::<Vec<_>>().join(", ")
        ),
    }));
    problems
}

/// What is wrong with amounts of which an approver grants less: the rules of the schema on `spec.quota`.
fn granted(root: &TenantRoot, spec: &AgencyTenantSpec) -> Vec<Problem> {
    let grant = root.decision().map(|approval| &approval.quota).filter(|quota| !quota.is_empty());
    let Some(grant) = grant else { return Vec::new() };
    let asked = asked_for(&root.status, root.generation, root.status.contract.as_ref().and_then(Contract::spec), spec);
    let Ok(total) = amounts(&asked.quota) else { return Vec::new() };
    let problem = |key: &str, complaint: String| Problem { field: format!("status.approval.quota[{key}]"), complaint };
    let below = ["cpu", "memory", "ephemeral-storage"].into_iter().filter_map(|resource| {
        let (requests, limits) = (format!("requests.{resource}"), format!("limits.{resource}"));
        let (request, limit) = (total.get(&requests)?, total.get(&limits)?);
        let complaint =
            || format!("{} is below the {} of {requests}; grant both in proportion", limit.text(&limits), request.text(&requests));
        (limit < request).then(|| problem(&limits, complaint()))
    });
    let is_count = |key: &str| key == "pods" || key == "persistentvolumeclaims" || key.matches('.').count() > 1;
    let broken = grant.keys().filter(|key| is_count(key) && total.get(*key).is_some_and(|amount| !amount.is_whole()));
    below.chain(broken.map(|key| problem(key, "is no whole number; grant a whole number".to_owned()))).collect()
}

/// What the schema cannot see of a spec, or did not when it was stored.
pub(super) fn checked_tenant(
    root: &TenantRoot,
    spec: &AgencyTenantSpec,
    settings: &Settings,
    api_server: &[SocketAddr],
) -> Result<(Amounts, Vec<EgressRule>), Vec<Problem>> {
    let mut problems = Vec::new();
    check_name(&root.name, tenant_name_complaint(&root.name), &mut problems);
    let quota = checked("spec.quota", amounts(&spec.quota), &mut problems);
    let exits = spec.network.egress.iter().map(|entry| exit(entry, settings, api_server));
    let egress = exits.filter_map(|exit| exit.map_err(|problem| problems.push(problem)).ok()).collect();
    check_members(&spec.members, &mut problems);
    if problems.is_empty() { Ok((quota, egress)) } else { Err(problems) }
}

pub(super) fn unreadable(found: &Unreadable) -> Problem {
    let complaint = format!("unreadable ({}); `kubectl explain` documents the field", found.complaint);
    Problem { field: found.field.clone(), complaint }
}

pub(super) fn check_name(name: &str, complaint: Option<&str>, problems: &mut Vec<Problem>) {
    problems.extend(complaint.map(|complaint| Problem { field: "metadata.name".into(), complaint: format!("'{name}' {complaint}") }));
}

pub(super) fn one_too_many() -> Problem {
    let complaint = format!("the agency has {MAX_SYSTEMS} older hosted systems, which is the most; delete one that is not needed");
    Problem { field: "metadata.name".into(), complaint }
}

pub(super) fn refused(words: &str) -> Problem {
    Problem {
        field: "metadata.finalizers".into(),
        complaint: format!("the API server refuses the operator's finalizer ({words}); correct what it names"),
    }
}

pub(super) fn checked(path: &str, read: Result<Amounts, (String, String)>, problems: &mut Vec<Problem>) -> Amounts {
    read.unwrap_or_else(|(key, complaint)| {
        problems.push(Problem { field: format!("{path}[{key}]"), complaint });
        Amounts::new()
    })
}

/// That no pod can run with a share, although it names what pods use.
pub(super) fn without_pods(share: &Amounts) -> Option<Problem> {
    let is_used = |key: &&String| counts(key) || key.starts_with("requests.") && key.contains('/');
    let missing = NEEDED_BY_PODS.iter().find(|key| !share.contains_key(**key)).filter(|_| share.keys().any(|key| is_used(&key)))?;
    Some(Problem { field: format!("spec.resources.guaranteed[{missing}]"), complaint: format!("is missing, {WITHOUT_PODS}") })
}

fn exit(entry: &Egress, settings: &Settings, api_server: &[SocketAddr]) -> Result<EgressRule, Problem> {
    let problem = |complaint: String| Problem { field: format!("spec.network.egress[{}].cidr", entry.cidr), complaint };
    let range: IpNet =
        entry.cidr.parse().map_err(|_| problem(format!("'{}' is not an address range; write for example 203.0.113.0/24", entry.cidr)))?;
    if let Some(inner) = settings.protected_ranges().find(|protected| protected.contains(&range)) {
        let held = api_server.iter().find(|server| range.contains(&server.ip()));
        let held =
            held.map_or_else(String::new, |server| format!("; to open the API server ({server}), set spec.network.kubernetesAPI: Allow"));
        return Err(problem(format!(
            "lies in {inner}, which is the cluster's own or link-local; remove this entry, or have the operator's --cluster-ranges corrected{held}"
        )));
    }
    let except = settings.protected_ranges().filter(|protected| range.contains(protected)).collect();
    Ok(EgressRule { range, except, protocol: entry.protocol.unwrap_or_default(), ports: entry.ports.clone() })
}

/// The schema refuses these too; an object may have been stored before the schema did.
fn check_members(members: &[Member], problems: &mut Vec<Problem>) {
    let mut named = BTreeSet::new();
    for member in members {
        let mut complain = |complaint: &str| {
            problems.push(Problem { field: format!("spec.members[{}]", member.name), complaint: complaint.into() });
        };
        if member.name.is_empty() || member.name.starts_with("system:") || member.name.contains(char::is_control) {
            complain("a member is a user, group or ServiceAccount of the agency, none of Kubernetes' own; name one");
        }
        if !named.insert((member.kind, &member.namespace, &member.name)) {
            complain("is named more than once; name each member once, with one role");
        }
    }
}

/// Accounts of others. A contract that was approved with them goes on when the settings name their namespace no more.
fn check_accounts(tenant: &str, members: &[Member], settings: &Settings, problems: &mut Vec<Problem>) {
    for member in members.iter().filter(|member| member.kind == SubjectKind::ServiceAccount) {
        let is_own = NamespaceName::new(member.namespace.as_str()).tenant().as_str() == tenant;
        if !is_own && !settings.account_namespaces.contains(&member.namespace) {
            let complaint = format!(
                "a ServiceAccount of namespace {}, which is neither the agency's nor named by the operator's --account-namespace; name one of \
                 the agency's own, or ask a platform administrator to set that option",
                member.namespace
            );
            problems.push(Problem { field: format!("spec.members[{}]", member.name), complaint });
        }
    }
}
