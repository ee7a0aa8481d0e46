//! Where the sources lie and where cargo builds to: derived from the running executable, so that a
//! nested build lands in the same place with the same profile.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The checkout: the folder of the workspace's `Cargo.toml`.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Cargo's target directory.
pub fn target_directory() -> PathBuf {
    build_of_this_executable().map_or_else(|| workspace().join("target"), |build| build.target)
}

/// What the path `TARGET/[TRIPLE/]PROFILE/...` of an executable tells.
#[derive(Debug, PartialEq, Eq)]
struct Build {
    target: PathBuf,
    triple: Option<OsString>,
    profile: OsString,
}

fn build_of_this_executable() -> Option<Build> {
    let executable = env::current_exe().ok()?;
    // Cargo writes this file at the root of every target directory.
    build_of(&executable, |folder| folder.join(".rustc_info.json").exists())
}

fn build_of(executable: &Path, is_target: impl Fn(&Path) -> bool) -> Option<Build> {
    let target = executable.ancestors().skip(1).find(|folder| is_target(folder))?;
    let mut below = executable.parent()?.strip_prefix(target).ok()?.iter();
    let first = below.next()?.to_owned();
    let build = match below.next() {
        Some(profile) if profile != "deps" && profile != "examples" => (Some(first), profile.to_owned()),
        _ => (None, first),
    };
    Some(Build { target: target.to_owned(), triple: build.0, profile: build.1 })
}

/// Builds the `govcloud` program as the running program was built, and gives its path.
pub fn build_operator() -> Result<PathBuf> {
    build_program(&workspace(), "govcloud")
}

/// Builds a program of a workspace that has the packages of this one, as the running program was built, and gives its path.
pub fn build_program(sources: &Path, name: &str) -> Result<PathBuf> {
    let build =
        build_of_this_executable().unwrap_or_else(|| Build { target: workspace().join("target"), triple: None, profile: "debug".into() });
    // Set when cargo started this program; then it is the same toolchain.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = cargo_build(&cargo, &build, sources, name)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("running {} to build the operator", cargo.display()))?;
    if !output.status.success() {
        bail!("the operator does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let folder = build.target.join(build.triple.unwrap_or_default()).join(build.profile);
    Ok(folder.join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

fn is_about_this_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_") || variable.starts_with("CARGO_MANIFEST_")
}

fn cargo_build(cargo: &OsString, build: &Build, sources: &Path, name: &str) -> Command {
    let mut command = Command::new(cargo);
    command
        .current_dir(sources)
        // Naming both packages makes cargo choose the features of shared dependencies as in the build
        // of this program, so that nothing is compiled twice.
        .args(["build", "--quiet", "--package", "govcloud", "--package", "acceptance"])
        .args(["--bin", name, "--target-dir"])
        .arg(&build.target);
    if let Some(triple) = &build.triple {
        command.arg("--target").arg(triple);
    }
    // Cargo tells a program that it runs about that program's own package. Passed on, this makes build scripts that look
    // at it run again, and half of the dependencies compile anew at every change between a nested build and a direct one.
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_this_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    if build.profile != "debug" {
        command.arg("--profile").arg(&build.profile);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_says_of_one_package_is_not_passed_on_and_settings_are() {
        for variable in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_LINKS"] {
            assert!(is_about_this_package(variable), "{variable}");
        }
        for variable in ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "PATH"] {
            assert!(!is_about_this_package(variable), "{variable}");
        }
    }

    #[test]
    fn the_path_of_an_executable_tells_target_triple_and_profile() {
        let cases = [
            ("/w/target/debug/demo", None, "debug"),
            ("/w/target/debug/deps/cases-0123", None, "debug"),
            ("/w/target/debug/examples/load", None, "debug"),
            ("/w/target/release/demo", None, "release"),
            ("/w/target/x86_64-unknown-linux-gnu/release/demo", Some("x86_64-unknown-linux-gnu"), "release"),
            ("/w/target/x86_64-unknown-linux-gnu/ci/deps/c", Some("x86_64-unknown-linux-gnu"), "ci"),
        ];
        for (path, triple, profile) in cases {
            let build = build_of(Path::new(path), |folder| folder.ends_with("target"));
            let expected = Build { target: "/w/target".into(), triple: triple.map(OsString::from), profile: profile.into() };
            assert_eq!(build, Some(expected), "{path}");
        }
        assert_eq!(build_of(Path::new("/usr/bin/demo"), |folder| folder.ends_with("target")), None);
    }
}
