//! Builds the Go programs of the tests, each once for each state of its sources: `tests/controlplane`, which is etcd, the
//! Kubernetes control plane, kwok and kubectl, and the programs of a platform and of its administrators in `tests/platform`.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{build_layout, progress::Activity};

const KUBERNETES: (&str, &str, &str) = ("1", "37", "v1.37.2");
const NO_GO: &str = "The control plane is built from Go modules, and there is no `go` on the PATH. \
    Either install Go 1.26 (https://go.dev/dl), or use a cluster that you have: --kubeconfig PATH, or \
    GOVCLOUD_KUBECONFIG=PATH in the environment.";

/// Leaves Prometheus' service discoveries out, with the clients of a dozen clouds. No other module knows this tag.
const TAGS: &str = "remove_all_sd";

/// A program that is built from a Go module of this workspace.
pub struct GoProgram {
    /// Name of the program's file.
    name: &'static str,
    /// Folder of the module.
    sources: &'static str,
    /// What of it is built: a package of its own, or one that it names as a tool.
    package: &'static str,
    /// What is said of its build while it lasts.
    activity: &'static str,
    /// Values of variables that are set when it is linked.
    variables: fn() -> Vec<String>,
}

pub const CONTROL_PLANE: GoProgram = GoProgram {
    name: "controlplane",
    sources: "tests/controlplane",
    package: ".",
    activity: "building the control plane from its Go modules (6-7 minutes the first time)",
    variables: kubernetes_version,
};

pub const CERT_MANAGER: GoProgram = GoProgram {
    name: "cert-manager",
    sources: "tests/platform/cert-manager",
    package: ".",
    activity: "building cert-manager from its Go modules (some minutes the first time)",
    variables: Vec::new,
};

pub const HELM_4: GoProgram = GoProgram {
    name: "helm4",
    sources: "tests/platform/helm4",
    package: "helm.sh/helm/v4/cmd/helm",
    activity: "building Helm 4 from its Go modules (some minutes the first time)",
    variables: Vec::new,
};

pub const HELM_3: GoProgram = GoProgram {
    name: "helm3",
    sources: "tests/platform/helm3",
    package: "helm.sh/helm/v3/cmd/helm",
    activity: "building Helm 3 from its Go modules (some minutes the first time)",
    variables: Vec::new,
};

pub const PROMTOOL: GoProgram = GoProgram {
    name: "promtool",
    sources: "tests/platform/promtool",
    package: "github.com/prometheus/prometheus/cmd/promtool",
    activity: "building promtool from its Go modules (some minutes the first time)",
    variables: Vec::new,
};

pub const KUBECONFORM: GoProgram = GoProgram {
    name: "kubeconform",
    sources: "tests/platform/kubeconform",
    package: "github.com/yannh/kubeconform/cmd/kubeconform",
    activity: "building kubeconform from its Go modules",
    variables: Vec::new,
};

pub const CRDIFY: GoProgram = GoProgram {
    name: "crdify",
    sources: "tests/platform/crdify",
    package: "sigs.k8s.io/crdify",
    activity: "building crdify from its Go modules",
    variables: Vec::new,
};

pub const OLDEST_KUBERNETES: GoProgram = GoProgram {
    name: "oldest",
    sources: "tests/platform/oldest",
    package: ".",
    activity: "building the validation of definitions of the oldest Kubernetes that is supported",
    variables: Vec::new,
};

pub const HELM_DOCS: GoProgram = GoProgram {
    name: "helm-docs",
    sources: "tests/platform/helm-docs",
    package: "github.com/norwoodj/helm-docs/cmd/helm-docs",
    activity: "building helm-docs from its Go modules",
    variables: Vec::new,
};

pub const KREW: GoProgram = GoProgram {
    name: "krew",
    sources: "tests/platform/krew",
    package: "sigs.k8s.io/krew/cmd/krew",
    activity: "building krew from its Go module",
    variables: Vec::new,
};

pub const KREW_VALIDATION: GoProgram = GoProgram {
    name: "validate-krew-manifest",
    sources: "tests/platform/krew",
    package: "sigs.k8s.io/krew/cmd/validate-krew-manifest",
    activity: "building krew's own validation of manifests from its Go module",
    variables: Vec::new,
};

pub const DASHBOARD: GoProgram = GoProgram {
    name: "dashboard",
    sources: "tests/platform/dashboard",
    package: ".",
    activity: "building the program that knows Grafana's schema",
    variables: Vec::new,
};

pub const TRAEFIK: GoProgram = GoProgram {
    name: "traefik",
    sources: "tests/platform/traefik",
    package: "github.com/traefik/traefik/v3/cmd/traefik",
    activity: "building Traefik from its Go modules (some minutes the first time)",
    variables: Vec::new,
};

pub const POD: GoProgram = GoProgram {
    name: "pod",
    sources: "tests/platform/pod",
    package: ".",
    activity: "building the program of the tests' pods",
    variables: Vec::new,
};

/// The folder with the programs, their keys and their lock.
pub fn folder() -> PathBuf {
    build_layout::target_directory().join("controlplane")
}

/// Holds every other process that builds, or tidies the folder, back until it is dropped.
pub fn lock() -> Result<File> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

impl GoProgram {
    /// Path of the program, which is built first when its sources or Go itself have changed.
    pub fn build(&self) -> Result<PathBuf> {
        let _lock = lock()?;
        let program = folder().join(self.name);
        let key_file = program.with_extension("key");
        let flags = link_flags((self.variables)());
        let key = format!("{:016x} {}", hash_of(&self.sources(), &flags)?, go_version(&self.sources())?);
        if program.exists() && fs::read_to_string(&key_file).is_ok_and(|built| built == key) {
            return Ok(program);
        }
        self.compile(&flags, &program)?;
        fs::write(&key_file, key).with_context(|| format!("writing {}", key_file.display()))?;
        Ok(program)
    }

    /// Where Go keeps the files of a module that the program is built from.
    pub fn module(&self, path: &str) -> Result<PathBuf> {
        module(self.sources, path)
    }

    fn sources(&self) -> PathBuf {
        build_layout::workspace().join(self.sources)
    }

    fn compile(&self, flags: &str, program: &Path) -> Result<()> {
        let mut activity = Activity::new(self.activity);
        let fresh = program.with_extension("new");
        let log = program.with_extension("build.log");
        let log_file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let mut go = Command::new("go")
            .args(["build", "-trimpath", "-tags", TAGS, "-ldflags", flags, "-o"])
            .arg(&fresh)
            .arg(self.package)
            .current_dir(self.sources())
            .env("CGO_ENABLED", "0") // static, so that it runs in an image with nothing else in it
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .context("starting `go build`")?;
        let status = loop {
            if let Some(status) = go.try_wait().context("waiting for `go build`")? {
                break status;
            }
            activity.still_at_it();
            thread::sleep(Duration::from_millis(100));
        };
        drop(activity);
        if !status.success() {
            let output = fs::read_to_string(&log).unwrap_or_default();
            bail!("{} does not build from {} ({status}):\n{}", self.name, self.sources, output.trim());
        }
        // What runs keeps its program; the next one gets this.
        fs::rename(&fresh, program).with_context(|| format!("moving {} into place", fresh.display()))
    }
}

/// Where Go keeps the files of a module that the one in a folder of this workspace requires. They are fetched when need be.
pub fn module(sources: &str, path: &str) -> Result<PathBuf> {
    let mut command = Command::new("go");
    command.args(["mod", "download", "-json", path]).current_dir(build_layout::workspace().join(sources)).stdin(Stdio::null());
    let output = command.output().context("running `go mod download`")?;
    if !output.status.success() {
        bail!("`go mod download {path}` fails: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).context("reading what `go mod download` says")?;
    Ok(PathBuf::from(found["Dir"].as_str().with_context(|| format!("`go mod download {path}` names no folder"))?))
}

/// The sources are a few small files, so reading them all is as quick as asking for their times, and
/// a checkout that sets new times builds nothing.
fn hash_of(sources: &Path, flags: &str) -> Result<u64> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(sources)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| path.is_file());
        paths.sort();
        Ok(paths)
    };
    let mut hasher = DefaultHasher::new();
    for path in list().with_context(|| format!("reading {}", sources.display()))? {
        path.file_name().hash(&mut hasher);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))?.hash(&mut hasher);
    }
    flags.hash(&mut hasher);
    Ok(hasher.finish())
}

fn go_version(sources: &Path) -> Result<String> {
    // In the folder of the module, because its go.mod may choose another toolchain.
    match Command::new("go").arg("version").current_dir(sources).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => bail!("`go version` fails: {}\n{NO_GO}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(NO_GO),
        Err(error) => Err(error).context("running `go version`"),
    }
}

/// Without the version `kubectl version` and the API server's own compatibility checks break.
fn kubernetes_version() -> Vec<String> {
    let (major, minor, version) = KUBERNETES;
    let packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].into_iter();
    let values = [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)];
    packages.flat_map(|package| values.map(|(name, value)| format!("{package}.{name}={value}"))).collect()
}

fn link_flags(variables: Vec<String>) -> String {
    let set = variables.into_iter().flat_map(|variable| ["-X".to_owned(), variable]);
    ["-s".to_owned(), "-w".to_owned()].into_iter().chain(set).collect::<Vec<_>>().join(" ")
}
