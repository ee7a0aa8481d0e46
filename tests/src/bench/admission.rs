//! What the guard rails cost who creates a pod: dry runs by an Owner of an agency, with the policies in force and without, in turns.
//!
//! Without means that their bindings are away; all else is the same namespace, person and pod.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::future::{join_all, try_join_all};
use govcloud_core::model::names::{POLICIES, PROBE_PREFIX};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DeleteParams, PostParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::sleep;

use super::drift::percentile;
use crate::{ControlPlane, build_layout, manifests};

/// Turns of each kind; each begins with the other.
const TURNS: usize = 6;
/// Pods one after the other in a turn.
const ONE_BY_ONE: usize = 150;
const AT_ONCE: usize = 16;
/// How long pods are created at once in a turn.
const RUSH: Duration = Duration::from_secs(2);
/// The first requests after a change compile expressions anew.
const WARM_UP: usize = 30;
const TURNED_WITHIN: Duration = Duration::from_secs(30);

/// What creating a pod costs.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    /// How long each took that was created one by one, shortest first.
    pub times: Vec<Duration>,
    /// Pods a second, 16 at once; the median of the turns.
    pub rate: f64,
}

/// With the guard rails, and without.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    pub with: Cost,
    pub without: Cost,
}

impl Cost {
    /// The smallest time that so many of a hundred do not exceed, in milliseconds.
    pub fn at(&self, percent: usize) -> f64 {
        percentile(&self.times, percent).as_secs_f64() * 1000.0
    }
}

/// Measures in one agency's system.
pub async fn measure(plane: &ControlPlane, agency: &str, namespace: &str) -> Result<Admission> {
    let owners = format!("{agency}-owners");
    let owner = plane.client_as("owner", &[&owners, "system:authenticated"]).await?;
    let pods: Api<Pod> = Api::namespaced(owner, namespace);
    let rails = GuardRails::read(plane.client().await?)?;
    let (mut with, mut without) = (Turns::default(), Turns::default());
    for turn in 0..TURNS {
        for on in if turn % 2 == 0 { [true, false] } else { [false, true] } {
            rails.turn(on).await?;
            let turns = if on { &mut with } else { &mut without };
            turns.take(&pods, agency).await?;
        }
    }
    rails.turn(true).await?;
    Ok(Admission { with: with.cost(), without: without.cost() })
}

#[derive(Default)]
struct Turns {
    times: Vec<Duration>,
    rates: Vec<f64>,
}

impl Turns {
    async fn take(&mut self, pods: &Api<Pod>, agency: &str) -> Result<()> {
        for number in 0..WARM_UP + ONE_BY_ONE {
            let begin = Instant::now();
            create(pods, agency).await?;
            if number >= WARM_UP {
                self.times.push(begin.elapsed());
            }
        }
        let (begin, done) = (Instant::now(), AtomicUsize::new(0));
        let rush = async || {
            while begin.elapsed() < RUSH {
                create(pods, agency).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(())
        };
        try_join_all((0..AT_ONCE).map(|_| rush())).await?;
        #[expect(clippy::cast_precision_loss, reason = "numbers of pods are far below 2^52")]
        self.rates.push(done.into_inner() as f64 / begin.elapsed().as_secs_f64());
        Ok(())
    }

    fn cost(mut self) -> Cost {
        self.times.sort();
        self.rates.sort_by(f64::total_cmp);
        Cost { rate: self.rates[self.rates.len() / 2], times: self.times }
    }
}

async fn create(pods: &Api<Pod>, agency: &str) -> Result<()> {
    let image = format!("registry.example.gov.cn/{agency}/web@sha256:{}", "0a".repeat(32));
    let pod = serde_json::from_value(json!({
        "metadata": { "generateName": "bench-" },
        "spec": {
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "web",
                "image": image,
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    }))?;
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    pods.create(&parameters, &pod).await.map(drop).context("creating a pod as an owner, by a dry run")
}

/// The bindings of the policies, put and taken away.
struct GuardRails {
    client: Client,
    bindings: Vec<ValidatingAdmissionPolicyBinding>,
}

impl GuardRails {
    fn read(client: Client) -> Result<Self> {
        let objects = manifests::read(&build_layout::workspace().join("charts/govcloud/policies"))?;
        let is_binding =
            |object: &DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "ValidatingAdmissionPolicyBinding");
        let bindings =
            objects.iter().filter(|object| is_binding(object)).map(|binding| Ok(serde_json::from_value(serde_json::to_value(binding)?)?));
        Ok(Self { client, bindings: bindings.collect::<Result<_>>()? })
    }

    async fn turn(&self, on: bool) -> Result<()> {
        let api: Api<ValidatingAdmissionPolicyBinding> = Api::all(self.client.clone());
        for binding in &self.bindings {
            let answer = if on {
                api.create(&PostParams::default(), binding).await.map(drop)
            } else {
                api.delete(&binding.name_any(), &DeleteParams::default()).await.map(drop)
            };
            match answer {
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {} // it is so already
                other => other.context("changing a policy's binding")?,
            }
        }
        let begin = Instant::now();
        while join_all(POLICIES.iter().map(|policy| self.refuses(policy))).await.into_iter().any(|refused| refused != on) {
            if begin.elapsed() > TURNED_WITHIN {
                bail!("the policies are not {} after {} s", if on { "in force" } else { "away" }, TURNED_WITHIN.as_secs());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn refuses(&self, policy: &str) -> bool {
        let probe = json!({ "metadata": { "name": format!("{PROBE_PREFIX}{policy}") } });
        let Ok(probe) = serde_json::from_value(probe) else { return false };
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        Api::<ClusterRole>::all(self.client.clone()).create(&parameters, &probe).await.is_err()
    }
}
