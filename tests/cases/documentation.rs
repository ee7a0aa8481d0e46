//! Every command that the documentation gives: each is run as it stands, by whom the documentation has run it, or is named here with the
//! reason why not. The files are read, so a command that is added or changed there must be added here.

mod commands;

use std::{collections::BTreeSet, fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use acceptance::{ControlPlane, Helm, Operator, programs, request, workspace};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use self::commands::{EXAMPLES, EXCEPTED, TESTS, TOUR, Whom};
use crate::{
    cluster::{Person, system_yaml},
    times,
};

/// The programs that people call.
const PROGRAMS: [&str; 8] = [".ci/run", "argocd", "cargo", "crane", "govcloud", "helm", "kubectl", "skopeo"];

fn file(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The commands of a file: lines of its `sh` blocks, and what is set as code in its text and begins with a program.
fn commands(path: &str) -> BTreeSet<String> {
    let text = file(path);
    let mut found = BTreeSet::new();
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            let Some((language, block)) = part.split_once('\n') else { continue };
            let lines = block.replace("\\\n", " ");
            let prompted = |line: &&str| language == "sh" || line.starts_with("$ ");
            found.extend(lines.lines().filter(prompted).map(|line| plain(line.trim_start_matches("$ "))));
        } else {
            found.extend(part.split('`').enumerate().filter(|(index, _)| index % 2 == 1).map(|(_, code)| plain(code)));
        }
    }
    found.retain(|command| is_command(command));
    found
}

/// The files of the reference in English.
fn reference() -> Vec<String> {
    let entries = fs::read_dir(workspace().join("operator/docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| std::path::Path::new(name).extension().is_some_and(|end| end == "md"))
        .map(|name| format!("operator/docs/{name}"))
        .collect()
}

/// Without the comment behind it, and with single blanks.
fn plain(line: &str) -> String {
    let end = line.find(" #").unwrap_or(line.len());
    line[..end].split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name alone, such as kubectl, is no command, but for that of the one script.
fn is_command(text: &str) -> bool {
    let mut words = text.split(' ').skip_while(|word| word.contains('=') && word.starts_with(|letter: char| letter.is_ascii_uppercase()));
    words.next().is_some_and(|word| PROGRAMS.contains(&word)) && (words.next().is_some() || text == ".ci/run")
}

#[test]
fn every_command_of_the_documentation_is_run_or_excepted_by_name() {
    let files = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md", "charts/govcloud/README.md"];
    let reference = reference();
    assert!(reference.len() > 5, "{reference:?}");
    let given: BTreeSet<String> = files.into_iter().flat_map(commands).chain(reference.iter().flat_map(|path| commands(path))).collect();
    assert!(given.len() > 40, "{given:#?}");
    let run = TOUR.iter().map(|(_, command, _)| *command).chain(EXAMPLES).chain(TESTS);
    let known: BTreeSet<String> = run.chain(EXCEPTED.iter().map(|(command, _)| *command)).map(str::to_owned).collect();
    assert_eq!(given.difference(&known).collect::<Vec<_>>(), [""; 0], "no case runs these, and none says why not");
    assert_eq!(known.difference(&given).collect::<Vec<_>>(), [""; 0], "the documentation has these no more");
    assert_eq!(commands("README.zh-CN.md"), commands("README.md"), "both READMEs give the same commands");
    for path in &reference {
        let chinese = path.replace("docs/", "docs/zh-CN/");
        assert_eq!(commands(&chinese), commands(path), "{path} and {chinese} give the same commands");
    }
}

#[test]
fn commands_that_run_tests_find_some() {
    let program = std::env::current_exe().unwrap();
    for command in TESTS {
        let words = command.split_once("--test cases ").unwrap().1.split_whitespace().filter(|word| *word != "--");
        let output = Command::new(&program).args(words).arg("--list").output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && listed.contains(": test\n"), "{command}: {listed}");
    }
    assert!(file(".ci/run").contains("step cargo demo -- --once"));
    let aliases = file(".cargo/config.toml");
    for alias in ["demo", "bench-cloud", "image", "krew", "real-node"] {
        assert!(aliases.contains(&format!("\n{alias} = ")), "{alias}");
    }
}

/// A cluster on which nothing is installed, and the programs under the names by which people call them.
struct Desk {
    plane: ControlPlane,
    admin: Person,
    bin: PathBuf,
}

impl Desk {
    async fn new() -> Self {
        times::take();
        let (plane, helm, program) =
            spawn_blocking(|| (ControlPlane::start().unwrap(), Helm::four().unwrap(), Operator::build().unwrap())).await.unwrap();
        let client = plane.client().await.unwrap();
        programs::install(&client).await.unwrap();
        let bin = plane.directory().join("bin");
        fs::create_dir(&bin).unwrap();
        for (name, target) in [("kubectl", plane.kubectl().get_program().into()), ("helm", helm.program().to_owned())] {
            symlink(target, bin.join(name)).unwrap();
        }
        for name in ["govcloud", "kubectl-govcloud"] {
            symlink(&program, bin.join(name)).unwrap();
        }
        Self { plane, admin: Person { client }, bin }
    }

    /// Runs a command in the checkout as somebody; what it printed.
    fn run(&self, whom: Whom, command: &str) -> String {
        let kubeconfig = match whom {
            Whom::Administrator => self.plane.kubeconfig().to_owned(),
            Whom::Team => request::kubeconfig_of(&self.plane, "wang", &["govcloud:requesters", "health-owners"]).unwrap(),
            Whom::Deployer => request::kubeconfig_of(&self.plane, "ci-health", &[]).unwrap(),
            Whom::Approver => request::kubeconfig_of(&self.plane, "li", &[request::APPROVER.group]).unwrap(),
            Whom::Auditor => request::kubeconfig_of(&self.plane, "zhao", &[request::AUDITOR.group]).unwrap(),
        };
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", command]).current_dir(workspace()).env("PATH", path).env("KUBECONFIG", kubeconfig);
        for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"] {
            shell.env(home, self.plane.directory().join("home"));
        }
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let output = shell.env("KUBE_EDITOR", "true").env("DIGEST", digest).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}: {text}");
        text
    }

    /// The operator, under the account that the chart made, because no container runs on this cluster.
    async fn operator(&self) -> Operator {
        Operator::start(&self.plane).await.unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// The request of README's team, as the YAML of its first example says.
fn agency() -> String {
    let readme = file("README.md");
    let block = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let agency: Value = serde_yaml::from_str(block).unwrap();
    assert_eq!(agency["kind"], "AgencyTenant");
    agency.to_string()
}

/// What the team asks for before a command that decides on a request, or takes it back.
fn request_before(command: &str) -> Option<Value> {
    let egress = |range: &str| json!({"network": {"egress": [{"cidr": range, "ports": [443], "reason": "map data"}]}});
    match command {
        "kubectl govcloud approve health" => Some(egress("203.0.113.0/28")),
        "kubectl govcloud withdraw health" => Some(egress("203.0.113.0/24")),
        _ if command.contains(" --quota ") => Some(json!({"quota": {"requests.cpu": "20", "limits.cpu": "40"}})),
        _ => None,
    }
}

/// Status and reason of the agency's condition Approved once the operator has seen what a command did.
fn approved_after(command: &str) -> Option<(&'static str, &'static str)> {
    let words: Vec<&str> = command.split(' ').take(3).collect();
    match words.as_slice() {
        ["kubectl", "create", _] => Some(("False", "Requested")),
        ["kubectl", "govcloud", "reject"] => Some(("False", "Rejected")),
        ["kubectl", "govcloud", "suspend"] => Some(("False", "Stopped")),
        ["kubectl", "patch", "agencytenant"] | ["kubectl", "govcloud", "approve" | "resume" | "withdraw"] => Some(("True", "Approved")),
        _ => None,
    }
}

#[tokio::test]
async fn the_commands_of_readme_do_what_they_say() {
    let desk = Desk::new().await;
    let agency_yaml = desk.plane.directory().join("agency.yaml");
    fs::write(&agency_yaml, agency()).unwrap();
    let mut operator = None;
    for (whom, command, also) in TOUR {
        if command.starts_with("kubectl govcloud adopt") {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "health--appointments"}});
            desk.admin.apply(&namespace.to_string()).await;
            desk.admin.apply(&format!("{}  adoptNamespace: true\n", system_yaml("health", "appointments"))).await;
        }
        if let Some(spec) = request_before(command) {
            desk.run(Whom::Team, &format!("kubectl patch agencytenant health --type=merge -p '{}'", json!({"spec": spec})));
            desk.admin.until_condition("AgencyTenant", "", "health", "Approved", "False", "ChangePending").await;
        }
        let seen = approved_after(command);
        let command = command.replace("agency.yaml", &agency_yaml.to_string_lossy());
        let printed = desk.run(whom, &format!("{command}{also}"));
        if command.starts_with("helm install") {
            assert!(printed.contains("What to do next"), "{printed}");
            request::appoint(&desk.admin.client).await.unwrap();
            operator = Some(desk.operator().await);
        }
        if let Some((status, reason)) = seen {
            desk.admin.until_condition("AgencyTenant", "", "health", "Approved", status, reason).await;
        }
    }
    drop(operator);
    let mut definitions = desk.admin.names("CustomResourceDefinition", "").await;
    definitions.retain(|name| name.ends_with("govcloud.io"));
    assert_eq!(definitions, [""; 0]);
}

#[tokio::test]
async fn the_commands_of_the_notes_and_of_the_examples_do_what_they_say() {
    let desk = Desk::new().await;
    let notes =
        desk.run(Whom::Administrator, "helm install govcloud charts/govcloud --namespace govcloud-system --create-namespace --wait");
    request::appoint(&desk.admin.client).await.unwrap();
    let operator = desk.operator().await;
    let commands: Vec<&str> = notes.lines().filter_map(|line| line.strip_prefix("     ")).collect();
    assert_eq!(commands.len(), 3, "{notes}");
    for command in commands.into_iter().chain(EXAMPLES) {
        // The first time some systems come before their namespaces, as the text says.
        let is_first = command == "kubectl apply -f examples/beijing/" && desk.admin.names("AgencyTenant", "").await.len() == 1;
        let whom = if command.contains("approve") { Whom::Approver } else { Whom::Administrator };
        let command = if is_first { format!("{command} || true") } else { command.to_owned() };
        desk.run(whom, &command);
    }
    assert_eq!(desk.admin.names("AgencyTenant", "").await.len(), 25);
    drop(operator);
}
