//! What the report is made of.

use serde::Serialize;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// All is as it should be.
    Ok,
    /// It may be meant so, or could not be judged.
    Warn,
    /// Something does not work, or is not protected.
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in one word.
    pub check: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen.
    pub message: String,
    /// Whether it could not be judged, because something may not be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// What to do; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cure: String,
}

/// What a check found: what to say when all is well, and what is not well.
pub(super) struct Report {
    pub(super) well: String,
    pub(super) problems: Vec<Problem>,
}

/// One thing that is not well.
pub(super) struct Problem {
    pub(super) verdict: Verdict,
    pub(super) unknown: bool,
    pub(super) message: String,
    pub(super) cure: String,
}

impl Report {
    pub(super) fn new(well: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self { well: well.into(), problems }
    }
}

pub(super) fn fail(message: impl Into<String>, cure: impl Into<String>) -> Problem {
    Problem { verdict: Verdict::Fail, unknown: false, message: message.into(), cure: cure.into() }
}

pub(super) fn warn(message: impl Into<String>, cure: impl Into<String>) -> Problem {
    Problem { verdict: Verdict::Warn, unknown: false, message: message.into(), cure: cure.into() }
}

/// Something that could not be judged.
pub(super) fn unknown(why: impl AsRef<str>) -> Problem {
    let message = format!("unknown: {}", why.as_ref());
    Problem { unknown: true, ..warn(message, "run this command as an administrator of the cluster") }
}

/// At most so many names are told of many.
const TOLD: usize = 5;

/// Names, separated by commas; of many, the first ones and how many more there are.
pub(super) fn several(names: &[String]) -> String {
    match names.len().checked_sub(TOLD) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..TOLD].join(", ")),
        _ => names.join(", "),
    }
}
