//! Small changes that need no person: what the platform's own policies approve.

use ipnet::IpNet;

use crate::{
    api::{
        AgencyTenantSpec, Resources,
        agency_tenant::{Egress, Member, Role},
        history::POLICY_PREFIX,
    },
    model::{
        amounts::{Amounts, amounts, of},
        approval_policies::{ApprovalPolicies, QuotaGrowth},
    },
    plan::narrowing::narrows,
};

/// The policies that together approve a change, as the history names them; none where a person must decide. What a policy does not name
/// may only become less.
///
/// `held` is what the systems hold, `reviewed` the quota that a person approved last, `promised` the sum of the totals of all other tenants.
#[must_use]
pub fn approving(
    from: &AgencyTenantSpec,
    to: &AgencyTenantSpec,
    held: &Amounts,
    policies: &ApprovalPolicies,
    reviewed: &Resources,
    promised: &Amounts,
) -> Option<String> {
    let mut rest = to.clone();
    let mut names = Vec::new();
    if from.quota != to.quota
        && policies.quota_growth.as_ref().is_some_and(|policy| grows_little(policy, from, to, held, reviewed, promised))
    {
        names.push("quota-growth");
        rest.quota.clone_from(&from.quota);
    }
    if from.network.egress != to.network.egress && is_listed(&policies.egress, from, to) {
        names.push("egress");
        rest.network.egress.clone_from(&from.network.egress);
    }
    if from.members != to.members && keeps_access(&policies.members, from, to) {
        names.push("members");
        rest.members.clone_from(&from.members);
    }
    let approved = !names.is_empty() && narrows(from, &rest, held);
    approved.then(|| names.iter().map(|name| format!("{POLICY_PREFIX}{name}")).collect::<Vec<_>>().join(","))
}

/// Whether each amount that grows is named by the policy, stays near what a person approved, and fits into the cloud; and none falls below what
/// is held.
fn grows_little(
    policy: &QuotaGrowth,
    from: &AgencyTenantSpec,
    to: &AgencyTenantSpec,
    held: &Amounts,
    reviewed: &Resources,
    promised: &Amounts,
) -> bool {
    let (Ok(old), Ok(new), Ok(base)) = (amounts(&from.quota), amounts(&to.quota), amounts(reviewed)) else { return false };
    let grows = |key: &String| {
        let (base, wanted) = (of(&base, key), of(&new, key));
        let growth = wanted.minus(base);
        let percent = base.percent(policy.percent);
        let fits = policy.capacity.get(key).is_some_and(|capacity| of(promised, key).plus(wanted) <= *capacity);
        growth <= percent && policy.at_most.get(key).is_some_and(|most| growth <= *most) && fits
    };
    let is_small = |key: &String| {
        let (before, wanted) = (of(&old, key), of(&new, key));
        if wanted > before { old.contains_key(key) && grows(key) } else { wanted >= of(held, key) }
    };
    new.keys().chain(old.keys()).all(is_small)
}

/// Whether each destination that is new lies in a range of the policy.
fn is_listed(ranges: &[IpNet], from: &AgencyTenantSpec, to: &AgencyTenantSpec) -> bool {
    let granted: Vec<Egress> = from.network.egress.iter().map(Egress::with_protocol).collect();
    let listed = |cidr: &str| cidr.parse::<IpNet>().is_ok_and(|range| ranges.iter().any(|listed| listed.contains(&range)));
    to.network.egress.iter().all(|exit| granted.contains(&exit.with_protocol()) || listed(&exit.cidr))
}

/// Whether the Owners stay as they are, and each other member that is new has a role of the policy.
fn keeps_access(roles: &[Role], from: &AgencyTenantSpec, to: &AgencyTenantSpec) -> bool {
    let owners =
        |spec: &AgencyTenantSpec| spec.members.iter().filter(|member| member.role == Role::Owner).cloned().collect::<Vec<Member>>();
    let is_known = |member: &Member| member.role == Role::Owner || from.members.contains(member) || roles.contains(&member.role);
    owners(from) == owners(to) && to.members.iter().all(is_known)
}
