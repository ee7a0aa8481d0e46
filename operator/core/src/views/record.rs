//! The history of a tenant: one row an entry.

use super::rows::Row;
use crate::api::history::HistoryEntry;

impl Row for HistoryEntry {
    const HEADER: &'static [&'static str] = &["NUMBER", "TIME", "EVENT", "GENERATION", "BY", "REASON", "CHANGES"];

    fn cells(&self) -> Vec<String> {
        let Self { number, time, event, by, generation, reason, changes, .. } = self;
        let event = event.as_str().to_owned();
        vec![number.to_string(), time.clone(), event, generation.to_string(), by.clone(), reason.clone(), changes.join("; ")]
    }
}
