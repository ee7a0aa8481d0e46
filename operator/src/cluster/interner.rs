//! Names that thousands of entries of the store have in common, each kept once.

use std::{collections::HashSet, sync::Arc};

/// Names in use, and for a while those that were.
#[derive(Default)]
pub(super) struct Interner {
    known: HashSet<Arc<str>>,
    tidy_at: usize,
}

/// Names below which throwing away is not worth the while.
const SWEEP_ABOVE: usize = 1024;

impl Interner {
    /// A name that is in use.
    pub(super) fn get(&self, name: &str) -> Option<Arc<str>> {
        self.known.get(name).cloned()
    }

    /// The name that others use.
    pub(super) fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.known.insert(name.clone());
        name
    }

    /// Throws names away that nobody uses any more, once they may be many.
    pub(super) fn tidy(&mut self) {
        if self.known.len() > self.tidy_at.max(SWEEP_ABOVE) {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.tidy_at = 2 * self.known.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_no_longer_than_somebody_uses_it() {
        let mut names = Interner::default();
        let (first, second) = (names.shared("govcloud-quota"), names.shared("govcloud-quota"));
        assert!(Arc::ptr_eq(&first, &second));
        for number in 0..3 * SWEEP_ABOVE {
            names.shared(&number.to_string());
            names.tidy();
        }
        assert!(names.known.len() <= SWEEP_ABOVE + 2 && names.get("govcloud-quota").is_some(), "{}", names.known.len());
    }
}
