//! Snapshot → intent: raw objects become checked domain types, or problems that name field, value and cure.

use std::{collections::BTreeSet, net::SocketAddr};

use crate::{
    api::{
        AgencyTenantSpec, DeletionPolicy, Stage,
        agency_tenant::{Member, Role},
        approval::{Contract, TenantStage},
        hosted_system::WithinSystem,
    },
    model::{
        amounts::{Amounts, amounts},
        names::{SystemName, TenantName, system_name_complaint, tenant_name_complaint},
        ownership::Identity,
        root::{SystemRoot, TenantRoot},
        settings::Settings,
        snapshot::{ContractBackup, Snapshot},
        tenant::{ContainerDefaults, Problem, System, Tenant},
    },
    plan::{
        checks::{MAX_SYSTEMS, check_name, checked, checked_tenant, one_too_many, refused, request, unreadable, without_pods},
        conflicts::{is_hidden, over_request_limit},
        contract::{Approvals, Circumstances, Grounds, approvals},
        foreign::former_members,
        quota::with_following,
    },
};

/// What is asked of the operator for one tenant.
#[derive(Clone, Debug)]
pub struct Intent {
    /// What is wrong with the tenant's spec; none where there is no such object. It is never approved as long as that is so.
    pub request: Option<Vec<Problem>>,
    /// Where the tenant stands; none where there is no such object.
    pub approvals: Option<Approvals>,
    /// Users and groups that were members and are no longer, oldest first, in the words in which bindings are read.
    pub former: Vec<String>,
    /// The tenant by its contract, or why it cannot be served; none where there is no such object.
    pub tenant: Option<Result<Tenant, Vec<Problem>>>,
    /// Whom the `AgencyTenant` itself is shown to; Owners may edit it.
    pub tenant_readers: Option<Vec<Member>>,
    /// Whether its requester has too many open requests for this one to be looked at.
    pub overlooked: bool,
    /// Each system, or why it cannot be served, in the order of the snapshot.
    pub systems: Vec<(SystemName, Result<System, Vec<Problem>>)>,
}

impl Intent {
    /// For whom the tenant's namespaces are looked at; it owns none where there is no such object.
    #[must_use]
    pub fn identity(&self, snapshot: &Snapshot) -> Identity {
        match &self.tenant {
            Some(Ok(tenant)) => tenant.identity.clone(),
            _ => Identity { uid: snapshot.tenant.as_ref().map(|root| root.uid.clone()).unwrap_or_default(), adopts: None },
        }
    }

    /// Whether another tenant might be about to take what the contract that is about to be taken on takes: domains that the former one did
    /// not have, or room that policies hand out.
    #[must_use]
    pub fn is_exclusive(&self, snapshot: &Snapshot) -> bool {
        if self.approvals.as_ref().is_some_and(|approvals| matches!(approvals.takes_on, Some(Grounds::Policies(_)))) {
            return true;
        }
        let domains = |contract: &Contract| contract.spec().map(|spec| spec.domains.clone()).unwrap_or_default();
        let former = snapshot.tenant.as_ref().and_then(|root| root.status.contract.as_ref()).map(domains).unwrap_or_default();
        let contract = self.approvals.as_ref().and_then(|approvals| approvals.contract.as_ref());
        contract.is_some_and(|(_, contract)| domains(contract).iter().any(|domain| !former.contains(domain)))
    }
}

/// Checks a snapshot.
#[must_use]
pub fn intent(snapshot: &Snapshot, settings: &Settings) -> Intent {
    let request = snapshot.tenant.as_ref().map(|root| request(snapshot, root, settings));
    let circumstances = Circumstances {
        backup: snapshot.kept.as_ref(),
        problems: request.as_deref().unwrap_or_default(),
        policies: &settings.approval_policies,
        promised: &snapshot.promised,
    };
    let approvals = snapshot.tenant.as_ref().map(|root| approvals(root, circumstances));
    let tenant = snapshot.tenant.as_ref().zip(approvals.as_ref()).map(|(root, approvals)| match &snapshot.finalizer_rejections.tenant {
        Some(words) => Err(vec![refused(words)]),
        None => tenant(root, approvals, settings, &snapshot.api_server),
    });
    let total = match &tenant {
        Some(Ok(tenant)) => tenant.quota.clone(),
        _ => Amounts::new(),
    };
    let closing = snapshot.tenant.as_deref().filter(|root| root.deleting);
    let suspended = approvals.as_ref().is_some_and(|approvals| approvals.stage == TenantStage::Suspended);
    let mut by_age: Vec<_> = snapshot.systems.iter().collect();
    by_age.sort_by_key(|root| (&root.created, &root.name));
    let surplus: BTreeSet<&String> = by_age.iter().skip(MAX_SYSTEMS).map(|root| &root.name).collect();
    let systems = snapshot.systems.iter().map(|root| {
        let checked = match snapshot.finalizer_rejections.systems.get(&root.name) {
            Some(words) => Err(vec![refused(words)]),
            None if surplus.contains(&root.name) && !root.deleting => Err(vec![one_too_many()]),
            None => system(root, &total, closing, suspended),
        };
        (SystemName::new(root.name.as_str()), checked)
    });
    let tenant_readers =
        snapshot.tenant.as_ref().zip(approvals.as_ref()).and_then(|(root, approvals)| tenant_readers(snapshot, root, approvals));
    let former = approvals.as_ref().map_or_else(Vec::new, |approvals| former_members(snapshot, approvals));
    let overlooked = over_request_limit(snapshot).is_some();
    Intent { systems: systems.collect(), request, approvals, former, tenant, tenant_readers, overlooked }
}

/// The members of the contract or, while there is none, the Owners of the request. Nobody where the tenant leaves, or the request is not looked
/// at; none where nobody knows who they are.
fn tenant_readers(snapshot: &Snapshot, root: &TenantRoot, approvals: &Approvals) -> Option<Vec<Member>> {
    if root.deleting {
        return Some(Vec::new());
    }
    if let Some((_, contract)) = &approvals.contract {
        return contract.spec().map(|spec| spec.members.clone());
    }
    let hidden = is_hidden(snapshot) || tenant_name_complaint(&root.name).is_some();
    let spec = root.spec.as_ref().ok()?;
    let owners = spec.members.iter().filter(|member| member.role == Role::Owner && !hidden);
    Some(owners.cloned().collect())
}

/// The tenant as its contract has it. Of one that leaves without a contract nothing is served, and nothing deleted.
fn tenant(root: &TenantRoot, approvals: &Approvals, settings: &Settings, api_server: &[SocketAddr]) -> Result<Tenant, Vec<Problem>> {
    let contract = approvals.contract.as_ref();
    let spec = match contract.map(|(_, contract)| contract) {
        Some(Contract::Read(spec)) => (**spec).clone(),
        _ if root.deleting => AgencyTenantSpec { display_name: root.name.clone(), ..AgencyTenantSpec::default() },
        Some(Contract::Unreadable(_, complaint)) => {
            return Err(vec![no_contract(&format!("is unreadable ({complaint}); have it approved again"))]);
        }
        None => return Err(vec![no_contract("is missing: nothing is approved yet")]),
    };
    let kept = contract.map(|(generation, contract)| ContractBackup {
        generation: *generation,
        stopped: approvals.stopped,
        spec: contract.clone(),
    });
    let copy = kept.and_then(|kept| serde_json::to_string(&kept).ok()).unwrap_or_default();
    let suspended = approvals.stage == TenantStage::Suspended;
    let checked = checked_tenant(root, &spec, settings, api_server);
    let (quota, egress) = match checked {
        Ok(checked) => checked,
        Err(_) if root.deleting => Default::default(),
        Err(problems) => return Err(problems),
    };
    Ok(Tenant {
        name: TenantName::new(root.name.as_str()),
        identity: Identity { uid: root.uid.clone(), adopts: spec.adopt_tenant_uid },
        display_name: spec.display_name,
        members: spec.members,
        quota,
        defaults: ContainerDefaults {
            requests: [("cpu", spec.container_defaults.default_request.cpu), ("memory", spec.container_defaults.default_request.memory)],
            limits: [("cpu", spec.container_defaults.default.cpu), ("memory", spec.container_defaults.default.memory)],
        },
        between_systems: spec.network.between_systems,
        kubernetes_api: spec.network.kubernetes_api,
        egress,
        objects: spec.objects,
        domains: spec.domains,
        images: spec.images,
        classes_without_controller: settings.without_controller(&spec.allow.ingress_classes).into_iter().map(str::to_owned).collect(),
        allow: spec.allow,
        suspended,
        copy,
        pod_security: spec.pod_security,
        adopts_namespace: spec.adopt_namespace,
        deletion_policy: spec.deletion_policy,
        deleting: root.deleting,
    })
}

fn no_contract(complaint: &str) -> Problem {
    Problem { field: "status.contract".into(), complaint: complaint.into() }
}

/// A system as it is asked for; `closing` is its tenant where that is being deleted.
fn system(root: &SystemRoot, total: &Amounts, closing: Option<&TenantRoot>, suspended: bool) -> Result<System, Vec<Problem>> {
    let spec = match &root.spec {
        Ok(spec) => Some(spec),
        Err(complaint) if !root.deleting => return Err(vec![unreadable(complaint)]),
        Err(_) => None, // closed and kept
    };
    let mut problems = Vec::new();
    check_name(&root.name, system_name_complaint(&root.name), &mut problems);
    let claimed = spec.map_or(Ok(Amounts::new()), |spec| amounts(&spec.resources.guaranteed));
    let wanted = checked("spec.resources.guaranteed", claimed, &mut problems);
    problems.extend(without_pods(&wanted));
    if !problems.is_empty() && !root.deleting {
        return Err(problems);
    }
    let (wanted, follows) = with_following(wanted, total);
    // Kubernetes deletes a system unasked when a cluster administrator deletes the home namespace: then its volumes stay.
    let by_itself = if root.deleting { root.confirmed } else { closing.is_none() };
    let is_asked_for = by_itself || closing.is_some_and(|tenant| tenant.confirmed);
    Ok(System {
        name: SystemName::new(root.name.as_str()),
        display_name: spec.map_or(&root.name, |spec| &spec.display_name).clone(),
        created: root.created.clone(),
        stage: spec.filter(|_| !root.deleting && closing.is_none()).map_or(Stage::Retired, |spec| match spec.stage {
            Stage::Testing | Stage::Running if suspended => Stage::Suspended,
            stage => stage,
        }),
        running: spec.is_some_and(|spec| spec.stage == Stage::Running),
        within_system: spec.map_or_else(WithinSystem::default, |spec| spec.network.within_system),
        wanted,
        follows,
        adopts_namespace: spec.is_some_and(|spec| spec.adopt_namespace),
        deletion_policy: spec.filter(|_| is_asked_for).map_or(DeletionPolicy::Retain, |spec| spec.deletion_policy),
        deleting: root.deleting,
    })
}
