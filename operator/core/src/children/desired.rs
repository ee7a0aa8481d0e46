//! A child as it should be, ready to be compared and written.

use serde_json::Value;

use super::kind::Kind;
use crate::model::{names::NamespaceName, observed::ChildKey};

/// A child as it should be.
#[derive(Clone, Debug)]
pub struct Desired {
    /// Its row of the table.
    pub kind: &'static Kind,
    /// Its place in the table.
    pub index: usize,
    /// Its namespace; for a Namespace, its own name.
    pub namespace: NamespaceName,
    /// Name of the object.
    pub name: String,
    /// The whole manifest.
    pub object: Value,
    /// Hash of the content that the operator defines.
    pub hash: u64,
    /// The same without the ledger's entry: it stays while nothing else is wanted.
    pub purpose: u64,
}

impl Desired {
    /// Where it is.
    #[must_use]
    pub fn key(&self) -> ChildKey {
        ChildKey { namespace: self.namespace.clone(), kind: self.index, name: self.name.as_str().into() }
    }
}
