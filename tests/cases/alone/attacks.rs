//! The attacks once more with the operator dead, and with each control taken out in turn: a guard rail that nobody would miss guards
//! nothing.

use std::time::Duration;

use acceptance::{
    manifests::{self, Applier},
    workspace,
};
use govcloud_core::model::names::POLICIES;
use kube::{
    ResourceExt,
    api::{DynamicObject, PostParams},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Alone, PATIENCE};
use crate::{
    attacks::{self, Row, World, judge},
    cluster::Person,
};

/// What only a second wall would refuse: the schema answers before, or the API server writes another name.
const SPARED: [&str; 2] = ["govcloud-approvals: rule approval-decision: ", "govcloud-tenants: rule tenant-requested-by: "];
/// Policies that pass the operator over where none of their rules limits it.
const LIMITS_OPERATOR: [&str; 4] = ["govcloud-approvals", "govcloud-namespaces", "govcloud-systems", "govcloud-tenants"];
/// In the words by which a probe is refused while its policy is a mutant.
const MUTANT: &str = "probe: mutant";

/// The world that is attacked, whose operator is dead.
async fn bereft(alone: &Alone) -> World {
    let operator = alone.start().await;
    let world = World::on(alone.plane).await;
    operator.kill().unwrap();
    world.with_the_operator_dead().await
}

#[tokio::test]
async fn with_the_operator_dead_every_attack_is_refused_alike() {
    let alone = Alone::turn().await;
    let world = bereft(&alone).await;
    let rows = attacks::rows(&world);
    let wrong = attacks::wrong(&rows, &judge(&world, &rows).await);
    assert!(wrong.is_empty(), "{} of {} rows are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[tokio::test]
#[ignore = "long sweep: run with --ignored"]
async fn each_rule_taken_out_lets_an_attack_through() {
    let alone = Alone::turn().await;
    let world = bereft(&alone).await;
    let begin = Instant::now();
    let rails = Rails::read(alone.admin().await).await;
    let mut survivors = survivors(&world, &rails).await;
    rails.restore().await;
    survivors.extend(unconfined(&world, &rails).await);
    rails.restore().await;
    println!("rules taken out in {} s", begin.elapsed().as_secs());
    let survivors: Vec<_> = survivors.iter().filter(|rule| !SPARED.iter().any(|spared| rule.starts_with(spared))).collect();
    assert!(survivors.is_empty(), "no attack needs these to be refused: {survivors:#?}");
}

/// Takes the first rule out of each policy, then the second, and so on; returns those that no attack met.
async fn survivors(world: &World, rails: &Rails) -> Vec<String> {
    let (rows, mut survivors) = (attacks::rows(world), Vec::new());
    for number in 0..rails.most_rules() {
        let mutants = rails.take_out(number).await;
        let of_one = |row: &Row| mutants.iter().any(|mutant| mutant.refused(row));
        let tried: Vec<Row> = rows.iter().filter(|row| of_one(row)).cloned().collect();
        let outcomes = judge(world, &tried).await;
        for mutant in &mutants {
            let of_it = tried.iter().zip(&outcomes).filter(|(row, _)| mutant.refused(row));
            let met = of_it.filter(|(row, outcome)| outcome.denier != row.denied).count();
            if met == 0 {
                survivors.push(format!("{}: {}", mutant.policy, mutant.words));
            }
        }
    }
    survivors
}

/// Policies that look at some writes of the operator only, made to look at none: returns those that no attack of the operator met.
async fn unconfined(world: &World, rails: &Rails) -> Vec<String> {
    let passed_over = rails.pass_the_operator_over().await;
    let of_one = |row: &Row| row.person.ends_with("operator") && row.denied.is_some();
    let tried: Vec<Row> = attacks::rows(world).into_iter().filter(of_one).collect();
    let outcomes = judge(world, &tried).await;
    let is_met = |policy: &String| {
        tried.iter().zip(&outcomes).any(|(row, outcome)| {
            row.denied.as_ref().is_some_and(|denier| *policy == format!("govcloud-{denier}")) && outcome.denier != row.denied
        })
    };
    passed_over.into_iter().filter(|policy| !is_met(policy)).map(|policy| format!("{policy}: limits of the operator")).collect()
}

/// A policy without one of its rules.
struct Mutant {
    policy: String,
    /// How the rule begins to refuse.
    words: String,
}

impl Mutant {
    /// Whether the row is one that this rule refuses. Rules of a policy may share their word, and a probe's has none.
    fn refused(&self, row: &Row) -> bool {
        let word = self.words.strip_prefix("rule ").and_then(|words| words.split(": ").next());
        row.denied.as_ref().is_some_and(|denier| self.policy == format!("govcloud-{denier}")) && row.rule.as_deref() == word
    }
}

/// The policies as they ship.
struct Rails {
    admin: Person,
    applier: Applier,
    policies: Vec<DynamicObject>,
}

impl Rails {
    async fn read(admin: Person) -> Self {
        let applier = Applier::new(admin.client.clone(), "govcloud-install").await.unwrap();
        let mut policies = manifests::read(&workspace().join("charts/govcloud/policies")).unwrap();
        policies.retain(|object| object.types.as_ref().unwrap().kind == "ValidatingAdmissionPolicy");
        policies.retain(|policy| POLICIES.contains(&policy.name_any().as_str())); // the others only warn
        Self { admin, applier, policies }
    }

    fn most_rules(&self) -> usize {
        self.policies.iter().map(|policy| rules(policy).len()).max().unwrap()
    }

    /// Takes one rule out of each policy that has as many, puts the others of it back, and waits until it is so.
    async fn take_out(&self, number: usize) -> Vec<Mutant> {
        let mut taken = Vec::new();
        for policy in self.policies.iter().filter(|policy| rules(policy).len() > number) {
            let mut mutant = policy.clone();
            let rules = mutant.data["spec"]["validations"].as_array_mut().unwrap();
            let words = rules[number]["message"].as_str().unwrap().trim().to_owned();
            taken.push(Mutant { policy: policy.name_any(), words });
            rules[number]["expression"] = json!("true");
            rules[0]["message"] = json!(format!("{MUTANT} {number}"));
            self.applier.apply(&mutant).await.unwrap();
        }
        for Mutant { policy, .. } in &taken {
            self.until_probe(policy, |answer| match (number, answer) {
                (0, answer) => answer.is_ok(),
                (_, Err(words)) => words.contains(&format!("{MUTANT} {number}")),
                _ => false,
            })
            .await;
        }
        taken
    }

    /// Makes these policies pass the operator over always, and waits until it is so.
    async fn pass_the_operator_over(&self) -> Vec<String> {
        let mut changed = Vec::new();
        for policy in self.policies.iter().filter(|policy| LIMITS_OPERATOR.contains(&policy.name_any().as_str())) {
            let mut mutant = policy.clone();
            let asks = "request.resource.resource == 'clusterroles' || \
                        !authorizer.group('govcloud.io').resource('agencytenants').check('provision').allowed()";
            mutant.data["spec"]["matchConditions"].as_array_mut().unwrap().push(json!({"name": "mutant", "expression": asks}));
            mutant.data["spec"]["validations"][0]["message"] = json!(MUTANT);
            self.applier.apply(&mutant).await.unwrap();
            changed.push(policy.name_any());
        }
        for policy in &changed {
            self.until_probe(policy, |answer| answer.as_ref().is_err_and(|words| words.contains(MUTANT))).await;
        }
        changed
    }

    /// All as they ship.
    async fn restore(&self) {
        for policy in &self.policies {
            self.applier.apply(policy).await.unwrap();
        }
        for policy in &self.policies {
            self.until_probe(&policy.name_any(), |answer| answer.as_ref().is_err_and(|words| !words.contains(MUTANT))).await;
        }
    }

    /// Asks for a policy's probe until the answer is as wanted.
    async fn until_probe(&self, policy: &str, wanted: impl Fn(&Result<(), String>) -> bool) {
        let probe = json!({"metadata": {"name": format!("govcloud:probe:{policy}")}});
        let probe: DynamicObject = serde_json::from_value(probe).unwrap();
        let parameters = PostParams { dry_run: true, ..PostParams::default() };
        let begin = Instant::now();
        loop {
            let answer = self.admin.api("ClusterRole", "").create(&parameters, &probe).await;
            let answer = answer.map(drop).map_err(|error| error.to_string());
            if wanted(&answer) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{policy} does not become what it should be: {answer:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn rules(policy: &DynamicObject) -> &Vec<Value> {
    policy.data["spec"]["validations"].as_array().unwrap()
}
