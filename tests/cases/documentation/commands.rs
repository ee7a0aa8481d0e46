//! The commands, in the order in which they are run.

/// Who runs a command.
#[derive(Clone, Copy, Debug)]
pub enum Whom {
    Administrator,
    /// In group govcloud:requesters, and an Owner of the agency that it asks for.
    Team,
    /// A member of the agency with role Deployer.
    Deployer,
    /// Bound to `ClusterRole` `govcloud:security-admin`.
    Approver,
    /// Bound to `ClusterRole` `govcloud:audit-admin`.
    Auditor,
}

/// Those of README and of the reference, from the installation to the removal: by whom, the command, and what is added because nobody is at
/// the terminal.
pub const TOUR: [(Whom, &str, &str); 44] = [
    (
        Whom::Administrator,
        "helm install govcloud charts/govcloud --namespace govcloud-system --create-namespace --wait --set \
         image.repository=registry.example.gov.cn/govcloud/govcloud",
        "",
    ),
    (Whom::Team, "kubectl create -f agency.yaml", ""),
    (Whom::Team, "kubectl govcloud my", ""),
    (Whom::Team, "kubectl get agencytenant health", ""),
    (Whom::Approver, "kubectl govcloud requests", ""),
    (Whom::Approver, "kubectl govcloud status health", ""),
    (Whom::Approver, "kubectl govcloud reject health --reason \"no budget\"", " --yes"),
    (
        Whom::Approver,
        "kubectl patch agencytenant health --subresource=status --type=merge -p \
         '{\"status\":{\"approval\":{\"decision\":\"Approved\",\"generation\":1,\"by\":\"li\",\"reason\":null,\"quota\":null}}}'",
        "",
    ),
    (Whom::Team, "kubectl wait --for=condition=Ready agencytenant/health", ""),
    (Whom::Team, "kubectl govcloud plan -f agency.yaml", ""),
    (Whom::Team, "kubectl edit agencytenant health", ""),
    (
        Whom::Approver,
        "kubectl govcloud approve health --quota requests.cpu=18,limits.cpu=36 --reason \"18 of 20 cores until May\"",
        " --yes",
    ),
    (Whom::Approver, "kubectl govcloud suspend health --reason \"the portal is defaced\"", " --yes"),
    (Whom::Approver, "kubectl govcloud resume health --reason \"the portal is clean\"", " --yes"),
    (Whom::Approver, "kubectl govcloud approve health", " --yes"),
    (Whom::Team, "kubectl govcloud withdraw health", " --yes"),
    (Whom::Team, "kubectl govcloud history health", ""),
    (Whom::Team, "kubectl explain agencytenant.spec", ""),
    (Whom::Team, "kubectl explain hostedsystem.spec", ""),
    (Whom::Team, "kubectl get events -n health", ""),
    (Whom::Team, "kubectl apply -f examples/app/system.yaml", ""),
    (Whom::Team, "kubectl wait --for=condition=Ready hostedsystem/portal -n health", ""),
    (Whom::Deployer, "kubectl apply -f examples/app/web.yaml", ""),
    (Whom::Deployer, "kubectl rollout status deployment/web -n health--portal", " --timeout 60s"),
    (Whom::Deployer, "kubectl get pods,services,ingresses -n health--portal", ""),
    (Whom::Deployer, "kubectl set image deployment/web web=registry.example.gov.cn/health/portal@$DIGEST -n health--portal", ""),
    (Whom::Team, "kubectl patch hostedsystem portal -n health --type=merge -p '{\"spec\":{\"stage\":\"Running\"}}'", ""),
    (Whom::Deployer, "kubectl govcloud status health/portal", ""),
    (Whom::Auditor, "kubectl govcloud list --sort-by given", ""),
    (Whom::Auditor, "kubectl get agency --sort-by=.status.summary.cpuPercent", ""),
    (Whom::Auditor, "kubectl govcloud history health -o json", ""),
    (Whom::Auditor, "kubectl get events --field-selector involvedObject.name=health", ""),
    (Whom::Auditor, "kubectl govcloud retained", ""),
    (Whom::Administrator, "kubectl get agency", ""),
    (Whom::Administrator, "kubectl get hs -A", ""),
    (Whom::Administrator, "kubectl get govcloud -A", ""),
    (Whom::Administrator, "kubectl govcloud adopt health--appointments --into health/appointments", " --yes"),
    (
        Whom::Administrator,
        "helm upgrade govcloud charts/govcloud --namespace govcloud-system --wait --set \
         image.repository=registry.example.gov.cn/govcloud/govcloud",
        "",
    ),
    (Whom::Administrator, "kubectl govcloud doctor", ""),
    (Whom::Administrator, "kubectl govcloud uninstall --dry-run", ""),
    (Whom::Administrator, "govcloud version", ""),
    (Whom::Administrator, "kubectl delete customresourcedefinitions --selector app.kubernetes.io/part-of=govcloud", " --timeout 60s"),
    (Whom::Administrator, "helm uninstall govcloud --namespace govcloud-system", ""),
    (
        Whom::Administrator,
        "kubectl delete validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings --selector \
         app.kubernetes.io/part-of=govcloud",
        " --timeout 60s",
    ),
];

/// Those of examples/README.md.
pub const EXAMPLES: [&str; 12] = [
    "kubectl apply -f examples/quickstart/agency.yaml",
    "kubectl wait --for=condition=Ready agencytenant/health --timeout=60s",
    "kubectl apply -f examples/quickstart/systems.yaml",
    "kubectl wait --for=condition=Ready hostedsystem --all -n health --timeout=60s",
    "kubectl get namespace health health--appointments health--health-records",
    "kubectl apply -f examples/beijing/",
    "kubectl govcloud approve tourism --yes",
    "kubectl wait --for=condition=Ready agencytenant --all --timeout=5m",
    "kubectl apply -f examples/beijing/",
    "kubectl wait --for=condition=Ready hostedsystem --all -A --timeout=5m",
    "kubectl get agencytenants",
    "kubectl get hostedsystems -A",
];

/// Commands that run cases: here they list them.
pub const TESTS: [&str; 9] = [
    "cargo test --test cases retired",
    "GOVCLOUD_ACCEPT_MATRIX=1 cargo test --test cases matrix",
    "cargo test --test cases -- --ignored --skip cert_manager",
    "cargo test --test cases cert_manager -- --ignored",
    "cargo test --test cases chart",
    "cargo test --test cases released",
    "cargo test --test cases upgrade::",
    "GOVCLOUD_ACCEPT_CHART=1 cargo test --test cases -- kustomization readme_of_the_chart",
    "cargo test --test cases -- monitoring manifests metrics_count",
];

const CI: &str = ".ci/run runs it, or what it would write is compared there";
const MINUTES: &str = "it compiles for minutes";
const TOOL: &str = "it is a program that whoever contributes installs";
const NODE: &str = "it needs a node that runs containers";
const REGISTRY: &str = "it needs a registry";
const PLACEHOLDER: &str = "a part of it stands for something of the reader's";
const UPGRADE: &str = "the cases of upgrade run it, with the revision";
const NAMED: &str = "the text speaks of it, and gives no command to run";

/// Those that no case runs, each with the reason.
pub const EXCEPTED: &[(&str, &str)] = &[
    (".ci/run", CI),
    ("cargo demo", CI),
    ("cargo demo -- --once", CI),
    ("cargo test", CI),
    ("cargo test -- --ignored", CI),
    ("cargo test -p govcloud-core", CI),
    ("INSTA_UPDATE=always cargo test -p govcloud-core --test pure", CI),
    ("cargo run -p govcloud -- crds", CI),
    ("cargo run -p govcloud -- role > charts/govcloud/roles/operator.yaml", CI),
    ("cargo bench-cloud -- --tenants 200 --systems 3", MINUTES),
    ("cargo image", MINUTES),
    ("cargo image -- --platform amd64", MINUTES),
    ("cargo krew -- --location URL", MINUTES),
    ("cargo real-node", NODE),
    ("GOVCLOUD_NODE=PROGRAM cargo real-node", NODE),
    ("cargo install cargo-mutants --locked", MINUTES),
    ("PROPTEST_CASES=32 cargo mutants -p govcloud-core -f operator/core/src/plan/quota.rs", MINUTES),
    ("cargo deny check", TOOL),
    ("crane push target/image/oci registry.example.gov.cn/govcloud/govcloud:0.2.0", REGISTRY),
    ("skopeo copy --all oci:target/image/oci docker://registry.example.gov.cn/govcloud/govcloud:0.2.0", REGISTRY),
    ("GOVCLOUD_KUBECONFIG=target/controlplane/run-XXXXXX/kubeconfig cargo test --test cases retired", PLACEHOLDER),
    ("cargo demo -- --examples DIR", PLACEHOLDER),
    ("kubectl annotate hs appointments -n health govcloud.io/confirm-delete=<metadata.uid>", PLACEHOLDER),
    ("kubectl apply --server-side -k DIR", PLACEHOLDER),
    ("kubectl govcloud plan -f FILE...", PLACEHOLDER),
    ("kubectl annotate agencytenant health govcloud.io/confirm-delete=<metadata.uid>", PLACEHOLDER),
    ("kubectl govcloud history AGENCY", PLACEHOLDER),
    ("kubectl govcloud retained delete NAMESPACE", PLACEHOLDER),
    ("kubectl govcloud status AGENCY", PLACEHOLDER),
    ("kubectl krew install --manifest-url URL/govcloud.yaml", PLACEHOLDER),
    ("argocd app delete --cascade=false", NAMED),
    ("govcloud run", NAMED),
    ("helm rollback", NAMED),
    ("helm rollback govcloud", UPGRADE),
    ("helm upgrade", NAMED),
    ("kubectl apply -k", NAMED),
    ("kubectl create token deployer", NAMED),
    ("kubectl delete -k", NAMED),
    ("kubectl diff", NAMED),
    ("kubectl explain", NAMED),
    ("kubectl get", NAMED),
    ("kubectl get -o yaml", NAMED),
    ("kubectl govcloud plan", NAMED),
    ("kubectl create", NAMED),
    ("kubectl delete namespace", NAMED),
    ("kubectl describe agency", NAMED),
    ("kubectl get hs", NAMED),
    ("kubectl govcloud", NAMED),
    ("kubectl govcloud status", NAMED),
];
