//! What the Owners of a tenant may do with their own `AgencyTenant`: read it and edit its spec, from the request on. They cannot
//! delete it, and what they edit waits for approval.

use serde_json::{Value, json};

use super::{Build, Kind, Rank, Write};
use crate::{names::GROUP, plan::desired::Entrance};

pub(super) static KIND: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRole",
    plural: "clusterroles",
    rank: Rank::Guard,
    write: Write::Guard,
    build: Build::Entrance(build),
    content: |object| json!({ "rules": object["rules"], "aggregationRule": object["aggregationRule"] }),
    figures: None,
    prime: None,
    narrow: None,
    opens: None,
};

fn build(entrance: &Entrance) -> Value {
    let name = entrance.tenant.as_str();
    let rule =
        |resource: &str, verbs: &[&str]| json!({ "apiGroups": [GROUP], "resources": [resource], "resourceNames": [name], "verbs": verbs });
    json!({
        "metadata": { "name": entrance.tenant.entrance() },
        "rules": [
            rule("agencytenants", &["get", "list", "watch", "update", "patch"]),
            rule("agencytenants/status", &["get"]),
        ],
    })
}
