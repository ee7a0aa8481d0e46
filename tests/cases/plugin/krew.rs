//! The plugin's archive as krew installs it.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use acceptance::{Operator, Tool};
use govcloud_image::{Arch, Plugin, Program};
use tokio::task::spawn_blocking;

use super::kubectl;

const LOCATION: &str = "https://files.example.gov.cn/govcloud/0.2.0";

fn output(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Installs by krew from an archive on this machine, into a folder of its own.
fn install(krew: &Tool, root: &Path, folder: &Path, archive: &str) -> (bool, String) {
    let manifest = folder.join("govcloud.yaml");
    let mut command = Command::new(krew.path());
    command.arg("install").arg(format!("--manifest={}", manifest.display())).arg(format!("--archive={}", folder.join(archive).display()));
    output(command.env("KREW_ROOT", root).env("KREW_NO_UPGRADE_CHECK", "1"))
}

#[tokio::test]
async fn krew_installs_the_archive_and_kubectl_runs_what_is_in_it() {
    let program = spawn_blocking(Operator::build).await.unwrap().unwrap();
    let (krew, validation) = spawn_blocking(|| (Tool::krew().unwrap(), Tool::krew_validation().unwrap())).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (folder, root) = (home.path().join("krew"), home.path().join("root"));
    let here = if env::consts::ARCH == "aarch64" { Arch::ARM64 } else { Arch::Amd64 };
    let programs = [Arch::Amd64, Arch::ARM64].map(|architecture| {
        let bytes = if architecture == here { fs::read(&program).unwrap() } else { b"of another machine".to_vec() };
        Program { architecture, bytes }
    });
    let license = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../LICENSE")).unwrap();
    let plugin = Plugin { version: env!("CARGO_PKG_VERSION"), location: LOCATION, license: &license };
    let manifest = plugin.write(&folder, &programs).unwrap();
    let archive = format!("govcloud_linux_{here}.tar.gz");

    // The checksums are those of the archives.
    let sums = || output(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&folder));
    let (are_right, told) = sums();
    assert!(are_right && told == "govcloud_linux_amd64.tar.gz: OK\ngovcloud_linux_arm64.tar.gz: OK\n", "{told}");
    // krew's own rules for manifests take it, and not one without a checksum.
    let validated = |text: &str| {
        fs::write(&manifest, text).unwrap();
        validation.run(&folder, &["-manifest", "govcloud.yaml", "-skip-install"], "")
    };
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.contains(&format!("uri: {LOCATION}/{archive}\n")), "{text}");
    let refused = validated(&text.replace("    sha256: ", "    sha256: x")).unwrap_err().to_string();
    assert!(refused.contains("sha256"), "{refused}");
    validated(&text).unwrap();

    // An archive that was changed on its way is not installed; the right one is, and kubectl finds it.
    let bytes = fs::read(folder.join(&archive)).unwrap();
    fs::write(folder.join("changed.tar.gz"), [&bytes[..], b"x"].concat()).unwrap();
    let (installed, told) = install(&krew, &root, &folder, "changed.tar.gz");
    assert!(!installed && told.contains("checksum does not match"), "{told}");
    let (installed, told) = install(&krew, &root, &folder, &archive);
    assert!(installed && told.contains("Installed plugin: govcloud"), "{told}");
    let mut version = kubectl(&["govcloud", "version"]).await;
    let bin = version.get_program().to_owned();
    let on_path = home.path().join("bin");
    fs::create_dir(&on_path).unwrap();
    std::os::unix::fs::symlink(fs::canonicalize(bin).unwrap(), on_path.join("kubectl")).unwrap();
    let path = env::join_paths([root.join("bin"), on_path]).unwrap();
    let (ran, told) = output(version.env("PATH", path));
    assert!(ran && told.starts_with(&format!("govcloud {}, for Kubernetes ", env!("CARGO_PKG_VERSION"))), "{told}");
    assert!(fs::read_dir(root.join("store/govcloud")).unwrap().next().is_some(), "krew keeps it in its store");
}
