//! The `deployer` `ServiceAccount` of a workload namespace, for the system's delivery pipeline. It lets nobody in by itself.

use serde_json::{Value, json};

use super::kind::{Build, Kind, Rank, WriteMode};
use crate::model::{
    names::DEPLOYER,
    namespace::{Access, ChildInput},
};

pub(super) static KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    rank: Rank::Isolation,
    isolates: false,
    write: WriteMode::Patch,
    build: Build::Inside(build),
    content: |object| json!(object["automountServiceAccountToken"]),
    observe: None,
    initial_status: None,
    without_new_subjects: None,
    exposes: None,
};

fn build(input: &ChildInput) -> Vec<Value> {
    let account = json!({ "metadata": { "name": DEPLOYER }, "automountServiceAccountToken": false });
    let open = input.namespace.access != Access::Closed; // its tokens end with it
    input.namespace.system.iter().filter(|_| open).map(|_| account.clone()).collect()
}
