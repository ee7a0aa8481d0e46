//! Two operators at once: one leads, the other stands by and takes over. Which is which is told by the lease, what each of
//! them wrote by the audit log.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use acceptance::{Operator, audit};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Alone, PATIENCE, line, process::Process, until_readyz};
use crate::cluster::Person;

const LEASE: (&str, &str, &str) = ("Lease", "govcloud-system", "govcloud-operator");
/// Longest time from the end of a leader that was killed, or told to stop, to the next write.
const AFTER_KILL: Duration = Duration::from_secs(15);
const AFTER_STOP: Duration = Duration::from_secs(2);
/// The deadline of a renewal, and a little more.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Two operators, of which the first leads.
async fn leader_and_standby(alone: &Alone) -> (Operator, Operator) {
    let leader = alone.start().await;
    until_held(&alone.admin().await, |holder| holder.starts_with(&leader.name())).await;
    (leader, alone.start().await)
}

fn holder_of(lease: &Value) -> &str {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default()
}

/// Waits until the holder is as wanted; nobody's name is empty.
async fn until_held(admin: &Person, wanted: impl Fn(&str) -> bool) -> Value {
    let (kind, namespace, name) = LEASE;
    let lease =
        admin.until("the lease is held as wanted", kind, namespace, name, |lease| lease.is_some_and(|lease| wanted(holder_of(lease))));
    lease.await.unwrap()
}

/// 1 where it leads, 0 where it stands by.
async fn leads(operator: &Operator) -> bool {
    let (_, text) = operator.get("/metrics").await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("leader_election_master_status{name=\"govcloud-operator\"} "));
    line.unwrap_or_else(|| panic!("{text}")) == "1"
}

/// How many objects its caches hold, by resource.
async fn objects(operator: &Operator) -> BTreeSet<String> {
    let (_, text) = operator.get("/metrics").await.unwrap();
    text.lines().filter(|line| line.starts_with("govcloud_objects{")).map(str::to_owned).collect()
}

impl Alone {
    /// What this one wrote since then, leases and all, a line each.
    fn writes_of(&self, operator: &Operator, position: u64) -> Vec<String> {
        let requests = audit::requests_since(self.plane.audit_log().unwrap(), position).unwrap();
        requests.iter().filter(|request| request.is_write() && request.is_by(operator.credential())).map(line).collect()
    }
}

fn beside_leases(writes: &[String]) -> Vec<&String> {
    writes.iter().filter(|write| !write.contains(" leases ")).collect()
}

async fn ask_for(admin: &Person, tenant: &str, system: &str, cpu: &str) {
    let share = json!({"spec": {"resources": {"guaranteed": {"requests.cpu": cpu}}}});
    admin.patch("HostedSystem", tenant, system, share).await;
}

/// Waits until a share is handed out, and says how long after that moment it was.
async fn until_served(admin: &Person, tenant: &str, system: &str, cpu: &str, since: Instant) -> Duration {
    let namespace = format!("{tenant}--{system}");
    let served = admin.until("the share is served", "ResourceQuota", &namespace, "govcloud-quota", |quota| {
        quota.is_some_and(|quota| quota["spec"]["hard"]["requests.cpu"] == cpu)
    });
    served.await;
    since.elapsed()
}

#[tokio::test]
async fn a_standby_is_ready_hears_everything_and_writes_nothing() {
    let alone = Alone::turn().await;
    let (position, admin) = (alone.position(), alone.admin().await);
    let (leader, standby) = leader_and_standby(&alone).await;
    admin.tenant_with_systems("stands-by", &["web"]).await;
    ask_for(&admin, "stands-by", "web", "9").await;
    until_served(&admin, "stands-by", "web", "9", Instant::now()).await;
    admin.delete("NetworkPolicy", "stands-by--web", "govcloud-isolation").await;
    admin.until("it is repaired", "NetworkPolicy", "stands-by--web", "govcloud-isolation", |policy| policy.is_some()).await;
    for operator in [&leader, &standby] {
        assert_eq!(operator.get("/readyz").await.unwrap().0, 200);
    }
    assert_eq!((leads(&leader).await, leads(&standby).await), (true, false));
    let known = objects(&leader).await;
    let begin = Instant::now();
    while objects(&standby).await != known {
        assert!(begin.elapsed() < PATIENCE, "the standby's caches are not as warm: {:?} and {known:?}", objects(&standby).await);
        sleep(Duration::from_millis(20)).await;
    }

    assert_eq!(alone.writes_of(&standby, position), [""; 0]);
    let writes = alone.writes_of(&leader, position);
    assert!(beside_leases(&writes).len() > 10, "{writes:#?}");
    let about_lease: Vec<_> = writes.iter().filter(|write| write.contains(" leases ")).collect();
    let lease = "govcloud-system/govcloud-operator";
    assert!(
        about_lease.iter().all(|write| write.ends_with(lease)) && about_lease[0] == &format!("create leases {lease}"),
        "{about_lease:#?}"
    );
    standby.stop().await.unwrap();
    leader.stop().await.unwrap();
}

#[tokio::test]
async fn when_the_leader_is_killed_the_standby_takes_over_and_serves_what_was_changed_meanwhile() {
    let alone = Alone::turn().await;
    let (leader, standby) = leader_and_standby(&alone).await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("inherited", &["web"]).await;
    let killed = Instant::now();
    leader.kill().unwrap();
    ask_for(&admin, "inherited", "web", "9").await;
    let took = until_served(&admin, "inherited", "web", "9", killed).await;
    assert!(took < AFTER_KILL, "the next write came after {took:?}");
    assert!(took > Duration::from_secs(5), "after {took:?} the killed leader might have lived");
    admin.system_ready("inherited", "web").await;
    let lease = until_held(&admin, |holder| holder.starts_with(&standby.name())).await;
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
    standby.stop().await.unwrap();
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_gives_the_lease_back_and_the_standby_goes_on_at_once() {
    let alone = Alone::turn().await;
    let (leader, standby) = leader_and_standby(&alone).await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("handed-over", &["web"]).await;
    let stopped = Instant::now();
    let stop = tokio::spawn(leader.stop());
    ask_for(&admin, "handed-over", "web", "9").await;
    until_served(&admin, "handed-over", "web", "9", stopped).await;
    // The change may just have been served by the one that was going; this one cannot.
    stop.await.unwrap().unwrap();
    until_held(&admin, |holder| holder.starts_with(&standby.name())).await;
    let took = stopped.elapsed();
    assert!(took < AFTER_STOP, "the standby led after {took:?}");
    ask_for(&admin, "handed-over", "web", "10").await;
    let took = until_served(&admin, "handed-over", "web", "10", stopped).await;
    assert!(took < AFTER_STOP, "the standby's first write came after {took:?}");

    standby.stop().await.unwrap();
    let lease = until_held(&admin, str::is_empty).await;
    assert_eq!((&lease["spec"]["leaseTransitions"], &lease["spec"]["leaseDurationSeconds"]), (&json!(1), &json!(1)));
}

/// Every state of the quotas of a tenant from now on, until it is told to end: the highest sum of what was in force.
fn highest_sum(admin: Person, tenant: &'static str) -> (tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<u64>) {
    let (end, mut ended) = tokio::sync::oneshot::channel();
    let watching = tokio::spawn(async move {
        let mut highest = 0;
        while ended.try_recv().is_err() {
            // A list is one revision of the store.
            let quotas = admin.api("ResourceQuota", "").list(&Default::default()).await.unwrap();
            let of_tenant = quotas.items.iter().filter(|quota| {
                let namespace = quota.metadata.namespace.as_deref().unwrap_or_default();
                namespace == tenant || namespace.starts_with(&format!("{tenant}--"))
            });
            let sum =
                of_tenant.map(|quota| quota.data["status"]["hard"]["requests.cpu"].as_str().unwrap_or("0").parse::<u64>().unwrap()).sum();
            highest = highest.max(sum);
            sleep(Duration::from_millis(10)).await;
        }
        highest
    });
    (end, watching)
}

#[tokio::test]
async fn a_leader_that_sleeps_past_its_lease_and_wakes_writes_nothing_and_ends() {
    let alone = Alone::turn().await;
    let (mut leader, standby) = leader_and_standby(&alone).await;
    let admin = alone.admin().await;
    admin.tenant_with_systems("slept", &["from", "to"]).await;
    ask_for(&admin, "slept", "to", "30").await;
    until_served(&admin, "slept", "to", "30", Instant::now()).await;
    let (end, highest) = highest_sum(alone.admin().await, "slept");

    // It hears of this change, and is halted in the middle of its work on it or before.
    let asked = Instant::now();
    ask_for(&admin, "slept", "to", "4").await;
    let halted = Process::operator(&leader).unwrap().halt();
    ask_for(&admin, "slept", "from", "34").await;
    let members = json!({"spec": {"members": [{"kind": "Group", "name": "slept-owners", "role": "Owner"}]}});
    admin.patch("AgencyTenant", "", "slept", members).await;
    until_served(&admin, "slept", "from", "34", asked).await;
    until_held(&admin, |holder| holder.starts_with(&standby.name())).await;
    admin.system_ready("slept", "to").await;
    admin.system_ready("slept", "from").await;
    alone.settled().await;

    let position = alone.position();
    drop(halted);
    let status = leader.ended(Duration::from_secs(3)).await.unwrap();
    assert_eq!(status.code(), Some(1));
    alone.settled().await;
    assert_eq!(alone.writes_of(&leader, position), [""; 0], "the sleeper wrote");
    assert!(!alone.writes_of(&standby, position).is_empty(), "the audit log does not tell who writes: the standby renews the lease");
    let log = fs::read_to_string(leader.log()).unwrap();
    assert!(log.contains("was not renewed within 7 s") || log.contains(&format!("is held by {}", standby.name())), "{log}");
    end.send(()).unwrap();
    assert_eq!(highest.await.unwrap(), 38, "the most that was ever in force together");
    standby.stop().await.unwrap();
}

#[tokio::test]
async fn a_leader_that_may_no_longer_renew_ends_and_its_successor_says_which_right_is_missing() {
    let alone = Alone::turn().await;
    let mut leader = alone.start().await;
    let admin = alone.admin().await;
    until_held(&admin, |holder| holder.starts_with(&leader.name())).await;
    let taken = Instant::now();
    admin.delete("RoleBinding", "govcloud-system", "govcloud-operator-lease").await;
    let right = "cannot get resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"govcloud-system\"";
    let complaint = until_readyz(&leader, 503, ENDS_WITHIN).await;
    assert!(complaint.starts_with("leases: ") && complaint.contains("resource \"leases\""), "{complaint}");
    let status = leader.ended(ENDS_WITHIN).await.unwrap();
    assert!(taken.elapsed() < ENDS_WITHIN, "it ended after {:?}", taken.elapsed());
    assert_eq!(status.code(), Some(1));
    let log = fs::read_to_string(leader.log()).unwrap();
    assert!(log.contains(right), "{log}");

    leader.again().unwrap();
    let begin = Instant::now();
    while !leader.get("/readyz").await.is_ok_and(|(code, body)| code == 503 && body.contains("cannot get resource \"leases\"")) {
        assert!(begin.elapsed() < PATIENCE, "{}", fs::read_to_string(leader.log()).unwrap());
        sleep(Duration::from_millis(20)).await;
    }
    assert!(!leads(&leader).await);
    Operator::install(alone.plane).await.unwrap();
    until_readyz(&leader, 200, PATIENCE).await;
    leader.stop().await.unwrap();
}

#[tokio::test]
async fn of_two_that_are_started_at_the_same_moment_one_leads() {
    let alone = Alone::turn().await;
    let admin = alone.admin().await;
    for _ in 0..3 {
        let (one, other) = tokio::join!(alone.start(), alone.start());
        let lease = until_held(&admin, |holder| !holder.is_empty()).await;
        let of_one = holder_of(&lease).starts_with(&one.name());
        assert!(of_one || holder_of(&lease).starts_with(&other.name()), "{lease:#}");
        assert_eq!((leads(&one).await, leads(&other).await), (of_one, !of_one));
        let (leader, standby) = if of_one { (one, other) } else { (other, one) };
        standby.stop().await.unwrap();
        leader.stop().await.unwrap();
    }
}
