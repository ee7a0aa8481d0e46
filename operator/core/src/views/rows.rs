//! What a list is made of, whoever shows it: a table by the header and cells, JSON and YAML by the fields.

use serde::Serialize;

/// One line of a list.
pub trait Row: Serialize {
    /// Titles of the columns, in upper case as `kubectl get` prints them.
    const HEADER: &'static [&'static str];

    /// What stands in the columns.
    fn cells(&self) -> Vec<String>;
}

/// A duration as `kubectl get` prints an age: in the largest unit of which there are at least two.
#[must_use]
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_unit_of_which_there_are_two() {
        for (seconds, told) in [(-1, "0s"), (119, "119s"), (120, "2m"), (7_199, "119m"), (7_200, "2h"), (172_799, "47h"), (864_000, "10d")]
        {
            assert_eq!(age(seconds), told);
        }
    }
}
