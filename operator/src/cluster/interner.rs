//! Names that thousands of entries of the cache have in common, each kept once.

use std::{collections::BTreeSet, sync::Arc};

use govcloud_core::model::{
    names::NamespaceName,
    observed::{ChildKey, Entry},
};

/// Names in use, and for a while those that were.
#[derive(Default)]
pub(super) struct Interner {
    known: BTreeSet<Arc<str>>,
    tidy_at: usize,
}

/// Names below which throwing away is not worth the while.
const SWEEP_ABOVE: usize = 1024;

impl Interner {
    /// Makes an entry use the names that others use.
    pub(super) fn share(&mut self, key: &mut ChildKey, entry: &mut Entry) {
        key.namespace = NamespaceName::new(self.shared(key.namespace.as_str().into()));
        key.name = self.shared(key.name.clone());
        entry.tenant_uid = self.shared(entry.tenant_uid.clone());
        if self.known.len() > self.tidy_at.max(SWEEP_ABOVE) {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.tidy_at = 2 * self.known.len();
        }
    }

    fn shared(&mut self, name: Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(&name) {
            return known.clone();
        }
        self.known.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_no_longer_than_somebody_uses_it() {
        let mut names = Interner::default();
        let (first, second) = (names.shared("govcloud-quota".into()), names.shared("govcloud-quota".into()));
        assert!(Arc::ptr_eq(&first, &second));
        for number in 0..3 * SWEEP_ABOVE {
            let object = serde_json::json!({ "metadata": { "uid": number.to_string() } });
            let mut entry = govcloud_core::children::TABLE[0].entry(&object);
            let mut key = ChildKey { namespace: NamespaceName::new(format!("t--{number}")), kind: 0, name: "same".into() };
            names.share(&mut key, &mut entry);
        }
        assert!(names.known.len() <= SWEEP_ABOVE + 2 && names.known.contains("govcloud-quota"), "{}", names.known.len());
    }
}
