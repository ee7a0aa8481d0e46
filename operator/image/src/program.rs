//! Builds the operator as static programs, from tools that are installed into the target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Arch, Program};
use anyhow::{Context, Result, bail};

/// A platform that the image is for: its name in images, and Rust's.
pub const PLATFORMS: [(Arch, &str); 2] = [(Arch::Amd64, "x86_64-unknown-linux-musl"), (Arch::ARM64, "aarch64-unknown-linux-musl")];

/// Zig compiles the little C there is and links, for any platform from any platform.
const ZIG: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const CYCLONEDX: &str = "0.5.9";

/// The tools.
pub struct Tools {
    folder: PathBuf,
    workspace: PathBuf,
}

impl Tools {
    /// Installs what is missing of them below a folder.
    ///
    /// # Errors
    /// Says which of them cannot be installed; Python 3 and `rustup` must be there.
    pub fn install(folder: PathBuf, workspace: PathBuf) -> Result<Self> {
        // A mark for what is installed, so that other versions are installed anew.
        let mark = folder.join("versions");
        let versions = format!("{} cargo-cyclonedx=={CYCLONEDX}", ZIG.join(" "));
        if fs::read_to_string(&mark).is_ok_and(|installed| installed == versions) {
            return Self { folder, workspace }.with_targets();
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(ZIG))?;
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--quiet", "--locked", "cargo-cyclonedx", "--version", CYCLONEDX, "--root"]).arg(&folder);
        run(&mut cargo)?;
        fs::write(&mark, versions).with_context(|| format!("writing {}", mark.display()))?;
        Self { folder, workspace }.with_targets()
    }

    fn with_targets(self) -> Result<Self> {
        for (_, target) in PLATFORMS {
            run(Command::new("rustup").args(["--quiet", "target", "add", target]).current_dir(&self.workspace))?;
        }
        Ok(self)
    }

    /// Builds the program for a platform. Nothing of the place where it is built is in it.
    ///
    /// # Errors
    /// When it does not build, with the compiler's words on standard error.
    pub fn build(&self, architecture: Arch, target: &str) -> Result<Program> {
        let home = env::var("CARGO_HOME").map_or_else(|_| Path::new(&env::var("HOME").unwrap_or_default()).join(".cargo"), PathBuf::from);
        let build = self.folder.with_file_name("build");
        let (sysroot, commit) = self.compiler()?;
        let flags = [
            // Where its sources are installed, the standard library would name their folder.
            format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=/rustc/{commit}"),
            format!("--remap-path-prefix={}=/cargo", home.display()),
            format!("--remap-path-prefix={}=/govcloud", self.workspace.display()),
            "-Cstrip=symbols".to_owned(),
        ];
        let mut cargo = self.cargo();
        cargo.args(["zigbuild", "--quiet", "--release", "--locked", "--package", "govcloud", "--bin", "govcloud"]);
        cargo.args(["--target", target, "--target-dir"]).arg(&build).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        run(&mut cargo)?;
        let file = build.join(target).join("release/govcloud");
        let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        Ok(Program { architecture, bytes })
    }

    /// The compiler's folder, and the commit that it was built from.
    fn compiler(&self) -> Result<(String, String)> {
        let print = |argument: &[&str]| {
            let output = Command::new("rustc").args(argument).current_dir(&self.workspace).output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).context("asking rustc for its version")
        };
        let version = print(&["--version", "--verbose"])?;
        let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).context("rustc names no commit")?;
        Ok((print(&["--print", "sysroot"])?, commit.to_owned()))
    }

    /// Writes the list of what the program is made of, as `CycloneDX` in JSON, into a folder. Returns the file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn bill_of_materials(&self, folder: &Path, seconds: &str) -> Result<PathBuf> {
        let name = "govcloud.cdx";
        let mut cargo = self.cargo();
        cargo.args(["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--override-filename", name]);
        cargo.arg("--manifest-path").arg(self.workspace.join("operator/Cargo.toml")).env("SOURCE_DATE_EPOCH", seconds);
        run(&mut cargo)?;
        let file = folder.join(name).with_extension("cdx.json");
        for member in ["operator", "operator/core", "operator/image", "tests"] {
            let made = self.workspace.join(member).join(format!("{name}.json"));
            match member {
                "operator" => {
                    let text = fs::read_to_string(&made).with_context(|| format!("reading {}", made.display()))?;
                    let text = text.replace(&format!("file://{}", self.workspace.display()), "file:///govcloud");
                    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
                    fs::remove_file(&made).with_context(|| format!("removing {}", made.display()))?;
                }
                _ => drop(fs::remove_file(&made)), // of crates that are not in the image
            }
        }
        Ok(file)
    }

    fn cargo(&self) -> Command {
        let path = env::var_os("PATH").unwrap_or_default();
        let first = [self.folder.join("bin")].into_iter();
        let mut command = Command::new("cargo");
        command.current_dir(&self.workspace).env("PATH", env::join_paths(first.chain(env::split_paths(&path))).unwrap_or(path));
        command
    }
}

/// Runs a command that shows its output, to its end.
fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} fails: {status}");
    }
    Ok(())
}
