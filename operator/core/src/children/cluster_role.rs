//! What the members of a tenant may do with their own `AgencyTenant`. Owners read it and edit its spec, from the request on; they
//! cannot delete it, and what they edit waits for approval. Deployers and Auditors read it, once the contract names them.

use serde_json::{Value, json};

use super::kind::{Build, Kind, Rank, WriteMode};
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
    content: |object| json!({ "rules": object["rules"], "aggregationRule": object["aggregationRule"] }),
    observe: None,
    initial_status: None,
    without_new_subjects: None,
    exposes: None,
};

fn build(entrance: &TenantAccess) -> Vec<Value> {
    let name = entrance.tenant.as_str();
    let rule =
        |resource: &str, verbs: &[&str]| json!({ "apiGroups": [GROUP], "resources": [resource], "resourceNames": [name], "verbs": verbs });
    let named = |name: String, verbs: &[&str]| {
        json!({
            "metadata": { "name": name },
            "rules": [rule("agencytenants", verbs), rule("agencytenants/status", &["get"])],
        })
    };
    let owners = named(entrance.tenant.entrance(), &["get", "list", "watch", "update", "patch"]);
    let view = entrance.has_viewers().then(|| named(entrance.tenant.view(), &["get", "list", "watch"]));
    std::iter::once(owners).chain(view).collect()
}
