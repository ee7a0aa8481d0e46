//! What the API server itself writes into tenants.

use std::time::Duration;

use anyhow::{Context, Result};
use govcloud_core::api::AgencyTenant;
use kube::{Api, Client, CustomResourceExt, ResourceExt, api::PostParams};
use serde_json::json;
use tokio::time::{sleep, timeout};

const KEY: &str = "govcloud.io/requested-by";
/// The API server learns of new definitions every five seconds.
const WITHIN: Duration = Duration::from_mins(1);
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// Waits until the API server notes who asks for a tenant.
///
/// # Errors
/// When it does not.
pub async fn complete(client: &Client) -> Result<()> {
    let tenants: Api<AgencyTenant> = Api::all(client.clone());
    let quota = json!({ "requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "1", "limits.memory": "1Gi", "pods": "1" });
    let spec = json!({ "displayName": "x", "responsibleUnit": "x", "quota": quota });
    let tenant = json!({ "apiVersion": AgencyTenant::api_resource().api_version, "kind": "AgencyTenant", "metadata": { "name": "noted" }, "spec": spec });
    let tenant: AgencyTenant = serde_json::from_value(tenant).context("reading a tenant")?;
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let noted = async {
        while !tenants.create(&parameters, &tenant).await.is_ok_and(|noted| noted.annotations().contains_key(KEY)) {
            sleep(ASKED_EVERY).await;
        }
    };
    timeout(WITHIN, noted).await.context("the API server does not note who asks for a tenant")
}
