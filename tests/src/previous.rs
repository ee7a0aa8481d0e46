//! The version before this one, as far as an upgrade can tell: a copy of these sources with a lower version, in which one builder writes
//! the same otherwise. Cargo compiles the project's own crates of it, beside this version's and with the same dependencies.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build_layout;

/// Its version.
pub const VERSION: &str = "0.1.9";
const PROGRAM: &str = "govcloud-previous";
const COPIED: [&str; 5] = ["Cargo.toml", "Cargo.lock", "charts", "operator", "tests"];

/// What it has otherwise, by file: the text here, and there.
const CHANGED: [(&str, &str, &str); 2] = [
    // A program of another name, so that it does not take the place of this version's.
    (
        "operator/Cargo.toml",
        "[package]\n",
        "[[bin]]\nname = \"govcloud-previous\"\npath = \"src/main.rs\"\n\n[package]\nautobins = false\n",
    ),
    (
        "operator/core/src/children/network_policy.rs",
        r#"[{ "protocol": "UDP", "port": port }, { "protocol": "TCP", "port": port }]"#,
        r#"[{ "protocol": "TCP", "port": port }, { "protocol": "UDP", "port": port }]"#,
    ),
];

/// The version before this one.
pub struct Previous {
    /// Its operator.
    pub program: PathBuf,
    /// Folder of its chart.
    pub chart: PathBuf,
}

impl Previous {
    /// Copies what has changed since it was last copied, and builds what that changes. Blocks.
    ///
    /// # Errors
    /// When these sources no longer have what it has otherwise, or with the compiler's output when it does not build.
    pub fn build() -> Result<Self> {
        let target = build_layout::target_directory();
        let (folder, lock) = (target.join("previous"), target.join("previous.lock"));
        let lock = File::create(&lock).with_context(|| format!("creating {}", lock.display()))?;
        lock.lock().context("waiting for another that builds the previous version")?;
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        for name in COPIED {
            copy(&build_layout::workspace(), &folder, Path::new(name))?;
        }
        Ok(Self { program: build_layout::build_program(&folder, PROGRAM)?, chart: folder.join("charts/govcloud") })
    }
}

/// Makes a file or a folder there as it is to be. What is so already keeps its time, by which Cargo knows what to compile.
fn copy(from: &Path, to: &Path, path: &Path) -> Result<()> {
    let (source, copied) = (from.join(path), to.join(path));
    let failed = || format!("copying {}", source.display());
    if source.is_file() {
        let wanted = as_previous(path, fs::read(&source).with_context(failed)?)?;
        if fs::read(&copied).ok().as_ref() != Some(&wanted) {
            fs::write(&copied, wanted).with_context(failed)?;
        }
        return Ok(());
    }
    fs::create_dir_all(&copied).with_context(failed)?;
    let wanted = names(&source).with_context(failed)?;
    for surplus in names(&copied).with_context(failed)?.difference(&wanted) {
        let surplus = copied.join(surplus);
        if surplus.is_dir() { fs::remove_dir_all(&surplus) } else { fs::remove_file(&surplus) }.with_context(failed)?;
    }
    wanted.iter().try_for_each(|name| copy(from, to, &path.join(name)))
}

fn names(folder: &Path) -> std::io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name().into())).collect()
}

/// A file's content there.
fn as_previous(path: &Path, content: Vec<u8>) -> Result<Vec<u8>> {
    let text = || String::from_utf8(content.clone()).with_context(|| format!("reading {}", path.display()));
    if path.starts_with("charts") || path == Path::new("Cargo.toml") {
        return Ok(text()?.replace(env!("CARGO_PKG_VERSION"), VERSION).into_bytes());
    }
    let Some((_, here, there)) = CHANGED.iter().find(|(file, _, _)| path == Path::new(file)) else { return Ok(content) };
    let text = text()?;
    if text.matches(here).count() != 1 {
        bail!("{} has not just once: {here}", path.display());
    }
    Ok(text.replacen(here, there, 1).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_follows_the_sources_and_leaves_what_is_the_same_alone() {
        let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let put = |path: &str, text: &str| {
            let path = from.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let all = || ["charts", "operator"].iter().try_for_each(|name| copy(from.path(), to.path(), Path::new(name)));
        put("operator/Cargo.toml", "[package]\nname = \"govcloud\"\n");
        put("charts/Chart.yaml", concat!("version: ", env!("CARGO_PKG_VERSION"), "\n"));
        put("charts/policies/old.yaml", "");
        all().unwrap();
        let read = |path: &str| fs::read_to_string(to.path().join(path));
        assert!(read("operator/Cargo.toml").unwrap().contains(PROGRAM));
        assert_eq!(read("charts/Chart.yaml").unwrap(), "version: 0.1.9\n");
        assert!(read("charts/policies/old.yaml").is_ok());

        let time = || fs::metadata(to.path().join("charts/Chart.yaml")).unwrap().modified().unwrap();
        let before = time();
        fs::remove_dir_all(from.path().join("charts/policies")).unwrap();
        put("charts/new.yaml", "");
        all().unwrap();
        assert_eq!(time(), before);
        assert!(read("charts/policies/old.yaml").is_err() && read("charts/new.yaml").is_ok());

        put("operator/Cargo.toml", "[package]\n[package]\n");
        assert!(all().unwrap_err().to_string().contains("has not just once"));
    }
}
