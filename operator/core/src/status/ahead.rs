//! The status that is written ahead: before anything follows from it.

use crate::{
    api::AgencyTenantStatus,
    model::{
        amounts::{Amount, resources},
        audit::AuditRecord,
        snapshot::Snapshot,
    },
    plan::{
        Plan,
        history::{Recording, recording},
        intent::Intent,
        ledger::{entries, rises},
        recorded_ledger,
    },
};

/// What must be told before anything follows from it, and what of it goes to the audit log: a request or decision; a new contract, and whom it
/// leaves out; a ledger in which something rises, and the total that covers it.
#[must_use]
pub fn status_ahead(snapshot: &Snapshot, intent: &Intent, plan: &Plan) -> Option<(AgencyTenantStatus, Vec<AuditRecord>)> {
    let root = snapshot.tenant.as_ref().filter(|_| !snapshot.crds.ending && snapshot.blind.is_empty())?;
    let former = Some(&intent.former).filter(|former| **former != root.status.former_members);
    let news = intent.approvals.as_ref().and_then(|approvals| recording(root, approvals, &snapshot.time()));
    let approvals = intent.approvals.as_ref().filter(|approvals| approvals.is_new(root));
    let raised = !plan.namespaces.is_empty() && rises(&recorded_ledger(snapshot).unwrap_or_default(), &plan.allocation.ledger);
    if approvals.is_none() && former.is_none() && news.is_none() && !raised {
        return None;
    }
    let mut status = root.status.clone();
    let mut records = Vec::new();
    if let Some(Recording { history, approval, records: new }) = news {
        (status.history, status.approval, records) = (history, approval, new);
    }
    if let Some(approvals) = approvals {
        status.stage = Some(approvals.stage);
        status.declined.clone_from(&approvals.declined);
        status.reviewed_quota.clone_from(&approvals.reviewed_quota);
        (status.contract_generation, status.contract) = approvals.contract.clone().unzip();
    }
    if let Some(former) = former {
        status.former_members.clone_from(former);
    }
    if !raised {
        return Some((status, records));
    }
    let some = plan.allocation.total.iter().filter(|(_, amount)| **amount > Amount::ZERO);
    let mut figures = status.quota.take().unwrap_or_default();
    figures.total = resources(&some.map(|(key, amount)| (key.clone(), *amount)).collect());
    status.quota = Some(figures);
    status.grants = Some(entries(&plan.allocation.ledger));
    Some((status, records))
}
