//! What a `LimitRange` makes of pods: which are valid, what they become, and who refuses the others. What Kubernetes leaves no way
//! around stands here as such.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::cluster::{Person, admin, pod_yaml, shared};

/// A container that the restricted Pod Security level admits, with these resources in YAML.
pub fn container(name: &str, resources: &str) -> Value {
    let resources: Value = serde_yaml::from_str(resources).unwrap();
    json!({
        "name": name,
        "image": "registry.example.gov.cn/base/web:1",
        "resources": resources,
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    })
}

/// A pod of these containers.
pub fn pod(containers: &[Value]) -> Value {
    let mut pod: Value = serde_yaml::from_str(&pod_yaml("any", "tried")).unwrap();
    pod["metadata"] = json!({"name": "tried"});
    pod["spec"]["containers"] = json!(containers);
    pod
}

/// Lets the API server judge a pod as if it were created: what it becomes.
pub async fn try_pod(person: &Person, namespace: &str, pod: Value) -> Result<Value, String> {
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    let made = person.api("Pod", namespace).create(&parameters, &serde_json::from_value(pod).unwrap()).await;
    made.map(|pod| serde_json::to_value(pod).unwrap()).map_err(|error| error.to_string())
}

/// Resources of the one container => those that it gets, as cpu and memory requested, cpu and memory limited.
const VALID: &str = r"
{} => 100m 128Mi 500m 512Mi
{requests: {cpu: 10m, memory: 16Mi}} => 10m 16Mi 500m 512Mi
{requests: {cpu: 500m, memory: 512Mi}} => 500m 512Mi 500m 512Mi
{requests: {memory: 256Mi}} => 100m 256Mi 500m 512Mi
{limits: {cpu: '2', memory: 2Gi}} => 2 2Gi 2 2Gi
{limits: {cpu: 50m, memory: 64Mi}} => 50m 64Mi 50m 64Mi
{limits: {memory: 64Mi}} => 100m 64Mi 500m 64Mi
{limits: {cpu: 50m}} => 50m 128Mi 50m 512Mi
{requests: {cpu: 1m, memory: 4Mi}, limits: {cpu: 10m, memory: 8Mi}} => 1m 4Mi 10m 8Mi
{requests: {cpu: '1', memory: 1Gi}, limits: {cpu: '2', memory: 2Gi}} => 1 1Gi 2 2Gi
";

/// Resources of the one container => words of the refusal. The quota counts limits, so each container must have one; a `LimitRange` knows
/// only fixed limits, and none that follows the request.
const INVALID: &str = r"
{requests: {memory: 1Gi}} => must be less than or equal to memory limit of 512Mi
{requests: {cpu: '1'}} => must be less than or equal to cpu limit of 500m
{requests: {cpu: '1', memory: 1Gi}, limits: {cpu: '1'}} => must be less than or equal to memory limit of 512Mi
{requests: {cpu: '9'}, limits: {cpu: '9'}} => exceeded quota: govcloud-quota
";

fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    table.lines().filter_map(|line| line.split_once(" => "))
}

fn amounts(container: &Value) -> String {
    let amount = |list: &str, name: &str| container["resources"][list][name].as_str().unwrap_or("-").to_owned();
    [amount("requests", "cpu"), amount("requests", "memory"), amount("limits", "cpu"), amount("limits", "memory")].join(" ")
}

#[tokio::test]
async fn what_a_container_does_not_state_it_gets_by_default() {
    let admin = admin().await;
    admin.tenant_with_systems("stating", &["web"]).await;
    let deployer = shared().person("ci-stating", &[]).await;
    for (resources, wanted) in rows(VALID) {
        let made = try_pod(&deployer, "stating--web", pod(&[container("main", resources)])).await;
        let made = made.unwrap_or_else(|refused| panic!("{resources}: {refused}"));
        assert_eq!(amounts(&made["spec"]["containers"][0]), wanted, "{resources}");
    }
    for (resources, words) in rows(INVALID) {
        let refused = try_pod(&deployer, "stating--web", pod(&[container("main", resources)])).await.expect_err(resources);
        assert!(refused.contains(words), "{resources}: {refused}");
    }
    // Init containers and sidecars are containers as all others.
    for policy in [Value::Null, json!("Always")] {
        let first = |resources: &str| {
            let mut first = container("first", resources);
            first["restartPolicy"] = policy.clone();
            let mut pod = pod(&[container("main", "{}")]);
            pod["spec"]["initContainers"] = json!([first]);
            pod
        };
        let made = try_pod(&deployer, "stating--web", first("{}")).await.unwrap();
        assert_eq!(amounts(&made["spec"]["initContainers"][0]), "100m 128Mi 500m 512Mi");
        let refused = try_pod(&deployer, "stating--web", first("{requests: {memory: 1Gi}}")).await.unwrap_err();
        assert!(refused.contains("spec.initContainers[0].resources.requests"), "{refused}");
    }
}

/// Resources of the pod, of its two containers => words of the refusal, none where it is admitted.
const OF_PODS: &str = r"
{requests: {cpu: '1', memory: 1Gi}, limits: {cpu: '2', memory: 2Gi}} | {} =>
{requests: {cpu: '1', memory: 1Gi}} | {} =>
{limits: {cpu: '1', memory: 1Gi}} | {} =>
{requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m, memory: 128Mi}} | {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 200m, memory: 128Mi}} =>
{requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m, memory: 128Mi}} | {} => aggregate container requests of 200m
{limits: {cpu: 50m, memory: 64Mi}} | {} => must be less than or equal to pod limits of 64Mi
";

#[tokio::test]
async fn containers_of_a_pod_that_states_resources_itself_get_the_defaults_all_the_same() {
    let admin = admin().await;
    admin.tenant_with_systems("pod-level", &["web"]).await;
    let deployer = shared().person("ci-pod-level", &[]).await;
    for (resources, words) in OF_PODS.lines().filter_map(|line| line.split_once(" =>")) {
        let (of_pod, of_containers) = resources.split_once(" | ").unwrap();
        let mut pod = pod(&["main", "second"].map(|name| container(name, of_containers)));
        pod["spec"]["resources"] = serde_yaml::from_str(of_pod).unwrap();
        match (try_pod(&deployer, "pod-level--web", pod).await, words.trim()) {
            (Ok(_), "") => {}
            (Err(refused), words) if !words.is_empty() && refused.contains(words) => {}
            (answer, _) => panic!("{resources}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_running_pod_is_resized_within_the_quota_and_debugged_without_a_share() {
    let admin = admin().await;
    admin.tenant_with_systems("resized", &["web"]).await;
    let owner = shared().person("wang", &["resized-owners"]).await;
    owner.apply(&pod_yaml("resized--web", "main")).await;
    let change = |subresource: &'static str, spec: Value| {
        let (pods, patch) = (owner.api("Pod", "resized--web"), Patch::Strategic(json!({"spec": spec})));
        async move {
            let made = pods.patch_subresource(subresource, "main", &PatchParams::default(), &patch).await;
            made.map(|pod| serde_json::to_value(pod).unwrap()).map_err(|error| error.to_string())
        }
    };
    let resize = |resources: &str| {
        let resources: Value = serde_yaml::from_str(resources).unwrap();
        change("resize", json!({"containers": [{"name": "main", "resources": resources}]}))
    };
    let made = resize("{requests: {cpu: 200m}}").await.unwrap();
    assert_eq!(amounts(&made["spec"]["containers"][0]), "200m 128Mi 500m 512Mi");
    resize("{requests: {cpu: '1', memory: 1Gi}, limits: {cpu: '2', memory: 2Gi}}").await.unwrap();
    for (resources, words) in [
        ("{requests: {cpu: '3'}}", "must be less than or equal to cpu limit of 2"),
        ("{requests: {cpu: '9'}, limits: {cpu: '9'}}", "exceeded quota: govcloud-quota"),
    ] {
        let refused = resize(resources).await.expect_err(resources);
        assert!(refused.contains(words), "{resources}: {refused}");
    }
    // A container for debugging shares what the pod has; Kubernetes lets it state nothing, and no default is added.
    let mut debugger = container("debugger", "{}");
    debugger.as_object_mut().unwrap().remove("resources");
    let made = change("ephemeralcontainers", json!({"ephemeralContainers": [debugger]})).await.unwrap();
    assert_eq!(amounts(&made["spec"]["ephemeralContainers"][0]), "- - - -");
}
