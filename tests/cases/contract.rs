//! The contract: what the API server refuses and with which words, what only the operator can see, and how it all looks in
//! `kubectl`. Every refusal stands beside the same object unchanged, which is admitted.

mod beyond_schema;
mod kubectl;
mod unreadable;

use kube::api::PostParams;
use serde_json::{Value, json};

use crate::cluster::{Person, admin, system_yaml, tenant_yaml};

// Tables: a merge patch over the ordinary object => words of the refusal, which are field, value and cure.

const TENANTS: &str = r"
metadata: {name: a23456789-123456789-123456789-1} => metadata.name | 'a23456789-123456789-123456789-1' | 1 to 30 lower-case
metadata: {name: Health} => metadata.name | 'Health' | lower-case letters
metadata: {name: public--health} => metadata.name | 'public--health' | single hyphens
metadata: {name: 2health} => metadata.name | '2health' | beginning with a letter
metadata: {name: health.city} => metadata.name | 'health.city' | lower-case letters, digits and single hyphens
metadata: {name: kube-x} => metadata.name | 'kube-x' is reserved | kube-* | choose the agency's own name
metadata: {name: default} => metadata.name | 'default' is reserved | choose the agency's own name
metadata: {name: x-system} => metadata.name | 'x-system' is reserved | *-system
metadata: {name: govcloudx} => metadata.name | 'govcloudx' is reserved | govcloud*
metadata: {name: openshiftx} => metadata.name | 'openshiftx' is reserved | openshift*
spec: {displayName: ''} => spec.displayName | at least 1 char
spec: {responsibleUnit: null} => spec.responsibleUnit | Required value
spec: {podSecurity: privileged} => spec.podSecurity | 'privileged' | 'restricted', 'baseline'
spec: {deletionPolicy: Orphan} => spec.deletionPolicy | 'Orphan' | 'Retain', 'Delete'
spec: {containerDefaults: {defaultRequest: {cpu: '1', memory: 1Gi}}} => spec.containerDefaults | defaultRequest | is above | lower
spec: {allow: {nodePools: [gpu]}} => spec.allow.nodePools | 'gpu' is not a pool of nodes | key=value, for example pool=gpu
spec: {allow: {nodePools: ['pool=a b']}} => spec.allow.nodePools | 'pool=a b' is not a pool of nodes | key=value
spec: {allow: {nodePools: [pool=gpu, 'pool=gpu=1']}} => spec.allow.nodePools | 'pool=gpu=1' is not a pool of nodes
spec: {allow: {nodePools: ['=gpu']}} => spec.allow.nodePools | '=gpu' is not a pool of nodes
spec: {allow: {nodePools: [node-role.kubernetes.io/control-plane=]}} => spec.allow.nodePools | none of the control plane's
spec: {allow: {nodePools: [pool=gpu, pool=gpu]}} => spec.allow.nodePools[1] | Duplicate value
spec: {containerDefaults: {default: {cpu: much, memory: 1Gi}}} => spec.containerDefaults.default.cpu | 'much' is not a quantity
";

const QUOTAS: &str = r"
spec: {quota: {pods: four}} => spec.quota[pods] | 'four' is not a quantity | 500m, 4 or 160Gi
spec: {quota: {pods: '-1'}} => spec.quota[pods] | '-1' is not a quantity between 0 and 1E
spec: {quota: {pods: -1}} => spec.quota[pods] | '-1' is not a quantity between 0 and 1E
spec: {quota: {pods: ''}} => spec.quota[pods] | '' is not a quantity
spec: {quota: {requests.storage: 2E}} => spec.quota[requests.storage] | '2E' is not a quantity between 0 and 1E
spec: {quota: {requests.storage: 1Xi}} => spec.quota[requests.storage] | '1Xi' is not a quantity | 160Gi
spec: {quota: {cpu: 4}} => spec.quota | unknown key cpu; use requests.cpu
spec: {quota: {services.nodeports: 4}} => spec.quota | unknown key services.nodeports; use
spec: {quota: {requests./gpu: 4}} => spec.quota | unknown key requests./gpu; use | requests.nvidia.com/gpu
spec: {quota: {pods: null}} => spec.quota | requests.cpu, requests.memory, limits.cpu, limits.memory and pods | missing
spec: {quota: null} => spec.quota | Required value
spec: {quota: {limits.cpu: '39'}} => spec.quota | limits.cpu: 39 is below the 40 of requests.cpu | raise the limit or lower the request
";

const MEMBERS: &str = r"
{kind: Group, name: 'system:authenticated', role: Owner} => spec.members[0] | 'system:authenticated' | name a user or group of the agency
{kind: User, name: 'system:serviceaccount:default:x', role: Owner} => spec.members[0] | 'system:serviceaccount:default:x' | name a user or group
{kind: User, name: '', role: Owner} => spec.members[0].name | at least 1 char
{kind: User, role: Owner} => spec.members[0].name | Required value
{kind: ServiceAccount, name: ci, role: Deployer} => spec.members[0] | '' | 'ci' | a ServiceAccount needs its namespace
{kind: ServiceAccount, name: ci, namespace: other--web, role: Deployer} => spec.members | a ServiceAccount of | 'refusals--<system>'
{kind: ServiceAccount, name: ci, namespace: refusals2--web, role: Deployer} => spec.members | a ServiceAccount of | 'refusals--<system>'
{kind: User, name: wang, namespace: refusals, role: Owner} => spec.members[0] | 'refusals' | 'wang' | a User or Group has none
{kind: User, name: wang, role: Admin} => spec.members[0].role | 'Admin' | 'Owner', 'Deployer', 'Auditor'
{kind: Team, name: wang, role: Owner} => spec.members[0].kind | 'Team' | 'User', 'Group', 'ServiceAccount'
{kind: User, name: wang, role: Owner}, {kind: User, name: wang, role: Owner} => spec.members | named more than once | one role
{kind: User, name: wang, role: Owner}, {kind: User, name: wang, role: Auditor} => spec.members | named more than once | one role
{kind: User, name: 政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政政, role: Owner} => spec.members[0].name | at most 253 bytes
";

const OBJECTS: &str = r"
{pods: 300} => spec.objects | unknown kind pods; use configmaps, secrets, services
{services: 300, count/widgets.example.com: 1} => spec.objects | unknown kind count/widgets.example.com; use
{persistentvolumeclaims: 200} => spec.objects | unknown kind persistentvolumeclaims
{services: 199} => spec.objects | services is not between its default and 10000 | kubectl explain | leave it out
{services: 0} => spec.objects | services is not between its default and 10000
{configmaps: 501, jobs: 10001} => spec.objects | jobs is not between its default and 10000
{services: many} => spec.objects.services | must be of type integer
";

const EGRESS: &str = r"
{cidr: 10.0.0.0/33, ports: [443], reason: r} => spec.network.egress[0].cidr | '10.0.0.0/33' is not an address range | 203.0.113.0/24
{cidr: example.org, ports: [443], reason: r} => spec.network.egress[0].cidr | 'example.org' is not an address range
{cidr: 203.0.113.7/24, ports: [443], reason: r} => spec.network.egress[0].cidr | '203.0.113.7/24' | first address of the range
{cidr: 203.0.113.7, ports: [443], reason: r} => spec.network.egress[0].cidr | '203.0.113.7' | prefix length
{cidr: '::ffff:10.0.0.0/104', ports: [443], reason: r} => spec.network.egress[0].cidr | '::ffff:10.0.0.0/104' is not an address range
{cidr: 203.0.113.0/24, ports: [0], reason: r} => spec.network.egress[0].ports[0] | Invalid value: 0 | greater than or equal to 1
{cidr: 203.0.113.0/24, ports: [70000], reason: r} => spec.network.egress[0].ports[0] | Invalid value: 70000 | less than or equal to 65535
{cidr: 203.0.113.0/24, ports: [443, 443], reason: r} => spec.network.egress[0].ports[1] | Duplicate value: 443
{cidr: 203.0.113.0/24, ports: [], reason: r} => spec.network.egress[0].ports | at least 1 item
{cidr: 203.0.113.0/24, reason: r} => spec.network.egress[0].ports | Required value
{cidr: 203.0.113.0/24, ports: [443]} => spec.network.egress[0].reason | Required value
{cidr: 203.0.113.0/24, ports: [443], reason: ''} => spec.network.egress[0].reason | at least 1 char
";

const SYSTEMS: &str = r"
metadata: {name: a23456789-123456789-123456789-12} => metadata.name | 'a23456789-123456789-123456789-12' | 1 to 31 lower-case
metadata: {name: Web} => metadata.name | 'Web' | lower-case letters
metadata: {name: web--two} => metadata.name | 'web--two' | single hyphens
metadata: {name: 1web} => metadata.name | '1web' | beginning with a letter
spec: {displayName: ''} => spec.displayName | at least 1 char
spec: {sector: Weather} => spec.sector | 'Weather' | 'GovernmentServices' | 'Health'
spec: {sector: null} => spec.sector | Required value
spec: {stage: Production} => spec.stage | 'Production' | 'Testing', 'Running', 'Suspended', 'Retired'
spec: {protectionLevel: 0} => spec.protectionLevel | Invalid value: 0 | greater than or equal to 1
spec: {protectionLevel: 5} => spec.protectionLevel | Invalid value: 5 | less than or equal to 4
spec: {protectionLevel: null} => spec.protectionLevel | Required value
spec: {deletionPolicy: Orphan} => spec.deletionPolicy | 'Orphan' | 'Retain', 'Delete'
spec: {resources: {guaranteed: {pods: four}}} => spec.resources.guaranteed[pods] | 'four' is not a quantity
spec: {resources: {guaranteed: {memory: 4Gi}}} => spec.resources.guaranteed | unknown key memory; use | requests.memory
spec: {resources: {guaranteed: {pods: null}}} => spec.resources.guaranteed | pods is missing, so no pod can run | name at least pods, requests.cpu and
spec: {resources: {guaranteed: {requests.memory: null}}} => spec.resources.guaranteed | requests.memory is missing | or nothing at all
spec: {resources: {guaranteed: {requests.cpu: null, requests.memory: null, pods: null, requests.nvidia.com/gpu: 1}}} => spec.resources.guaranteed | pods is missing
spec: {resources: {guaranteed: {limits.cpu: '7'}}} => spec.resources.guaranteed | limits.cpu: 7 is below the 8 of requests.cpu | raise the limit
";

/// What a child could not hold, or would hold to no purpose.
const UNHOLDABLE_TENANTS: &str = r"
spec: {quota: {pods: 1500m}} => spec.quota | pods | 1500m | whole number
spec: {quota: {requests.nvidia.com/gpu: 500m}} => spec.quota | requests.nvidia.com/gpu | 500m | whole number
spec: {members: [{kind: ServiceAccount, name: Bad_Name, namespace: refusals, role: Owner}]} => spec.members[0] | 'Bad_Name' | ServiceAccount
spec: {members: [{kind: User, name: ' ', role: Owner}]} => spec.members[0].name
spec: {responsibleUnit: '  '} => spec.responsibleUnit
";

const UNHOLDABLE_SYSTEMS: &str = r"
spec: {resources: {guaranteed: {pods: '0.5'}}} => spec.resources.guaranteed | pods | 0.5 | whole number
spec: {displayName: ' '} => spec.displayName
";

/// What looks odd and is meant to be possible.
const ADMITTED_TENANTS: &str = r"
metadata: {name: a}
metadata: {name: a23456789-123456789-123456789}
metadata: {name: defaults}
metadata: {name: kubernetes}
metadata: {name: systems}
spec: {quota: {pods: 400, requests.cpu: 40, limits.cpu: 80}}
spec: {quota: {requests.storage: 1E, requests.nvidia.com/gpu: 2, persistentvolumeclaims: '0'}}
spec: {allow: {nodePools: [pool=gpu, example.com/pool=gpu, node-role.kubernetes.io/edge=, kubernetes.io/hostname=node-a]}}
spec: {objects: {}}
spec: {objects: {services: 200, secrets: 10000, leases: 201, nodeports: 60}}
spec: {members: []}
spec: {members: [{kind: ServiceAccount, name: ci, namespace: refusals, role: Deployer}]}
spec: {members: [{kind: ServiceAccount, name: ci, namespace: refusals--web, role: Deployer}]}
spec: {members: [{kind: User, name: same, role: Owner}, {kind: Group, name: same, role: Auditor}]}
spec: {network: {egress: [{cidr: '2001:db8::/32', ports: [1, 65535], reason: r}]}}
";

const ADMITTED_SYSTEMS: &str = r"
metadata: {name: a}
metadata: {name: a23456789-123456789-123456789-1}
spec: {resources: null, stage: null}
spec: {protectionLevel: 1}
spec: {resources: {guaranteed: {requests.cpu: null, requests.memory: null, pods: null}}}
spec: {protectionLevel: 4}
spec: {resources: {guaranteed: {requests.nvidia.com/gpu: 1, limits.cpu: 8}}}
";

fn rows(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.is_empty())
}

/// The ordinary object with a merge patch over it; both are YAML.
fn changed(ordinary: &str, change: &str) -> Value {
    let parsed = |yaml: &str| -> Value { serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}")) };
    let mut object = parsed(ordinary);
    merge(&mut object, &parsed(change));
    object
}

fn merge(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key).or_insert(json!({})), value);
                }
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}

/// Creates the object, or lets the API server judge it as if; with the code and the words of a refusal.
async fn create(person: &Person, object: &Value, dry_run: bool) -> Result<(), (u16, String)> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let parameters = PostParams { dry_run, ..PostParams::default() };
    let object = serde_json::from_value(object.clone()).unwrap();
    match person.api(kind, namespace).create(&parameters, &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err((status.code, status.message)),
        Err(error) => panic!("{error}"),
    }
}

/// Tries every row and tells all that is not as it should be, so that one run shows the whole of it. `within` is the place
/// of each change in the object, in YAML with `{}` for the change.
async fn refuses(ordinary: &str, within: &str, table: &str) {
    let admin = admin().await;
    create(&admin, &changed(ordinary, "{}"), true).await.expect("the unchanged object is admitted");
    let mut wrong = Vec::new();
    for row in rows(table) {
        let (change, words) = row.split_once(" => ").unwrap();
        let object = changed(ordinary, &within.replace("{}", change));
        let by_schema =
            format!("{}.govcloud.io {:?} is invalid: ", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        match create(&admin, &object, true).await {
            Err((422, message)) if message.starts_with(&by_schema) => {
                // The API server's own quotes are double ones.
                let has = |word: &&str| message.replace('"', "'").contains(*word);
                let missing: Vec<_> = words.split(" | ").filter(|word| !has(word)).collect();
                wrong.extend((!missing.is_empty()).then(|| format!("{change}: {missing:?} missing in: {message}")));
            }
            answer => wrong.push(format!("{change}: not refused by the schema, but {answer:?}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

async fn admits(ordinary: &str, table: &str) {
    let admin = admin().await;
    for change in rows(table) {
        create(&admin, &changed(ordinary, change), true).await.unwrap_or_else(|refusal| panic!("{change}: {refusal:?}"));
    }
}

#[tokio::test]
async fn a_tenant_that_cannot_be_served_is_refused_with_field_value_and_cure() {
    let ordinary = tenant_yaml("refusals");
    refuses(&ordinary, "{}", TENANTS).await;
    refuses(&ordinary, "{}", QUOTAS).await;
    refuses(&ordinary, "spec: {members: [{}]}", MEMBERS).await;
    refuses(&ordinary, "spec: {objects: {}}", OBJECTS).await;
    refuses(&ordinary, "spec: {network: {egress: [{}]}}", EGRESS).await;
    admits(&ordinary, ADMITTED_TENANTS).await;
}

#[tokio::test]
async fn a_system_that_cannot_be_served_is_refused_with_field_value_and_cure() {
    admin().await.tenant_with_systems("refused-systems", &[]).await;
    let ordinary = system_yaml("refused-systems", "web");
    refuses(&ordinary, "{}", SYSTEMS).await;
    admits(&ordinary, ADMITTED_SYSTEMS).await;
}

#[tokio::test]
async fn what_a_child_could_not_hold_is_refused_at_the_contract() {
    admin().await.tenant_with_systems("unholdable", &[]).await;
    refuses(&system_yaml("unholdable", "web"), "{}", UNHOLDABLE_SYSTEMS).await;
    refuses(&tenant_yaml("refusals"), "{}", UNHOLDABLE_TENANTS).await;
}

#[tokio::test]
async fn a_tenant_has_at_most_64_members() {
    let admin = admin().await;
    let members = |count: usize| {
        let members: Vec<_> = (0..count).map(|number| json!({"kind": "User", "name": format!("u{number}"), "role": "Auditor"})).collect();
        changed(&tenant_yaml("populous"), &json!({"spec": {"members": members}}).to_string())
    };
    create(&admin, &members(64), true).await.expect("64 are admitted");
    let (_, message) = create(&admin, &members(65), true).await.unwrap_err();
    assert!(message.contains("spec.members: Too many: 65: must have at most 64 items"), "{message}");
}

#[tokio::test]
async fn names_are_bounded_by_their_bytes_and_those_of_classes_by_the_sum() {
    let admin = admin().await;
    let with = |spec: Value| changed(&tenant_yaml("lengthy"), &json!({ "spec": spec }).to_string());
    let member = |name: String| with(json!({"members": [{"kind": "User", "name": name, "role": "Owner"}]}));
    for name in ["a".repeat(253), "政".repeat(84), "𠮷".repeat(63)] {
        create(&admin, &member(name), true).await.expect("at most 253 bytes");
    }
    for name in ["政".repeat(85), "𠮷".repeat(64)] {
        let (code, message) = create(&admin, &member(name), true).await.unwrap_err();
        assert!(code == 422 && message.contains("spec.members[0].name") && message.contains("at most 253 bytes in UTF-8"), "{message}");
    }

    let names = |count: usize| (0..count).map(|number| format!("{number:02}{}", "a".repeat(251))).collect::<Vec<_>>();
    let pool = |letter: &str| format!("{}/k=v", letter.repeat(200));
    let allow = |pools: &[String]| {
        with(json!({"allow": {
            "storageClasses": names(32), "ingressClasses": names(32), "priorityClasses": names(32), "runtimeClasses": names(32),
            "nodePools": pools,
        }}))
    };
    create(&admin, &allow(&[pool("p")]), true).await.expect("four full lists leave 384 characters");
    let (code, message) = create(&admin, &allow(&[pool("p"), pool("q")]), true).await.unwrap_err();
    assert!(
        code == 422 && message.contains("spec.allow") && message.contains("all names together have more than 32768 characters"),
        "{message}"
    );
}
