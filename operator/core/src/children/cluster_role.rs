//! What the members of a tenant may do with their own `AgencyTenant`. Owners read it and edit its spec, from the request on; what they edit
//! waits for approval, and they delete it only as long as nothing is approved. Deployers and Auditors read it, once the contract names them.

use serde_json::{Value, json};

use super::{
    content::Content,
    kind::{Build, Kind, Rank, WriteMode},
};
use crate::model::{names::GROUP, namespace::TenantAccess};

pub(super) static KIND: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRole",
    plural: "clusterroles",
    rank: Rank::Isolation,
    isolates: false,
    write: WriteMode::Replace,
    build: Build::TenantAccess(build),
    content: Content::Fields(&["/rules", "/aggregationRule"]),
    observe: None,
    initial_status: None,
    without_new_subjects: None,
    exposes: None,
};

fn build(access: &TenantAccess) -> Vec<Value> {
    let name = access.tenant.as_str();
    let rule =
        |resource: &str, verbs: &[&str]| json!({ "apiGroups": [GROUP], "resources": [resource], "resourceNames": [name], "verbs": verbs });
    let named = |name: String, verbs: &[&str]| {
        json!({
            "metadata": { "name": name },
            "rules": [rule("agencytenants", verbs), rule("agencytenants/status", &["get"])],
        })
    };
    let mut verbs = vec!["get", "list", "watch"];
    if !access.overlooked {
        verbs.extend(["update", "patch"]);
    }
    if access.withdrawable {
        verbs.push("delete");
    }
    let owners = named(access.tenant.owner_role(), &verbs);
    let view = access.has_viewers().then(|| named(access.tenant.view_role(), &["get", "list", "watch"]));
    std::iter::once(owners).chain(view).collect()
}
