//! What the store and snapshots of it have in common.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// Kept once however often it is cloned; whoever changes a clone gets a copy of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shared<Object>(Arc<Object>);

impl<Object> Clone for Shared<Object> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Object> From<Object> for Shared<Object> {
    fn from(object: Object) -> Self {
        Self(Arc::new(object))
    }
}

impl<Object> Deref for Shared<Object> {
    type Target = Object;

    fn deref(&self) -> &Object {
        &self.0
    }
}

impl<Object: Clone> DerefMut for Shared<Object> {
    fn deref_mut(&mut self) -> &mut Object {
        Arc::make_mut(&mut self.0)
    }
}
