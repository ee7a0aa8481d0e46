//! The limit: the same writes by a bare client, in the order and with the concurrency of the operator. It knows everything
//! beforehand, watches nothing, compares nothing and reads of the answers only what the next write needs.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::PostParams;
use kube::core::Request;
use serde::Deserialize;

use super::writes::{Setup, Space, UID, VERSION, Write};

/// Agencies at once, as `govcloud run` has workers.
pub const AGENCIES_AT_ONCE: usize = 16;
/// Namespaces of one agency at once, as the operator's writer does.
const NAMESPACES_AT_ONCE: usize = 8;

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    uid: String,
    resource_version: String,
}

/// Sets all agencies up.
pub async fn set_up(client: &Client, setups: Vec<Setup>) -> Result<()> {
    // Each agency is a task, as in the operator, so that both use all cores.
    let agencies = stream::iter(setups).map(|setup| tokio::spawn(agency(client.clone(), setup)));
    agencies.buffer_unordered(AGENCIES_AT_ONCE).map(|ended| ended.context("a task of the bare client ended")?).try_collect().await
}

async fn agency(client: Client, setup: Setup) -> Result<()> {
    let created = create(&client, &setup.tenant, "").await?;
    let uid: Arc<str> = created.uid.into();
    space(&client, &setup.home, &uid).await?;
    let systems = setup.systems.into_iter().map(|(system, inside)| hosted_system(client.clone(), system, inside, uid.clone()));
    stream::iter(systems).buffer_unordered(NAMESPACES_AT_ONCE).try_collect::<()>().await?;
    set_status(&client, &setup.tenant, &uid, &created.resource_version).await
}

async fn hosted_system(client: Client, system: Write, inside: Space, uid: Arc<str>) -> Result<()> {
    let created = create(&client, &system, "").await?;
    space(&client, &inside, &uid).await?;
    set_status(&client, &system, &uid, &created.resource_version).await
}

async fn space(client: &Client, space: &Space, uid: &str) -> Result<()> {
    create(client, &space.namespace, uid).await?;
    let guards = space.guards.iter().map(|guard| async move {
        let created = create(client, guard, uid).await?;
        set_status(client, guard, uid, &created.resource_version).await
    });
    try_join_all(guards).await?;
    try_join_all(space.access.iter().map(|binding| create(client, binding, uid))).await?;
    Ok(())
}

async fn create(client: &Client, write: &Write, uid: &str) -> Result<Metadata> {
    let body = write.body.replace(UID, uid).into_bytes();
    let request = Request::new(&write.collection).create(&by_operator(), body)?;
    let answer: Answer = client.request(request).await.with_context(|| format!("creating {} in {}", write.name, write.collection))?;
    Ok(answer.metadata)
}

async fn set_status(client: &Client, write: &Write, uid: &str, version: &str) -> Result<()> {
    let Some(status) = &write.status else { return Ok(()) };
    let body = status.replace(UID, uid).replace(VERSION, version).into_bytes();
    let request = Request::new(&write.collection).replace_subresource("status", &write.name, &by_operator(), body)?;
    match client.request::<Answer>(request).await {
        // The controller manager was faster with the status of a quota; what it wrote is in force.
        Err(kube::Error::Api(refused)) if refused.code == 409 => Ok(()),
        answer => answer.map(drop).with_context(|| format!("writing the status of {} in {}", write.name, write.collection)),
    }
}

fn by_operator() -> PostParams {
    PostParams { field_manager: Some(govcloud_core::model::names::FIELD_MANAGER.into()), dry_run: false }
}
