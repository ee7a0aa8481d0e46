//! Waits that double from failure to failure, up to a longest one.

use std::time::Duration;

/// The first and the longest wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// The wait after so many earlier failures.
    pub(super) fn after(self, failures: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_one() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(15) };
        let waits = [0, 1, 2, 7, 8, 100, u32::MAX].map(|failures| backoff.after(failures).as_millis());
        assert_eq!(waits, [100, 200, 400, 12_800, 15_000, 15_000, 15_000]);
    }
}
