//! The plugin as krew installs it: an archive for each platform, their checksums, and the manifest that names both. What is written
//! depends on its input alone.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use crate::layout::{Program, hash};

/// The manifest, with words in capitals for what differs; what follows this line stands once for each platform.
const MANIFEST: &str = include_str!("../krew.yaml");
const PLATFORMS: &str = "  platforms:\n";
/// Names of the files in an archive.
const FILES: [&str; 2] = ["kubectl-govcloud", "LICENSE"];

/// A release of the plugin.
pub struct Plugin<'a> {
    /// Its version, without a letter before it.
    pub version: &'a str,
    /// Address of the folder from which the archives will be fetched.
    pub location: &'a str,
    /// Text of the licence.
    pub license: &'a str,
}

impl Plugin<'_> {
    /// Writes the archives of these programs, one for each platform, `SHA256SUMS` and `govcloud.yaml` anew into a folder. Returns the
    /// path of the last one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, programs: &[Program]) -> Result<PathBuf> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let (head, platform) = MANIFEST.split_once(PLATFORMS).context("the manifest has no platforms")?;
        let mut manifest = format!("{}{PLATFORMS}", head.replace("VERSION", self.version));
        let mut sums = Vec::new();
        for program in programs {
            let file = format!("govcloud_linux_{}.tar.gz", program.architecture);
            let archive = self.archive(&program.bytes)?;
            let sum = hash(&archive);
            write(&folder.join(&file), &archive)?;
            manifest.push_str(&filled(
                platform,
                &[("ARCHITECTURE", &program.architecture.to_string()), ("LOCATION", self.location), ("FILE", &file), ("SHA256", &sum)],
            ));
            writeln!(sums, "{sum}  {file}")?;
        }
        write(&folder.join("SHA256SUMS"), &sums)?;
        let path = folder.join("govcloud.yaml");
        write(&path, manifest.as_bytes())?;
        Ok(path)
    }

    fn archive(&self, program: &[u8]) -> Result<Vec<u8>> {
        let mut archive = tar::Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best()));
        for (name, mode, bytes) in [(FILES[0], 0o755, program), (FILES[1], 0o644, self.license.as_bytes())] {
            let mut header = tar::Header::new_ustar();
            header.set_path(name)?;
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(mode);
            header.set_mtime(0);
            header.set_size(bytes.len().try_into()?);
            header.set_cksum();
            archive.append(&header, bytes)?;
        }
        let mut zip = archive.into_inner()?;
        zip.flush()?;
        Ok(zip.finish()?)
    }
}

fn filled(text: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
