//! A table that is checked in, read by people and compared cell by cell: who, where, what, and the words that hold there.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::PathBuf,
};

/// Set, it has the tables rewritten instead of compared.
const ACCEPT: &str = "GOVCLOUD_ACCEPT_MATRIX";
const WIDTH: usize = 130;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub who: String,
    pub place: String,
    pub what: String,
    pub word: String,
}

pub type Cells = BTreeSet<Cell>;

type Words = BTreeSet<String>;
type Rows = BTreeMap<String, Words>;
/// As YAML has it: who, where, what, words.
type Written = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

pub fn cell(who: &str, place: &str, what: &str, word: &str) -> Cell {
    let [who, place, what, word] = [who, place, what, word].map(str::to_owned);
    Cell { who, place, what, word }
}

/// One of the files beside this one.
pub struct Table {
    pub file: &'static str,
    pub about: &'static str,
    /// In which order people read it; what is missing here comes last.
    pub order: &'static [&'static str],
    /// Whether rows that say the same are one.
    pub merged: bool,
}

impl Table {
    fn path(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "cases/matrix", self.file].iter().collect()
    }

    /// What was accepted.
    pub fn accepted(&self) -> Cells {
        parse(&fs::read_to_string(self.path()).unwrap_or_default())
    }

    /// Fails with every difference, or accepts them all where that was asked for.
    pub fn compare(&self, found: &Cells) {
        if env::var_os(ACCEPT).is_some() {
            let text = self.render(found);
            assert_eq!(&parse(&text), found, "what is written is read again");
            fs::write(self.path(), text).unwrap();
            return;
        }
        let accepted = self.accepted();
        let appeared = lines("+", &(found - &accepted));
        let missing = lines("-", &(&accepted - found));
        assert!(
            appeared.is_empty() && missing.is_empty(),
            "tests/cases/matrix/{file} says otherwise.\nAppeared:\n{appeared}Went missing:\n{missing}\
             When each of these lines is meant, accept them and commit the file: {ACCEPT}=1 cargo test --test cases matrix",
            file = self.file
        );
    }

    fn rank<'a>(&self, name: &'a str) -> (usize, &'a str) {
        (self.order.iter().position(|known| *known == name).unwrap_or(usize::MAX), name)
    }

    fn render(&self, cells: &Cells) -> String {
        let mut sections: BTreeMap<&str, BTreeMap<&str, Rows>> = BTreeMap::new();
        for Cell { who, place, what, word } in cells {
            let rows = sections.entry(who).or_default().entry(place).or_default();
            rows.entry(what.clone()).or_default().insert(word.clone());
        }
        let mut text = format!("# {}\n", self.about.replace('\n', "\n# "));
        let mut names: Vec<&str> = sections.keys().copied().collect();
        names.sort_by_key(|name| self.rank(name));
        for name in names {
            writeln!(text, "{name}:").unwrap();
            for (places, rows) in self.together(&sections[name]) {
                writeln!(text, "  {}:", places.join(", ")).unwrap();
                let mut merged: Vec<(Vec<&str>, &Words)> = Vec::new();
                for (what, words) in rows {
                    match merged.iter_mut().find(|(_, others)| self.merged && *others == words) {
                        Some((whats, _)) => whats.push(what),
                        None => merged.push((vec![what], words)),
                    }
                }
                for (whats, words) in merged {
                    let what = whats.join(", ");
                    let quote = if what.contains('*') { "\"" } else { "" };
                    let row = format!("    {quote}{what}{quote}: {}", sorted(words).join(" ").replace('*', "'*'"));
                    writeln!(text, "{}", wrapped(&row)).unwrap();
                }
            }
        }
        text
    }

    /// Places where the same holds are named together.
    fn together<'a>(&self, places: &'a BTreeMap<&'a str, Rows>) -> Vec<(Vec<&'a str>, &'a Rows)> {
        let mut names: Vec<&str> = places.keys().copied().collect();
        names.sort_by_key(|name| self.rank(name));
        let mut groups: Vec<(Vec<&str>, &Rows)> = Vec::new();
        for name in names {
            match groups.iter_mut().find(|(_, rows)| *rows == &places[name]) {
                Some((others, _)) => others.push(name),
                None => groups.push((vec![name], &places[name])),
            }
        }
        groups
    }
}

/// Long rows go on below, as YAML reads them too.
fn wrapped(row: &str) -> String {
    let mut lines = vec![String::new()];
    for word in row.split_inclusive(' ') {
        if lines.last().is_some_and(|line| line.len() + word.len() > WIDTH) {
            lines.push("      ".to_owned());
        }
        lines.last_mut().unwrap().push_str(word);
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn parse(text: &str) -> Cells {
    let sections: Option<Written> = serde_yaml::from_str(text).unwrap();
    let mut cells = Cells::new();
    for (who, places) in sections.into_iter().flatten() {
        for (place, (what, words)) in
            places.iter().flat_map(|(names, rows)| names.split(", ").flat_map(move |name| rows.iter().map(move |row| (name, row))))
        {
            let words = words.replace('\'', "");
            cells.extend(what.split(", ").flat_map(|what| words.split(' ').map(|word| cell(&who, place, what, word))));
        }
    }
    cells
}

fn sorted(words: &Words) -> Vec<&str> {
    const USUAL: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_by_key(|word| (USUAL.iter().position(|usual| usual == word).unwrap_or(USUAL.len()), *word));
    words
}

fn lines(sign: &str, cells: &Cells) -> String {
    let mut rows: BTreeMap<(&str, &str, &str), Words> = BTreeMap::new();
    for Cell { who, place, what, word } in cells {
        rows.entry((who, place, what)).or_default().insert(word.clone());
    }
    rows.iter().fold(String::new(), |mut text, ((who, place, what), words)| {
        writeln!(text, "  {sign} {who}, {place}: {what}: {}", sorted(words).join(" ")).unwrap();
        text
    })
}

#[test]
fn a_table_is_read_as_it_was_written_and_says_what_differs() {
    let table = Table { file: "none", about: "two\nlines", order: &["second"], merged: true };
    let cells = Cells::from([
        cell("first", "home", "pods", "get"),
        cell("first", "own", "pods", "get"),
        cell("second", "own", "roles.rbac[govcloud:owner]", "bind"),
        cell("second", "own", "*.*", "*"),
    ]);
    let text = table.render(&cells);
    assert!(text.starts_with("# two\n# lines\nsecond:\n") && text.contains("first:\n  home, own:\n    pods: get\n"), "{text}");
    assert_eq!(parse(&text), cells);
    let long: Cells = (0..60).map(|number| cell("first", "home", "pods", &format!("verb-{number}"))).collect();
    let text = table.render(&long);
    assert!(text.lines().all(|line| line.len() <= WIDTH) && parse(&text) == long, "{text}");
    let fewer: Cells = cells.iter().filter(|cell| cell.place != "home").cloned().collect();
    assert_eq!(lines("-", &(&cells - &fewer)), "  - first, home: pods: get\n");
}
