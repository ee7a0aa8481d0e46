//! The folders of this crate use those before them and none after, and no files use each other in a circle, nor do those of the
//! operator. What Cargo and
//! `clippy.toml` cannot see of a client is looked for here: `async`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// From the first, which uses none of the others, to the last.
const FOLDERS: [&str; 7] = ["api", "model", "children", "plan", "status", "step", "views"];

/// The source of this crate.
const CORE: &str = "src";
/// The source of the operator.
const OPERATOR: &str = "../src";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The modules of a crate, by path from its root, each with the text of its file up to its tests.
fn modules(source: &str) -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let named = files(&source).into_iter().map(|path| {
        let name = path.strip_prefix(&source).unwrap().with_extension("").to_string_lossy().replace('/', "::");
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        (name.strip_suffix("::mod").map_or(name.clone(), str::to_owned), code)
    });
    named.filter(|(name, _)| name != "lib" && !name.ends_with("tests")).collect()
}

/// The paths that a `use` names: each leaf of its tree.
fn leaves(tree: &str, prefix: &str, into: &mut Vec<String>) {
    let (mut depth, mut part) = (0, String::new());
    let parts = tree.chars().chain([',']).fold(Vec::new(), |mut parts, letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else if !letter.is_whitespace() {
            part.push(letter);
        }
        parts
    });
    for part in parts.iter().filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, rest)) => leaves(rest.strip_suffix('}').unwrap(), &format!("{prefix}{head}"), into),
            None => into.push(format!("{prefix}{part}")),
        }
    }
}

/// The modules that a file uses: by `use`, and by paths from the crate's root.
fn uses(module: &str, text: &str, all: &BTreeMap<String, String>) -> BTreeSet<String> {
    let above = |module: &str| module.rsplit_once("::").map_or(module, |(parent, _)| parent).to_owned();
    let (parent, grandparent) = (above(module), above(&above(module)));
    let mut paths = Vec::new();
    let text = text.replace("\npub use ", "\nuse ");
    let mut parts = text.split("\nuse ");
    let mut code = parts.next().unwrap_or_default().to_owned();
    for (statement, rest) in parts.filter_map(|rest| rest.split_once(';')) {
        code.push_str(rest);
        match (statement.strip_prefix("crate::"), statement.strip_prefix("super::super::"), statement.strip_prefix("super::")) {
            (Some(tree), ..) => leaves(tree, "", &mut paths),
            (_, Some(tree), _) => leaves(tree, &format!("{grandparent}::"), &mut paths),
            (.., Some(tree)) => leaves(tree, &format!("{parent}::"), &mut paths),
            // What a folder's own file names of a file in it.
            _ => leaves(statement, &format!("{module}::"), &mut paths),
        }
    }
    let inside = all.keys().filter_map(|other| other.strip_prefix(module)?.strip_prefix("::"));
    let words: BTreeSet<&str> = code.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':')).collect();
    paths.extend(
        inside.filter(|file| words.iter().any(|word| word.starts_with(&format!("{file}::")))).map(|file| format!("{module}::{file}")),
    );
    let here =
        text.split("crate::").skip(1).map(|rest| rest.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':')));
    paths.extend(here.filter_map(|mut words| words.next().map(str::to_owned)));
    let known = |path: &String| {
        let mut path = path.as_str();
        loop {
            if all.contains_key(path) {
                return Some(path.to_owned());
            }
            path = path.rsplit_once("::")?.0;
        }
    };
    paths.iter().filter_map(known).filter(|used| used != module).collect()
}

#[test]
fn folders_use_those_before_them_and_none_after() {
    let modules = modules(CORE);
    let place = |module: &str| FOLDERS.iter().position(|folder| module.split("::").next() == Some(folder)).unwrap();
    let mut arrows = 0;
    for (module, text) in &modules {
        for used in uses(module, text, &modules) {
            assert!(place(&used) <= place(module), "{module} uses {used}, which comes after it");
            arrows += 1;
        }
    }
    assert!(arrows > 150, "only {arrows} uses were found");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for source in [CORE, OPERATOR] {
        no_circle(&modules(source));
    }
}

fn no_circle(modules: &BTreeMap<String, String>) {
    let arrows: BTreeMap<&String, BTreeSet<String>> = modules.iter().map(|(name, text)| (name, uses(name, text, modules))).collect();
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 100, "{arrows:?}");
    for start in modules.keys() {
        let (mut reached, mut next): (BTreeSet<String>, Vec<String>) = (BTreeSet::new(), arrows[start].iter().cloned().collect());
        while let Some(module) = next.pop() {
            assert!(&module != start, "{start} uses itself by way of {reached:?}");
            if reached.insert(module.clone()) {
                next.extend(arrows[&module].iter().cloned());
            }
        }
    }
}

#[test]
fn nothing_waits() {
    for (module, text) in modules(CORE) {
        assert!(!text.contains("async ") && !text.contains(".await"), "{module} waits; input and output belong to crate govcloud");
    }
}
