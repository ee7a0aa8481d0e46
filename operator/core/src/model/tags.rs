//! Pods that run by tag where images must name a digest, as they were found.

use std::collections::BTreeSet;

/// Seconds after which pods by tag are looked for again, as long as there may be some.
pub const INTERVAL: i64 = 30;

/// What was found in a namespace whose images must name a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// When its pods were listed, in seconds since 1970.
    pub looked: i64,
    /// Whether the guard rails asked for digests by then: from then on, no further pods by tag are admitted.
    pub enforced: bool,
    /// Workloads with pods by tag, as `Kind name`; none where the pods could not be listed.
    pub workloads: Option<BTreeSet<String>>,
}

impl Tags {
    /// When to look again, in seconds since 1970; none when no pod by tag is left.
    #[must_use]
    pub fn look_again_at(&self) -> Option<i64> {
        let over = self.workloads.as_ref().is_some_and(BTreeSet::is_empty);
        (!over).then_some(self.looked + INTERVAL)
    }
}
