//! The plugin as people call it: `kubectl govcloud ...`, through real kubectl.

mod krew;
mod retained;
mod status;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::PathBuf,
    process::{Command, Stdio},
};

use acceptance::Operator;
use serde_json::{Value, json};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::cluster::{admin, shared};

/// What a command came to.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it printed, where it did what it should and complained of nothing.
    #[track_caller]
    pub fn done(self) -> String {
        assert!(self.code == 0 && self.err.is_empty(), "{}: {}{}", self.code, self.out, self.err);
        self.out
    }

    /// The same, read as JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    /// Its complaint: one line, after which it ended with exit code 1.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!((self.code, self.out.as_str(), self.err.lines().count()), (1, "", 1), "{}", self.err);
        self.err
    }
}

/// A folder with the programs under the names by which people call them.
async fn bin() -> &'static PathBuf {
    static BIN: OnceCell<PathBuf> = OnceCell::const_new();
    let make = || async {
        let program = spawn_blocking(Operator::build).await.unwrap().unwrap();
        let bin = shared().plane.directory().join("plugin-bin");
        fs::create_dir(&bin).unwrap();
        symlink(shared().plane.kubectl().get_program(), bin.join("kubectl")).unwrap();
        for name in ["govcloud", "kubectl-govcloud"] {
            symlink(&program, bin.join(name)).unwrap();
        }
        bin
    };
    BIN.get_or_init(make).await
}

async fn kubectl(arguments: &[&str]) -> Command {
    let bin = bin().await;
    let mut command = Command::new(bin.join("kubectl"));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.args(arguments).env("PATH", path).env("KUBECONFIG", shared().plane.kubeconfig()).stdin(Stdio::null());
    command
}

async fn run(mut command: Command) -> Ran {
    let output = spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Runs the plugin as the administrator.
pub async fn govcloud(arguments: &[&str]) -> Ran {
    run(kubectl(&[&["govcloud"], arguments].concat()).await).await
}

/// Runs it as somebody in a group, by the plugin's own flags.
pub async fn govcloud_as(user: &str, group: &str, arguments: &[&str]) -> Ran {
    let whom = ["--as", user, "--as-group", group, "--as-group", "system:authenticated"];
    govcloud(&[arguments, &whom].concat()).await
}

#[tokio::test]
async fn the_platform_lists_all_agencies_and_a_member_those_of_which_it_is_one() {
    let admin = admin().await;
    admin.tenant_with_systems("listed", &["web"]).await;
    admin.tenant_with_systems("listed-other", &[]).await;
    let settled = |tenant: Option<&Value>| tenant.is_some_and(|tenant| tenant["status"]["quota"]["allocated"]["pods"] == "60");
    admin.until("the share counts", "AgencyTenant", "", "listed", settled).await;

    let all = govcloud(&["list", "-o", "json"]).await.json();
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"listed") && names.contains(&"listed-other"), "{names:?}");
    let row = all.as_array().unwrap().iter().find(|row| row["name"] == "listed").unwrap();
    let expected = json!({
        "name": "listed", "displayName": "测试委员会", "stage": "Active", "approved": "True", "ready": "True", "reason": "Ready",
        "systems": {"ready": 1, "total": 1},
        "cpu": {"used": "0", "given": "8", "total": "40", "usedPercent": 0, "givenPercent": 20}, "memory": {"used": "0", "given": "32Gi", "total": "160Gi", "usedPercent": 0, "givenPercent": 20},
    });
    assert_eq!(*row, expected);

    let sorted = govcloud(&["list", "listed-other", "listed", "--sort-by", "given", "-o", "json"]).await.json();
    assert_eq!((&sorted[0]["name"], &sorted[1]["name"]), (&json!("listed"), &json!("listed-other")));

    let table = govcloud(&["list", "listed"]).await.done();
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "STAGE", "APPROVED", "READY", "REASON", "SYSTEMS", "CPU", "MEMORY", "DISPLAY", "NAME"]);
    assert_eq!(words[1..], [["listed", "Active", "True", "True", "Ready", "1/1", "0/8/40", "0/32Gi/160Gi", "测试委员会"]]);
    assert!(!table.contains('\u{1b}') && table.lines().all(|line| line == line.trim_end()), "{table}");
    let yaml: Value = serde_yaml::from_str(&govcloud(&["get", "listed", "-o", "yaml"]).await.done()).unwrap();
    assert_eq!(yaml, json!([expected]), "get is the same");

    for (user, group) in [("olga", "listed-owners"), ("ci-listed", "system:authenticated"), ("anna", "listed-audit")] {
        let seen = govcloud_as(user, group, &["list", "-o", "json"]).await.json();
        assert_eq!(seen, json!([expected]), "{user}");
    }
    let nobody = govcloud_as("nobody", "nobodies", &["list"]).await.refused();
    assert_eq!(nobody, "Error: you may not list all agencies, and are a member of none\n");
    let none = govcloud_as("nobody", "nobodies", &["my"]).await;
    assert!(none.code == 0 && none.out.is_empty() && none.err.starts_with("You are a member of no agency."), "{}", none.err);
    assert_eq!(govcloud_as("nobody", "nobodies", &["my", "-o", "json"]).await.json(), json!([]));
    let absent = govcloud(&["list", "nowhere"]).await.refused();
    assert_eq!(absent, "Error: agencytenant/nowhere not found\n");
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_ends_a_command_quietly() {
    for arguments in [&["list", "-o", "json"][..], &["completion", "zsh"], &["version"], &["role"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = kubectl(&[&["govcloud"], arguments].concat()).await;
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command); // and with it this end of the pipe
        let output = spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""), "{arguments:?}");
    }
    let mut full = kubectl(&["govcloud", "version"]).await;
    full.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
    let output = spawn_blocking(move || full.spawn().unwrap().wait_with_output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("writing to the standard output: No space left"), "{told}");
}

#[tokio::test]
async fn an_error_is_told_once_and_in_words() {
    let config = fs::read_to_string(shared().plane.kubeconfig()).unwrap();
    let changed = |from: &str, to: &str| {
        let mut config: Value = serde_yaml::from_str(&config).unwrap();
        *config.pointer_mut(from).unwrap() = json!(to);
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), config.to_string()).unwrap();
        file
    };
    let broken = tempfile::NamedTempFile::new().unwrap();
    fs::write(broken.path(), "token: [secret").unwrap();
    let (silent, other) = (changed("/clusters/0/cluster/server", "https://127.0.0.1:1"), changed("/current-context", "other"));
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    for (flags, told) in [
        (vec!["--kubeconfig".to_owned(), path(&silent)], "Error: cannot reach the API server: Connection refused (os error 111)"),
        (
            vec!["--kubeconfig".to_owned(), path(&other)],
            "Error: the kubeconfig has no context other; `kubectl config get-contexts` lists them",
        ),
        (vec!["--kubeconfig".to_owned(), path(&broken)], "Error: the kubeconfig is not valid; `kubectl config view` says where"),
        (vec!["--kubeconfig".to_owned(), "/nowhere".to_owned()], "Error: cannot read /nowhere: No such file or directory (os error 2)"),
        (
            vec!["--context".to_owned(), "none".to_owned()],
            "Error: the kubeconfig has no context none; `kubectl config get-contexts` lists them",
        ),
        (vec!["--as-group".to_owned(), "a".to_owned()], "Error: --as-group needs --as: a group is impersonated together with a user"),
    ] {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        for command in [&["list"][..], &["status", "health"], &["retained"], &["my"]] {
            assert_eq!(govcloud(&[command, &flags].concat()).await.refused().trim_end(), told, "{command:?}");
        }
    }
    let misspelt = govcloud(&["list", "-o", "xml"]).await;
    assert!(misspelt.code == 2 && misspelt.err.contains("[possible values: table, json, yaml]"), "{}", misspelt.err);
}

#[tokio::test]
async fn commands_are_completed_by_kubectl_and_by_shells() {
    let bin = bin().await;
    let script = govcloud(&["completion", "kubectl"]).await.done();
    let path = bin.join("kubectl_complete-govcloud");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path).unwrap();
    file.write_all(script.as_bytes()).unwrap();
    drop(file);
    let complete = async |words: &[&str]| {
        let ran = run(kubectl(&[&["__complete", "govcloud"], words].concat()).await).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let told = complete(&["sta"]).await;
    assert!(told.starts_with("status\tShow all of an agency") && told.ends_with(":4\n"), "{told}");
    assert_eq!(complete(&["list", "--output", "j"]).await, "json\tJSON\n:4\n");
    assert!(complete(&["retained", "delete", "--y"]).await.starts_with("--yes\t"));
    let all = complete(&[""]).await;
    assert!(all.contains("\nlist\t") && !all.contains("__complete"), "{all}");

    for (shell, words) in [
        ("bash", "complete -F _govcloud"),
        ("zsh", "#compdef govcloud"),
        ("fish", "complete -c govcloud"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = govcloud(&["completion", shell]).await.done();
        assert!(script.contains(words) && script.contains("retained"), "{shell}: {script}");
    }
    let loaded = "source <(kubectl govcloud completion bash) && COMP_WORDS=(govcloud sta) COMP_CWORD=1 && _govcloud govcloud sta '' && echo ${COMPREPLY[@]}";
    let mut bash = Command::new("bash");
    bash.args(["-c", loaded]).envs(kubectl(&[]).await.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
    assert_eq!(run(bash).await.done(), "status\n");
}
