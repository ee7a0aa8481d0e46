//! Lets the Owners of a tenant at their own `AgencyTenant`: the one binding that exists before anything is approved.

use serde_json::{Value, json};

use super::{
    Build, Kind, Rank, Write,
    role_binding::{RBAC, subjects},
};
use crate::{api::agency_tenant::Role, plan::desired::Entrance};

pub(super) static KIND: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    plural: "clusterrolebindings",
    rank: Rank::Access,
    write: Write::Guard,
    build: Build::Entrance(build),
    content: |object| json!({ "roleRef": object["roleRef"], "subjects": object["subjects"] }),
    figures: None,
    prime: None,
    narrow: Some(super::role_binding::narrow),
    opens: None,
};

fn build(entrance: &Entrance) -> Value {
    let name = entrance.tenant.entrance();
    json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": name },
        "subjects": subjects(entrance.members, Role::Owner),
    })
}
