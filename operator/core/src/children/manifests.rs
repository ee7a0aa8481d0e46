//! Built manifests, kept: those of a namespace are built again only when their inputs change.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use super::{children, desired::Desired};
use crate::model::{
    amounts::Amounts,
    names::NamespaceName,
    namespace::{ChildInput, Namespace},
    pod_classes::PodClasses,
    tenant::Tenant,
};

/// The manifests of one tenant's namespaces, under settings that stay the same.
#[derive(Debug, Default)]
pub struct Manifests {
    shared: Option<Shared>,
    built: BTreeMap<NamespaceName, (Inputs, Vec<Arc<Desired>>)>,
}

/// What all of the namespaces are built from.
#[derive(Debug)]
struct Shared {
    tenant: Tenant,
    pod_classes: PodClasses,
    api_server: Vec<SocketAddr>,
}

/// What one namespace is built from beside that.
#[derive(Debug, PartialEq)]
struct Inputs {
    namespace: Namespace,
    pipelines: Vec<NamespaceName>,
    hard: Amounts,
    epoch: i64,
}

impl Manifests {
    /// The manifests of a namespace.
    pub fn of(&mut self, input: &ChildInput) -> Vec<Arc<Desired>> {
        if !self.shared.as_ref().is_some_and(|shared| shared.are(input)) {
            let (tenant, pod_classes, api_server) = (input.tenant.clone(), input.pod_classes.clone(), input.api_server.to_vec());
            *self = Self { shared: Some(Shared { tenant, pod_classes, api_server }), built: BTreeMap::new() };
        }
        let (namespace, hard) = (input.namespace.clone(), input.hard.clone());
        let inputs = Inputs { namespace, pipelines: input.pipelines.clone(), hard, epoch: input.epoch };
        if let Some((_, built)) = self.built.get(&input.namespace.name).filter(|(former, _)| *former == inputs) {
            return built.clone();
        }
        let built: Vec<_> = children(input).into_iter().map(Arc::new).collect();
        self.built.insert(input.namespace.name.clone(), (inputs, built.clone()));
        built
    }
}

impl Shared {
    fn are(&self, input: &ChildInput) -> bool {
        self.tenant == *input.tenant && self.pod_classes == *input.pod_classes && self.api_server == input.api_server
    }
}
