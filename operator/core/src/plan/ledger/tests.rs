//! The third law, with two operators at once: each decides upon what it last saw, its writes arrive late or never, the
//! controller manager enforces late, and claims, use and total change all the while.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    model::{
        amounts::Follows,
        names::{NamespaceName, TenantName},
    },
    plan::quota::{Allocation, QuotaInput, ShareRequest, allocate},
};

const SYSTEMS: [&str; 3] = ["a", "b", "c"];
const CPU: &str = "requests.cpu";

fn cpu(number: u32) -> Amounts {
    some(Amounts::from([(CPU.to_owned(), Amount::whole(number))]))
}

fn namespace(system: &str) -> NamespaceName {
    NamespaceName::new(format!("t--{system}"))
}

/// A tenant's status with its version.
#[derive(Clone, Default)]
struct Status {
    version: u32,
    total: Amounts,
    ledger: Option<Ledger>,
}

/// What is stored; also, as it once was, what an operator believes.
#[derive(Clone, Default)]
struct World {
    status: Status,
    namespaces: BTreeSet<NamespaceName>,
    quotas: BTreeMap<NamespaceName, QuotaState>,
}

/// A write on its way.
#[derive(Clone)]
enum Write {
    Status(Status),
    Namespace(NamespaceName),
    /// Made for a quota that was seen so, or was not there.
    Quota(NamespaceName, Option<(Amounts, i64)>, Amounts, i64),
}

impl World {
    fn decide(&self, total: &Amounts, wanted: [u32; 3]) -> Allocation {
        let claim = |(name, cores): (&&str, u32)| ShareRequest {
            system: SystemName::new(*name),
            namespace: namespace(name),
            wanted: cpu(cores),
            follows: Follows::new(),
            serves: true,
            admits_pods: true,
        };
        let claims: Vec<ShareRequest> = SYSTEMS.iter().zip(wanted).map(claim).collect();
        let input = QuotaInput {
            tenant: &TenantName::new("t"),
            wanted: total,
            served: &self.status.total,
            ledger: self.status.ledger.as_ref(),
            quotas: &self.quotas,
            uncounted: self.namespaces.iter().find(|namespace| self.quotas.get(namespace).is_none_or(|quota| !quota.counted)),
            known_systems: &SYSTEMS.map(SystemName::new).into(),
        };
        allocate(&input, &claims)
    }

    /// The writes that follow, as a reconcile makes them: what rises in the ledger first.
    fn writes(&self, total: &Amounts, wanted: [u32; 3]) -> Vec<Write> {
        let allocation = self.decide(total, wanted);
        let before = self.status.ledger.clone().unwrap_or_default();
        let status =
            Status { version: self.status.version, total: some(allocation.total.clone()), ledger: Some(allocation.ledger.clone()) };
        if rises(&before, &allocation.ledger) {
            return vec![Write::Status(status)];
        }
        let mut writes = Vec::new();
        for (system, grant) in &allocation.grants {
            let namespace = namespace(system.as_str());
            if !self.namespaces.contains(&namespace) {
                writes.push(Write::Namespace(namespace.clone()));
            }
            let seen = self.quotas.get(&namespace).map(|quota| ((*quota.wanted).clone(), quota.epoch));
            let hard = some(grant.hard.clone());
            if seen.as_ref() != Some(&(hard.clone(), grant.epoch)) {
                writes.push(Write::Quota(namespace, seen, hard, grant.epoch));
            }
        }
        writes.push(Write::Status(status));
        writes
    }

    fn arrive(&mut self, write: Write) {
        match write {
            Write::Status(status) if status.version == self.status.version => {
                self.status = Status { version: status.version + 1, ..status };
            }
            Write::Namespace(namespace) => drop(self.namespaces.insert(namespace)),
            Write::Quota(namespace, seen, hard, epoch) if self.namespaces.contains(&namespace) => {
                let stored = self.quotas.get(&namespace);
                if stored.map(|quota| ((*quota.wanted).clone(), quota.epoch)) != seen {
                    return;
                }
                let enforced = stored.map_or_else(|| hard.clone(), |quota| (*quota.hard).clone());
                let used = stored.map(|quota| quota.used.clone()).unwrap_or_default();
                let mut quota = QuotaState::new(&hard, &enforced, &used, epoch, |_| true);
                quota.counted = true;
                self.quotas.insert(namespace, quota);
            }
            Write::Status(_) | Write::Quota(..) => {}
        }
    }

    /// The controller manager brings a quota into force; then pods use some of it.
    fn enforce(&mut self, system: usize, used: u32) {
        if let Some(quota) = self.quotas.get_mut(&namespace(SYSTEMS[system])) {
            quota.hard = quota.wanted.clone();
            let most = of(&quota.hard, CPU).min(Amount::whole(used));
            let before = of(&quota.used, CPU).min(Amount::whole(used));
            quota.used = some(Amounts::from([(CPU.to_owned(), most.max(before))]));
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let served = of(&self.status.total, CPU);
        let none = Ledger::new();
        let ledger = self.status.ledger.as_ref().unwrap_or(&none);
        let sum = |amounts: Vec<Amount>| amounts.into_iter().fold(Amount::ZERO, Amount::plus);
        let enforced = sum(self.quotas.values().map(|quota| of(&quota.hard, CPU)).collect());
        prop_assert!(enforced <= served, "{enforced} enforced of {served}");
        let entries = sum(ledger.values().map(|share| of(&share.hard, CPU)).collect());
        prop_assert!(entries <= served, "{entries} entered of {served}");
        for (namespace, quota) in &self.quotas {
            let entry = namespace.system().and_then(|system| ledger.get(&system)).map_or(Amount::ZERO, |share| of(&share.hard, CPU));
            let most = of(&quota.wanted, CPU).max(of(&quota.hard, CPU));
            prop_assert!(most <= entry, "{namespace} holds {most}, and its entry is {entry}");
        }
        Ok(())
    }
}

/// One thing that happens; `who` is one of the two operators, `what` is taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    /// An operator sees a part of the world as it is now: the status, or one system's namespace.
    See {
        who: usize,
        what: usize,
    },
    Decide {
        who: usize,
    },
    Arrive {
        who: usize,
        what: usize,
    },
    Lose {
        who: usize,
    },
    Enforce {
        system: usize,
        used: u32,
    },
    ShareRequest {
        system: usize,
        cores: u32,
    },
    Total {
        cores: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..2_usize, 0..4_usize).prop_map(|(who, what)| Step::See { who, what }),
        4 => (0..2_usize).prop_map(|who| Step::Decide { who }),
        6 => (0..2_usize, 0..4_usize).prop_map(|(who, what)| Step::Arrive { who, what }),
        1 => (0..2_usize).prop_map(|who| Step::Lose { who }),
        3 => (0..3_usize, 0..12_u32).prop_map(|(system, used)| Step::Enforce { system, used }),
        2 => (0..3_usize, 0..16_u32).prop_map(|(system, cores)| Step::ShareRequest { system, cores }),
        1 => (5..25_u32).prop_map(|cores| Step::Total { cores }),
    ]
}

#[derive(Default)]
struct Operator {
    view: World,
    on_their_way: Vec<Write>,
}

impl Operator {
    fn see(&mut self, world: &World, what: usize) {
        let Some(system) = SYSTEMS.get(what) else {
            self.view.status = world.status.clone();
            return;
        };
        let namespace = namespace(system);
        if world.namespaces.contains(&namespace) {
            self.view.namespaces.insert(namespace.clone());
        }
        if let Some(quota) = world.quotas.get(&namespace) {
            self.view.quotas.insert(namespace, quota.clone());
        }
    }
}

#[test]
fn a_ledger_rises_with_an_epoch_an_amount_or_a_new_entry_and_with_nothing_else() {
    let ledger = |entries: &[(&str, i64, u32)]| -> Ledger {
        entries.iter().map(|(name, epoch, cores)| (SystemName::new(*name), Share { epoch: *epoch, hard: cpu(*cores) })).collect()
    };
    let before = ledger(&[("a", 1, 8), ("b", 1, 4)]);
    for (next, expected) in [
        (ledger(&[("a", 1, 8), ("b", 1, 4)]), false),
        (ledger(&[("a", 1, 7)]), false),
        (ledger(&[]), false),
        (ledger(&[("a", 2, 8)]), true),
        (ledger(&[("a", 1, 9)]), true),
        (ledger(&[("a", 1, 8), ("c", 0, 0)]), true),
    ] {
        assert_eq!(rises(&before, &next), expected, "{next:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn two_operators_never_hand_out_more_than_the_total(steps in proptest::collection::vec(step(), 1..160)) {
        let mut world = World::default();
        let mut operators = [Operator::default(), Operator::default()];
        let (mut total, mut wanted) = (cpu(20), [8, 8, 8]);
        for step in steps {
            match step {
                Step::See { who, what } => operators[who].see(&world, what),
                Step::Decide { who } => operators[who].on_their_way.extend(operators[who].view.writes(&total, wanted)),
                Step::Arrive { who, what } if !operators[who].on_their_way.is_empty() => {
                    let place = what % operators[who].on_their_way.len();
                    world.arrive(operators[who].on_their_way.remove(place));
                }
                Step::Arrive { .. } => {}
                Step::Lose { who } => operators[who].on_their_way.clear(),
                Step::Enforce { system, used } => world.enforce(system, used),
                Step::ShareRequest { system, cores } => wanted[system] = cores,
                Step::Total { cores } => total = cpu(cores),
            }
            world.check()?;
        }
    }

    /// And it does not only hold back: left alone, one operator serves every claim that fits, in finitely many rounds.
    #[test]
    fn what_fits_is_handed_out_in_the_end(history in proptest::collection::vec(([0..16_u32, 0..16_u32, 0..16_u32], 5..25_u32), 1..6)) {
        let mut world = World::default();
        let mut last = ([0; 3], 0);
        for (wanted, cores) in history {
            for _ in 0..12 {
                for write in world.writes(&cpu(cores), wanted) {
                    world.arrive(write);
                    world.check()?;
                }
                (0..3).for_each(|system| world.enforce(system, 0));
            }
            last = (wanted, cores);
        }
        if last.0.iter().sum::<u32>() <= last.1 {
            for (system, cores) in SYSTEMS.iter().zip(last.0) {
                let quota = world.quotas.get(&namespace(system));
                prop_assert_eq!(quota.map(|quota| of(&quota.hard, CPU)), Some(Amount::whole(cores)), "{}", system);
            }
            let settled = world.writes(&cpu(last.1), last.0);
            prop_assert!(settled.iter().all(|write| matches!(write, Write::Status(status) if status.ledger == world.status.ledger)));
        }
    }
}
