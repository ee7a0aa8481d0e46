//! Manifests from files, folders and the standard input, as `kubectl -f` takes them.

use std::{
    fs,
    io::{Read, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

/// Endings of the files that are read of a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Every object of these files, in their order; `-` is the standard input, and of a folder every YAML and JSON file is read.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            stdin().read_to_string(&mut text).context("reading the standard input")?;
            parse(&text, "the standard input", &mut objects)?;
            continue;
        }
        for file in files(path)? {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            parse(&text, &file.display().to_string(), &mut objects)?;
        }
    }
    if objects.is_empty() {
        bail!("no objects found in the files that -f names");
    }
    Ok(objects)
}

fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)));
    files.sort();
    Ok(files)
}

fn parse(text: &str, from: &str, objects: &mut Vec<Value>) -> anyhow::Result<()> {
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = Value::deserialize(document).with_context(|| format!("{from} is neither YAML nor JSON"))?;
        match object["items"].as_array() {
            Some(items) if object["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => objects.extend(items.iter().cloned()),
            _ if object.is_null() => {} // nothing between two separators
            _ if object["kind"].is_string() && object["metadata"]["name"].is_string() => objects.push(object),
            _ => bail!("{from}: an object has no kind or no metadata.name"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lists_and_gaps_are_read_in_their_order() {
        let mut objects = Vec::new();
        let text = "---\nkind: A\nmetadata: {name: a}\n---\n---\nkind: List\nitems: [{kind: B, metadata: {name: b}}]\n---\n{\"kind\": \"C\", \"metadata\": {\"name\": \"c\"}}\n";
        parse(text, "a text", &mut objects).unwrap();
        let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["A", "B", "C"]);
        assert!(parse("metadata: {name: a}", "a text", &mut objects).unwrap_err().to_string().contains("no kind"));
    }
}
