//! The namespace itself: created with its Pod Security level and its tenant, before anything is in it.

use serde_json::{Value, json};

use super::{Kind, Rank, Write};
use crate::{api::agency_tenant::PodSecurity, names::ANNOTATION_DISPLAY_NAME, plan::desired::Space};

pub(super) static KIND: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    rank: Rank::Namespace,
    write: Write::Namespace,
    build,
    content: |_| Value::Null, // its marks are all that is ours
    figures: None,
    prime: None,
    narrow: None,
};

fn build(space: &Space) -> Vec<Value> {
    let level = match space.tenant.pod_security {
        PodSecurity::Restricted => "restricted",
        PodSecurity::Baseline => "baseline",
    };
    vec![json!({
        "metadata": {
            "name": space.namespace.as_str(),
            "labels": {
                "pod-security.kubernetes.io/enforce": level,
                "pod-security.kubernetes.io/enforce-version": "latest",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/audit-version": "latest",
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/warn-version": "latest",
            },
            "annotations": { ANNOTATION_DISPLAY_NAME: space.display_name },
        },
    })]
}
