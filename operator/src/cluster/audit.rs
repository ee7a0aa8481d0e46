//! The audit log: a JSON object a line, on standard output. All else that the operator says goes to standard error.

use std::io::{Write, stdout};

use govcloud_core::model::audit::AuditRecord;
use tracing::error;

/// Writes records. One that cannot be written is in the tenant's history all the same.
pub fn log(records: &[AuditRecord]) {
    for record in records {
        let written = serde_json::to_string(record).map_err(Into::into).and_then(|line| writeln!(stdout().lock(), "{line}"));
        if let Err(error) = written {
            error!(agency = record.agency, number = record.number, %error, "a record of the audit log was not written to standard output");
        }
    }
}
