//! The operator as a real process: installed from the files that ship, running with its own
//! `ServiceAccount`'s token and exactly the shipped `ClusterRole`s.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::{
    ControlPlane, access, aggregation,
    bound::{self, Bound},
    build_layout,
    manifests::{self, Applier},
    mutation,
};

const NAMESPACE: &str = "govcloud-system";
const NAME: &str = "govcloud-operator";
const LEASE_ROLE: &str = "govcloud-operator-lease";
const MANAGER: &str = "govcloud-install";
/// The platform around it, as far as a cluster without nodes can show it: whose pods reach those of the agencies.
const PLATFORM: [&str; 12] = [
    "--ingress-controller",
    "public=ingress-nginx",
    "--ingress-controller",
    "internal=ingress-internal/app.kubernetes.io/name=traefik",
    "--metrics-collector",
    "monitoring",
    "--platform-image",
    "registry.example.gov.cn/platform/mesh",
    "--approve-egress",
    "198.18.7.0/24",
    "--account-namespace",
    "argocd",
];
const TOKEN_SECONDS: i64 = 24 * 60 * 60;
const READY_WITHIN: Duration = Duration::from_mins(1);
const READY_ASKED_EVERY: Duration = Duration::from_millis(10);
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// A running operator. It ends when this is dropped, and when this process ends without dropping it.
pub struct Operator {
    process: Bound,
    command: Command,
    address: SocketAddr,
    log: PathBuf,
    credential: String,
    started: Instant,
    ready_after: Duration,
}

impl Operator {
    /// Brings CRDs, roles and the operator's own account to the cluster; again is the same as once.
    ///
    /// # Errors
    /// When a file cannot be read or the API server refuses one.
    pub async fn install(plane: &ControlPlane) -> Result<()> {
        let client = plane.client().await?;
        let workspace = build_layout::workspace();
        install_crds(&client, &workspace.join("crds")).await?;
        let applier = Applier::new(client, MANAGER).await?;
        // The guard rails first, so that they are in force when somebody is let in.
        for folder in ["policies", "mutations"] {
            applier.apply_all(&manifests::read(&workspace.join("charts/govcloud").join(folder))?).await?;
        }
        mutation::complete(&plane.client().await?).await?;
        let roles = manifests::read(&workspace.join("charts/govcloud/roles"))?;
        applier.apply_all(&roles).await?;
        aggregation::complete(&plane.client().await?, &roles).await?;
        applier.apply_all(&manifests::parse(&account())?).await
    }

    /// Builds the program, with the profile of the running one, and gives its path. Blocks.
    ///
    /// # Errors
    /// With the compiler's output when it does not build.
    pub fn build() -> Result<PathBuf> {
        build_layout::build_operator()
    }

    /// Builds the operator when need be, starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not build or does not become ready; with the end of its log.
    pub async fn start(plane: &ControlPlane) -> Result<Self> {
        let program = tokio::task::spawn_blocking(Self::build).await??;
        Self::start_program(plane, &program).await
    }

    /// Starts a given operator program, and waits until it is ready. Several may run at once: one leads.
    ///
    /// # Errors
    /// When it does not become ready; with the end of its log.
    pub async fn start_program(plane: &ControlPlane, program: &Path) -> Result<Self> {
        let mut operator = Self::launch(plane, program).await?;
        operator.wait_until_ready().await?;
        operator.ready_after = operator.started.elapsed();
        Ok(operator)
    }

    /// Starts a given operator program and waits for nothing.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn launch(plane: &ControlPlane, program: &Path) -> Result<Self> {
        let address = free_address()?;
        let name = format!("operator-{}", address.port());
        let file = |suffix| plane.directory().join(format!("{name}.{suffix}"));
        let (kubeconfig, log) = (file("kubeconfig"), file("log"));
        let token = token(&plane.client().await?, NAMESPACE, NAME).await?;
        access::write_with_token(plane.kubeconfig(), &token, NAMESPACE, &kubeconfig)?;
        let mut command = bound::with_parent(plane.program(), program);
        command.args(["run", "--listen", &address.to_string()]).args(PLATFORM).env("KUBECONFIG", &kubeconfig).env("POD_NAME", &name);
        File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let started = Instant::now();
        let process = spawn(&mut command, &log)?;
        let credential = access::credential_of(&token)?;
        Ok(Self { process, command, address, log, credential, started, ready_after: Duration::ZERO })
    }

    /// Starts it again after it has ended, as whatever supervises it would, and waits for nothing.
    ///
    /// # Errors
    /// When it still runs, or does not start.
    pub fn again(&mut self) -> Result<()> {
        if self.is_running() {
            bail!("the operator still runs");
        }
        self.process = spawn(&mut self.command, &self.log)?;
        Ok(())
    }

    /// Deletes the lease that a leader holds which was killed, so that the next one need not wait for its end. Only for when
    /// no operator runs.
    ///
    /// # Errors
    /// When the API server does not let it.
    pub async fn clear_lease(plane: &ControlPlane) -> Result<()> {
        let leases: Api<Lease> = Api::namespaced(plane.client().await?, NAMESPACE);
        match leases.delete(NAME, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop).context("deleting the operator's lease"),
        }
    }

    /// What the holder of the lease is called while it leads begins with this.
    #[must_use]
    pub fn name(&self) -> String {
        format!("operator-{}", self.address.port())
    }

    /// Tells its requests apart in the audit log from those of others that run under the same account.
    #[must_use]
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// Where it answers /livez, /readyz and /metrics.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Time from its start until `/readyz` said that it is ready.
    #[must_use]
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Gets a path such as `/metrics`: the status code and the body.
    ///
    /// # Errors
    /// When it does not answer within five seconds.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let asked = timeout(Duration::from_secs(5), get(self.address, path)).await;
        asked.context("the operator does not answer within five seconds")?
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it still runs after this time.
    pub async fn ended(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.process.ended() {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("the operator still runs after {} s; {}", within.as_secs(), self.end_of_log());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends SIGTERM and waits; fails when it does not end by itself, or not with 0.
    ///
    /// # Errors
    /// Says how it ended, and shows the end of its log.
    pub async fn stop(mut self) -> Result<()> {
        tokio::task::spawn_blocking(move || {
            let status = self.process.stop(STOP_WITHIN)?;
            if !status.success() {
                bail!("the operator ended with {status} when it was told to stop; {}", self.end_of_log());
            }
            Ok(())
        })
        .await?
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = self.process.ended() {
                bail!("the operator ended ({status}) before it was ready; {}", self.end_of_log());
            }
            let last = match self.get("/readyz").await {
                Ok((200, _)) => return Ok(()),
                Ok((code, body)) => format!("/readyz answers {code}: {}", body.trim()),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("the operator is not ready after {} s ({last}); {}", READY_WITHIN.as_secs(), self.end_of_log());
            }
            sleep(READY_ASKED_EVERY).await;
        }
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("the end of {}:\n{end}", self.log.display())
    }
}

/// Starts it with its output appended to the log.
fn spawn(command: &mut Command, log: &Path) -> Result<Bound> {
    let output = File::options().append(true).open(log).with_context(|| format!("opening {}", log.display()))?;
    command.stdout(output.try_clone().context("sharing the operator's log")?).stderr(output);
    Bound::start(command)
}

/// Applies the definitions of a folder, and waits until the API server serves them.
pub(crate) async fn install_crds(client: &Client, folder: &Path) -> Result<()> {
    let crds = manifests::read(folder)?;
    if crds.is_empty() {
        bail!("there is no CRD in {}; those of the operator are made by `cargo run --package govcloud -- crds`", folder.display());
    }
    let api = manifests::api_for(client, &ApiResource::erase::<CustomResourceDefinition>(&()), None);
    for definition in &crds {
        manifests::apply_to(&api, definition, MANAGER).await?;
    }
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in crds.iter().map(ResourceExt::name_any) {
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        timeout(Duration::from_secs(30), established)
            .await
            .with_context(|| format!("CRD {name} is not Established after 30 s"))?
            .with_context(|| format!("waiting for CRD {name}"))?;
    }
    Ok(())
}

fn account() -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {NAME}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {NAME}}}
subjects:
- {{kind: ServiceAccount, name: {NAME}, namespace: {NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {LEASE_ROLE}, namespace: {NAMESPACE}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {LEASE_ROLE}}}
subjects:
- {{kind: ServiceAccount, name: {NAME}, namespace: {NAMESPACE}}}
"
    )
}

/// A token of an account, as the API server gives it to the account's pods.
pub(crate) async fn token(client: &Client, namespace: &str, account: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .with_context(|| format!("asking for a token of ServiceAccount {namespace}/{account}; is it installed?"))?;
    Ok(answer.status.context("the token request was answered without a token")?.token)
}

/// An address with a free port below the range from which the kernel takes the ports of outgoing connections: one of those may be taken
/// before the operator listens. No port is given twice before all were.
fn free_address() -> Result<SocketAddr> {
    const FIRST: u32 = 16384;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..FIRST {
        let number = process::id().wrapping_mul(977).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % FIRST;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(FIRST + number)?));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from 16384 to 32767 is free on 127.0.0.1: end what listens there")
}

/// HTTP/1.0, so that the server closes the connection and its end is the end of the body.
async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("asking the operator")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("reading the operator's answer")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the operator's answer is not HTTP")?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((code.context("the operator's answer has no status code")?, body.to_owned()))
}
