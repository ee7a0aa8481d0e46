//! What commands print: text, and rows as a table, JSON or YAML. Whoever reads it may close the pipe at any line.

use std::{
    fmt::Display,
    io::{ErrorKind, Write, stderr, stdout},
};

use anyhow::Context;
use comfy_table::{Table, presets::NOTHING};
use govcloud_core::views::rows::Row;
use serde::Serialize;

/// Exit code of a command whose output nobody reads any more: that of a program which ends by SIGPIPE.
pub(super) const CLOSED: u8 = 141;

#[derive(clap::Args)]
pub(super) struct Output {
    /// Form of what is printed. JSON and YAML have all fields, in their full length.
    #[arg(long = "output", short = 'o', value_enum, value_name = "FORM", default_value_t = Form::Table)]
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Text for people.
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Output {
    /// Prints a list; of an empty one, `none` is said on standard error where a table was asked for.
    pub(super) fn list<R: Row>(&self, rows: &[R], none: &str) -> anyhow::Result<()> {
        match self.form {
            Form::Table if rows.is_empty() => writeln!(stderr(), "{none}").context("writing to the standard error"),
            _ => self.one(rows, |rows| table(rows)),
        }
    }

    /// Prints one thing; `lines` are those of the table form.
    pub(super) fn one<T: Serialize + ?Sized>(&self, value: &T, lines: impl FnOnce(&T) -> Vec<String>) -> anyhow::Result<()> {
        match self.form {
            Form::Table => say(lines(value).join("\n")),
            Form::Json => say(serde_json::to_string_pretty(value).context("writing JSON")?),
            Form::Yaml => say(serde_yaml::to_string(value).context("writing YAML")?.trim_end()),
        }
    }
}

/// Prints text and ends the line.
pub(super) fn say(text: impl Display) -> anyhow::Result<()> {
    writeln!(stdout(), "{text}").context("writing to the standard output")
}

/// Whether a command ends because nobody reads its output any more.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

/// Rows below their titles, in columns as wide as their widest text, as `kubectl get` prints them. Nothing is cut.
pub(super) fn table<R: Row>(rows: &[R]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(R::HEADER);
    table.add_rows(rows.iter().map(|row| row.cells().into_iter().map(|cell| cell.replace(char::is_control, " "))));
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.trim_fmt().lines().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair(&'static str, &'static str);

    impl Row for Pair {
        const HEADER: &'static [&'static str] = &["NAME", "AGE"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.to_owned()]
        }
    }

    #[test]
    fn columns_are_aligned_also_where_characters_are_twice_as_wide_and_lines_end_without_blanks() {
        let long = "a".repeat(300);
        let rows = [Pair("卫生健康委员会", "1d"), Pair("health", "2d"), Pair("two\nlines", ""), Pair(long.clone().leak(), "3d")];
        let lines = table(&rows[..3]);
        assert_eq!(lines, ["NAME             AGE", "卫生健康委员会   1d", "health           2d", "two lines"]);
        assert!(table(&rows)[4].starts_with(&format!("{long}   3d")), "nothing is cut");
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        let error = |kind| anyhow::Error::new(std::io::Error::from(kind)).context("writing to the standard output");
        assert!(is_closed(&error(ErrorKind::BrokenPipe)) && !is_closed(&error(ErrorKind::StorageFull)));
    }
}
