//! Reads for `govcloud doctor` and `govcloud uninstall`, with the rights of whoever calls it. Nothing is written; what may not be read
//! is told as unknown.

mod counting;
mod listing;
mod shipped;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use govcloud_core::{
    api::{conditions::reason, part_of_selector},
    children::rbac,
    model::{
        names::{LABEL_TENANT, LEASE_NAME, POLICIES},
        settings::Settings,
    },
    views::doctor::{Facts, Objects, Read, account, leave_out_agencies, settings},
};
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        rbac::v1::PolicyRule,
    },
    apimachinery::pkg::version::Info,
    jiff::{Timestamp, fmt::rfc2822::DateTimeParser},
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use self::listing::{list, readable, resource};
pub use self::shipped::objects as shipped;
use super::{guard_rails, kubernetes_version};
use crate::error::Error;

/// Requests that are under way at once.
const AT_ONCE: usize = 16;

/// Which objects are read, wherever they are: group, version, kind, plural, and how they are chosen.
const READ: [(&str, &str, &str, &str, Chosen); 19] = [
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", Chosen::Ours),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", Chosen::Ours),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", Chosen::Ours),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", Chosen::Ours),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", Chosen::All),
    ("apps", "v1", "Deployment", "deployments", Chosen::Labels("app.kubernetes.io/name=govcloud,app.kubernetes.io/component=operator")),
    ("coordination.k8s.io", "v1", "Lease", "leases", Chosen::Name(LEASE_NAME)),
    ("govcloud.io", "v1alpha1", "AgencyTenant", "agencytenants", Chosen::All),
    ("govcloud.io", "v1alpha1", "HostedSystem", "hostedsystems", Chosen::All),
    ("apps", "v1", "DaemonSet", "daemonsets", Chosen::All),
    ("apiregistration.k8s.io", "v1", "APIService", "apiservices", Chosen::All),
    ("", "v1", "Namespace", "namespaces", Chosen::All),
    ("", "v1", "ResourceQuota", "resourcequotas", Chosen::Labels(LABEL_TENANT)),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", Chosen::Labels(LABEL_TENANT)),
    ("", "v1", "Service", "services", Chosen::Name("kubernetes")),
    ("networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", Chosen::All),
    ("", "v1", "Node", "nodes", Chosen::All),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", Chosen::All),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", Chosen::All),
];

#[derive(Clone, Copy)]
enum Chosen {
    All,
    Ours,
    Labels(&'static str),
    Name(&'static str),
}

/// Reads everything that is judged.
///
/// # Errors
/// Where the API server does not answer.
pub async fn read(client: &Client) -> anyhow::Result<Facts> {
    let (info, clock) = version(client).await.context("asking the API server for its version")?;
    let mut objects = objects(client).await?;
    let account = account(&objects);
    let home = account.as_ref().map(|(namespace, _)| namespace.clone());
    let rolebindings = resource("rbac.authorization.k8s.io", "RoleBinding", "rolebindings");
    let at_home = match &home {
        Some(home) => list(client, &rolebindings, Some(home), &ListParams::default()).await?,
        None => Ok(Vec::new()),
    };
    objects.insert("rolebindings", at_home);
    let settings = settings(&objects);
    let all = counting::pods(client, None).await?;
    let (lagging, miscounts, is_renewed) = tokio::try_join!(
        counting::lagging(client, &objects),
        counting::miscounts(client, &objects, &all),
        counting::is_renewed(client, &objects, clock.0)
    )?;
    Ok(Facts {
        version: env!("CARGO_PKG_VERSION"),
        kubernetes: kubernetes_version::judge(&info).map(|()| info.git_version),
        clock,
        shipped: shipped()?,
        pods: pods(client, settings.as_ref().ok(), home).await?,
        proofs: proofs(client).await?,
        denied: denied(client, account.as_ref()).await?,
        is_renewed,
        account,
        settings,
        lagging,
        miscounts,
        pod_addresses: all.map(|pods| pods.addresses),
        objects,
    })
}

/// Objects of the product and of the cluster around it, by the plural of their kind.
///
/// # Errors
/// Where the API server does not answer.
pub async fn objects(client: &Client) -> Result<Objects, Error> {
    let listed = stream::iter(READ).map(async |(group, version, kind, plural, chosen)| {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        Ok::<_, Error>((plural, list(client, &resource, None, &chosen.parameters()).await?))
    });
    let mut objects: Objects = listed.buffer_unordered(AT_ONCE).try_collect().await?;
    leave_out_agencies(&mut objects);
    Ok(objects)
}

impl Chosen {
    fn parameters(self) -> ListParams {
        match self {
            Self::All => ListParams::default(),
            Self::Ours => ListParams::default().labels(&part_of_selector()),
            Self::Labels(labels) => ListParams::default().labels(labels),
            Self::Name(name) => ListParams::default().fields(&format!("metadata.name={name}")),
        }
    }
}

/// The cluster's version, the API server's clock, and by how many seconds it is ahead of this machine's.
async fn version(client: &Client) -> anyhow::Result<(Info, (Timestamp, i64))> {
    let request = axum::http::Request::get("/version").body(kube::client::Body::empty())?;
    let answer = client.send(request).await?;
    if !answer.status().is_success() {
        bail!("the API server answers {}", answer.status());
    }
    let date = answer.headers().get(axum::http::header::DATE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let own = Timestamp::now();
    let clock = DateTimeParser::new().parse_timestamp(&date).unwrap_or(own);
    let body = answer.into_body().collect_bytes().await?;
    Ok((serde_json::from_slice(&body)?, (clock, clock.as_second() - own.as_second())))
}

/// The pods of the operator's namespace and of those that its settings name.
async fn pods(client: &Client, settings: Option<&Settings>, home: Option<String>) -> Result<BTreeMap<String, Read<Vec<Value>>>, Error> {
    let mut namespaces: BTreeSet<String> = home.into_iter().collect();
    if let Some(settings) = settings {
        namespaces.insert(settings.dns_namespace.clone());
        namespaces.extend(settings.ingress_controllers.iter().map(|controller| controller.pods.namespace.clone()));
        namespaces.extend(settings.platform_programs.iter().map(|pods| pods.namespace.clone()));
    }
    let resource = resource("", "Pod", "pods");
    let mut pods = BTreeMap::new();
    for namespace in namespaces {
        let found = list(client, &resource, Some(&namespace), &ListParams::default()).await?;
        pods.insert(namespace, found);
    }
    Ok(pods)
}

/// Asks for what each policy refuses to everybody. Who may not ask for that at all learns nothing of the policy.
async fn proofs(client: &Client) -> Result<BTreeMap<&'static str, Read<Result<(), String>>>, Error> {
    let one = async |policy| {
        Ok(match guard_rails::probe(client, policy).await.map_err(Error::from) {
            Err(error @ Error::Refused { .. }) if error.reason() == reason::FORBIDDEN => {
                let proof = guard_rails::proof(policy, Err(error));
                (policy, proof.clone().map(Ok))
            }
            Err(error @ (Error::Unreachable(_) | Error::TimedOut(_))) => return Err(error),
            answer => (policy, Ok(guard_rails::proof(policy, answer))),
        })
    };
    stream::iter(POLICIES).map(one).buffer_unordered(AT_ONCE).try_collect().await
}

/// What the operator's account may not do of what its roles say.
async fn denied(client: &Client, account: Option<&(String, String)>) -> Result<Read<Vec<PolicyRule>>, Error> {
    let Some((namespace, name)) = account else {
        return Ok(Err("the operator's account is not known: neither a Deployment nor a binding that may be read names it".to_owned()));
    };
    let everywhere = rbac::cluster_role().rules.unwrap_or_default().into_iter().map(|rule| (rule, None));
    let at_home = rbac::lease_role().rules.unwrap_or_default().into_iter().map(|rule| (rule, Some(namespace.as_str())));
    let single = everywhere.chain(at_home).flat_map(|(rule, place)| singles(&rule).into_iter().map(move |rule| (rule, place)));
    let user = format!("system:serviceaccount:{namespace}:{name}");
    let groups = ["system:serviceaccounts", &format!("system:serviceaccounts:{namespace}"), "system:authenticated"].map(str::to_owned);
    let ask = async |(rule, place): (PolicyRule, Option<&str>)| {
        let review = review(&rule, place, &user, &groups);
        let answer = readable(Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await)?;
        Ok::<_, Error>(answer.map(|answer| (!answer.status.is_some_and(|status| status.allowed)).then_some(rule)))
    };
    let answers: Vec<Read<Option<PolicyRule>>> = stream::iter(single).map(ask).buffered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().filter_map(Result::transpose).collect())
}

/// A rule as rules of one group, resource, verb and name each.
fn singles(rule: &PolicyRule) -> Vec<PolicyRule> {
    let words = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
    let names = words(&rule.resource_names).into_iter().map(|name| Some(vec![name]));
    let names: Vec<Option<Vec<String>>> = if rule.resource_names.is_some() { names.collect() } else { vec![None] };
    let mut singles = Vec::new();
    for (group, resource) in
        words(&rule.api_groups).iter().flat_map(|group| words(&rule.resources).into_iter().map(move |one| (group, one)))
    {
        for (verb, name) in rule.verbs.iter().flat_map(|verb| names.iter().map(move |name| (verb, name))) {
            singles.push(PolicyRule {
                api_groups: Some(vec![group.clone()]),
                resources: Some(vec![resource.clone()]),
                verbs: vec![verb.clone()],
                resource_names: name.clone(),
                ..PolicyRule::default()
            });
        }
    }
    singles
}

fn review(rule: &PolicyRule, namespace: Option<&str>, user: &str, groups: &[String]) -> SubjectAccessReview {
    let first = |words: &Option<Vec<String>>| words.as_ref().and_then(|words| words.first().cloned());
    let resource = first(&rule.resources).unwrap_or_default();
    let (resource, subresource) = resource.split_once('/').map_or((resource.as_str(), None), |(one, other)| (one, Some(other.to_owned())));
    let attributes = ResourceAttributes {
        group: first(&rule.api_groups),
        resource: Some(resource.to_owned()),
        subresource,
        verb: rule.verbs.first().cloned(),
        name: first(&rule.resource_names),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        groups: Some(groups.to_vec()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    SubjectAccessReview { metadata: ObjectMeta::default(), spec, status: None }
}
