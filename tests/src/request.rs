//! An agency asks for a tenant, an approver approves it, an auditor sees it become Ready: three people, each with no more than
//! the rights that the chart gives them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use govcloud_core::api::AgencyTenant;
use kube::api::{DynamicObject, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    ControlPlane, access,
    manifests::{self, Applier},
};

const MANAGER: &str = "govcloud-install";
const PATIENCE: Duration = Duration::from_mins(1);
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// One of the three.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// User name.
    pub user: &'static str,
    /// Group, to which the chart's or the administrator's binding gives its role.
    pub group: &'static str,
    /// Cluster role that an administrator binds to the group; none where the chart does.
    pub role: Option<&'static str>,
}

/// Asks for a tenant.
pub const REQUESTER: Person = Person { user: "requester-wang", group: "govcloud:requesters", role: None };
/// Approves it.
pub const APPROVER: Person = Person { user: "approver-li", group: "platform-security", role: Some("govcloud:security-admin") };
/// Looks after both.
pub const AUDITOR: Person = Person { user: "auditor-zhao", group: "platform-audit", role: Some("govcloud:audit-admin") };

/// Binds the roles of approver and auditor to their groups, as an administrator does once.
///
/// # Errors
/// When the API server refuses it.
pub async fn appoint(client: &Client) -> Result<()> {
    let applier = Applier::new(client.clone(), MANAGER).await?;
    for person in [APPROVER, AUDITOR] {
        let Some(role) = person.role else { continue };
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": person.group},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": person.group}],
        });
        applier.apply_all(&manifests::parse(&binding.to_string())?).await?;
    }
    Ok(())
}

/// Creates a tenant as the requester, who becomes one of its Owners.
///
/// # Errors
/// When the API server refuses it.
pub async fn ask(plane: &ControlPlane, wanted: &DynamicObject) -> Result<()> {
    let mut wanted = wanted.clone();
    let members = wanted.data["spec"]["members"].as_array_mut().context("the tenant has no members")?;
    members.insert(0, json!({"kind": "User", "name": REQUESTER.user, "role": "Owner"})); // whoever asks stands first
    let tenants = tenants(plane, REQUESTER).await?;
    tenants.create(&PostParams::default(), &wanted).await.with_context(|| format!("{} asks for {}", REQUESTER.user, wanted.name_any()))?;
    // From the request on the requester may read it: a moment later the binding is there, and after another the authorizer knows it.
    let name = wanted.name_any();
    let readable = async {
        loop {
            match tenants.get(&name).await {
                Ok(tenant) if has(Some(&tenant), "Approved", "False") => return Ok(()),
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 403 => {}
                Err(error) => return Err(error),
            }
            sleep(ASKED_EVERY).await;
        }
    };
    timeout(PATIENCE, readable).await.with_context(|| format!("{} is not let at the request", REQUESTER.user))??;
    Ok(())
}

/// Runs the plugin as a person; returns what it printed.
///
/// # Errors
/// With what it printed when it failed.
pub fn plugin(plane: &ControlPlane, program: &Path, person: Person, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).env("KUBECONFIG", kubeconfig_of(plane, person.user, &[person.group])?).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if !output.status.success() {
        bail!("govcloud {}: {}{}", arguments.join(" "), text(&output.stdout), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}

/// Runs the plugin as anybody, with these groups beside those of everybody who is logged in; returns its exit code and what it printed.
///
/// # Errors
/// When it cannot be started.
pub fn plugin_as(plane: &ControlPlane, program: &Path, user: &str, group: &str, arguments: &[&str]) -> Result<(i32, String)> {
    let path = kubeconfig_of(plane, user, &[group])?;
    let output = Command::new(program).args(arguments).env("KUBECONFIG", path).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code().context("it was killed")?, text(&output.stdout) + &text(&output.stderr)))
}

/// Waits as the auditor until the tenant is Ready; returns what the condition says.
///
/// # Errors
/// When it does not become Ready.
pub async fn see_ready(plane: &ControlPlane, name: &str) -> Result<String> {
    let tenants = tenants(plane, AUDITOR).await?;
    let ready = await_condition(tenants, name, |tenant: Option<&DynamicObject>| has(tenant, "Ready", "True"));
    let tenant = timeout(PATIENCE, ready).await.with_context(|| format!("{name} does not become Ready"))??;
    let message = tenant.as_ref().and_then(|tenant| condition(tenant, "Ready")?["message"].as_str());
    Ok(message.unwrap_or_default().to_owned())
}

async fn tenants(plane: &ControlPlane, person: Person) -> Result<Api<DynamicObject>> {
    let client = plane.client_as(person.user, &[person.group, "system:authenticated"]).await?;
    Ok(Api::all_with(client, &AgencyTenant::api_resource()))
}

/// Writes a kubeconfig that acts as somebody, with these groups beside those of everybody who is logged in.
///
/// # Errors
/// When it cannot be written.
pub fn kubeconfig_of(plane: &ControlPlane, user: &str, groups: &[&str]) -> Result<PathBuf> {
    let path = plane.directory().join(format!("{user}.kubeconfig"));
    access::write_as(plane.kubeconfig(), user, &[groups, &["system:authenticated"]].concat(), &path)?;
    Ok(path)
}

fn has(tenant: Option<&DynamicObject>, kind: &str, status: &str) -> bool {
    tenant.and_then(|tenant| condition(tenant, kind)).is_some_and(|condition| condition["status"] == status)
}

fn condition<'a>(tenant: &'a DynamicObject, kind: &str) -> Option<&'a serde_json::Value> {
    tenant.data["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}
