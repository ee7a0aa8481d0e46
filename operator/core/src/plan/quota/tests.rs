use super::*;
use crate::model::amounts::amounts;

fn read(pairs: &[(&str, &str)]) -> Amounts {
    let resources = pairs.iter().map(|(key, text)| ((*key).to_owned(), crate::api::Quantity((*text).to_owned()))).collect();
    amounts(&resources).unwrap()
}

fn share_request(name: &str, cpu: &str) -> ShareRequest {
    ShareRequest {
        system: SystemName::new(name),
        namespace: NamespaceName::new(format!("t--{name}")),
        wanted: read(&[("requests.cpu", cpu)]),
        follows: Follows::new(),
        serves: true,
        admits_pods: true,
    }
}

fn quota(wanted: &str, hard: &str, used: &str) -> QuotaState {
    let [wanted, hard, used] = [wanted, hard, used].map(|amount| read(&[("requests.cpu", amount)]));
    QuotaState::new(&wanted, &hard, &used, 0, |_| true)
}

fn held(quotas: &[(&str, QuotaState)]) -> BTreeMap<NamespaceName, QuotaState> {
    quotas.iter().map(|(name, quota)| (NamespaceName::new(format!("t--{name}")), quota.clone())).collect()
}

/// Hands out while the status shows this total and ledger.
fn hand(
    wanted: &Amounts,
    served: &Amounts,
    ledger: &Ledger,
    requests: &[ShareRequest],
    quotas: &BTreeMap<NamespaceName, QuotaState>,
) -> Allocation {
    let known_systems = quotas.keys().filter_map(NamespaceName::system).collect();
    let input = QuotaInput {
        tenant: &TenantName::new("t"),
        wanted,
        served,
        ledger: Some(ledger),
        quotas,
        uncounted: None,
        known_systems: &known_systems,
    };
    allocate(&input, requests)
}

/// What each system holds of `requests.cpu` after handing out, `*` where it waits.
fn handed_out(total: &str, requests: &[ShareRequest], quotas: &[(&str, QuotaState)]) -> Vec<String> {
    let total = read(&[("requests.cpu", total)]);
    let allocation = hand(&total, &total, &Ledger::new(), requests, &held(quotas));
    let word = |share_request: &ShareRequest| {
        let grant = &allocation.grants[&share_request.system];
        let mark = if grant.waiting.is_some() { "*" } else { "" };
        format!("{}={}{mark}", share_request.system, amounts::of(&grant.hard, "requests.cpu"))
    };
    requests.iter().map(word).collect()
}

#[test]
fn requests_are_served_in_order_and_a_large_one_does_not_block_a_small_one() {
    assert_eq!(handed_out("10", &[share_request("a", "6"), share_request("b", "6"), share_request("c", "4")], &[]), ["a=6", "b=0*", "c=4"]);
}

#[test]
fn a_holder_keeps_its_share_against_an_older_request() {
    let quotas = [("b", quota("6", "6", "0"))];
    assert_eq!(handed_out("10", &[share_request("a", "6"), share_request("b", "6")], &quotas), ["a=0*", "b=6"]);
}

#[test]
fn a_raise_that_does_not_fit_leaves_what_is_held() {
    let quotas = [("a", quota("4", "4", "1"))];
    assert_eq!(handed_out("10", &[share_request("a", "12"), share_request("b", "5")], &quotas), ["a=4*", "b=5"]);
}

#[test]
fn a_lowering_counts_only_when_admission_enforces_it_and_use_fits() {
    let requests = [share_request("a", "2"), share_request("b", "8")];
    assert_eq!(handed_out("10", &requests, &[("a", quota("8", "8", "0"))]), ["a=2", "b=0*"], "not written yet");
    assert_eq!(handed_out("10", &requests, &[("a", quota("2", "8", "0"))]), ["a=2", "b=0*"], "not enforced yet");
    assert_eq!(handed_out("10", &requests, &[("a", quota("2", "2", "5"))]), ["a=2", "b=0*"], "still used");
    assert_eq!(handed_out("10", &requests, &[("a", quota("2", "2", "2"))]), ["a=2", "b=8"]);
}

#[test]
fn a_namespace_without_a_request_counts() {
    assert_eq!(handed_out("10", &[share_request("a", "6")], &[("left-behind", quota("5", "5", "5"))]), ["a=0*"]);
}

#[test]
fn a_promise_is_kept_while_the_quota_is_closed() {
    let total = read(&[("requests.cpu", "10")]);
    let ledger = Ledger::from([(SystemName::new("b"), Share { epoch: 1, hard: read(&[("requests.cpu", "6")]) })]);
    let allocation =
        hand(&total, &total, &ledger, &[share_request("a", "6"), share_request("b", "6")], &held(&[("b", quota("0", "0", "0"))]));
    assert!(allocation.grants[&SystemName::new("a")].waiting.is_some());
    assert_eq!(
        allocation.grants[&SystemName::new("b")].hard["requests.cpu"],
        allocation.ledger[&SystemName::new("b")].hard["requests.cpu"]
    );
}

#[test]
fn a_lost_ledger_is_found_again_in_the_quotas_and_changes_nothing() {
    let (total, none) = (read(&[("requests.cpu", "10")]), Amounts::new());
    let quotas = held(&[("a", quota("8", "8", "3")), ("left-behind", quota("5", "5", "5"))]);
    let known_systems = quotas.keys().filter_map(NamespaceName::system).collect();
    let input = QuotaInput {
        tenant: &TenantName::new("t"),
        wanted: &total,
        served: &none,
        ledger: None,
        quotas: &quotas,
        uncounted: None,
        known_systems: &known_systems,
    };
    let allocation = allocate(&input, &[share_request("a", "9")]);
    let grant = &allocation.grants[&SystemName::new("a")];
    assert_eq!((amounts::of(&grant.hard, "requests.cpu").to_string().as_str(), grant.waiting.is_some()), ("8", true));
    assert_eq!(amounts::of(&allocation.total, "requests.cpu").to_string(), "13", "what is in force is served, not more and not less");
    let entries: Vec<_> = allocation.ledger.iter().map(|(system, share)| format!("{system}={}", share.hard["requests.cpu"])).collect();
    assert_eq!(entries, ["a=8", "left-behind=5"]);
}

#[test]
fn a_lowered_total_is_served_when_what_is_held_fits() {
    let quotas = held(&[("a", quota("8", "8", "0"))]);
    let served = read(&[("requests.cpu", "10")]);
    let pending = hand(&read(&[("requests.cpu", "4")]), &served, &Ledger::new(), &[share_request("a", "8")], &quotas);
    assert_eq!(pending.lowering.as_deref(), Some("spec.quota[requests.cpu]: 4 is below the 8 that the systems hold"));
    assert_eq!(amounts::of(&pending.total, "requests.cpu").to_string(), "10");
    let fits = hand(&read(&[("requests.cpu", "8")]), &served, &Ledger::new(), &[share_request("a", "8")], &quotas);
    assert_eq!((fits.lowering, amounts::of(&fits.total, "requests.cpu").to_string().as_str()), (None, "8"));
}

#[test]
fn nothing_is_raised_while_use_is_not_counted() {
    let (total, lost) = (read(&[("requests.cpu", "10")]), NamespaceName::new("t--lost"));
    let quotas = held(&[("a", quota("4", "4", "0"))]);
    let (ledger, known_systems) = (Ledger::new(), BTreeSet::new());
    let input = QuotaInput {
        tenant: &TenantName::new("t"),
        wanted: &total,
        served: &total,
        ledger: Some(&ledger),
        quotas: &quotas,
        uncounted: Some(&lost),
        known_systems: &known_systems,
    };
    let allocation = allocate(&input, &[share_request("a", "3"), share_request("b", "5")]);
    let grant = |name: &str| &allocation.grants[&SystemName::new(name)];
    assert_eq!(grant("a").waiting, None);
    assert_eq!(allocate(&input, &[share_request("a", "4")]).grants[&SystemName::new("a")].waiting, None, "no more than is held");
    assert_eq!(amounts::of(&grant("a").hard, "requests.cpu").to_string(), "3", "a lowering needs no knowledge");
    assert_eq!(amounts::of(&grant("b").hard, "requests.cpu"), Amount::ZERO);
    assert!(grant("b").waiting.as_ref().is_some_and(|why| why.contains("t--lost")));
}

#[test]
fn the_shortage_names_the_numbers() {
    let total = read(&[("requests.cpu", "10")]);
    let allocation = hand(&total, &total, &Ledger::new(), &[share_request("a", "6"), share_request("b", "5")], &BTreeMap::new());
    let waiting = allocation.grants[&SystemName::new("b")].waiting.as_deref();
    assert_eq!(waiting, Some("requests.cpu: 5 wanted, 4 free (total 10, held by others 6)"));
}

#[test]
fn a_key_that_only_a_sibling_asks_for_is_not_refused_to_the_others() {
    let total = read(&[("requests.cpu", "10")]);
    let odd = ShareRequest { wanted: read(&[("persistentvolumeclaims", "3")]), ..share_request("a", "0") };
    let allocation = hand(&total, &total, &Ledger::new(), &[odd, share_request("b", "5")], &BTreeMap::new());
    assert!(allocation.grants[&SystemName::new("a")].waiting.is_some());
    assert!(!allocation.grants[&SystemName::new("b")].hard.contains_key("persistentvolumeclaims"));
}

#[test]
fn a_limit_that_is_not_named_follows_its_request() {
    let total = read(&[("requests.cpu", "40"), ("limits.cpu", "80")]);
    let followed = |pairs, total| with_following(read(pairs), total).0;
    assert_eq!(followed(&[("requests.cpu", "8")], &total), read(&[("requests.cpu", "8"), ("limits.cpu", "16")]));
    let named = [("requests.cpu", "8"), ("limits.cpu", "9")];
    assert_eq!(followed(&named, &total), read(&named));
    let (memory, scratch) = ("requests.memory", "requests.ephemeral-storage");
    let total = read(&[(memory, "10Gi"), (scratch, "20Gi"), ("limits.ephemeral-storage", "40Gi")]);
    let (_, follows) = with_following(read(&[(memory, "1Gi")]), &total);
    let roots: Vec<_> = follows.iter().map(|(key, named)| (key.as_str(), named.as_str())).collect();
    assert_eq!(roots, [("limits.ephemeral-storage", memory), ("limits.memory", memory), (scratch, memory)]);
}

/// Systems whose shares are as granted by the total `from`, once `to` is wanted; `named` is what each names.
fn after(from: &Amounts, to: &Amounts, named: &[Amounts]) -> (Vec<ShareRequest>, Allocation) {
    let requests = |total: &Amounts| {
        let share_request = |(index, named): (usize, &Amounts)| {
            let (wanted, follows) = with_following(named.clone(), total);
            ShareRequest { wanted, follows, ..share_request(&format!("s{index}"), "0") }
        };
        named.iter().enumerate().map(share_request).collect::<Vec<ShareRequest>>()
    };
    let first = hand(from, from, &Ledger::new(), &requests(from), &BTreeMap::new());
    let shown = |share_request: &ShareRequest| {
        let Grant { hard, epoch, .. } = &first.grants[&share_request.system];
        (share_request.namespace.clone(), QuotaState::new(hard, hard, hard, *epoch, |_| true))
    };
    let quotas = requests(from).iter().map(shown).collect();
    (requests(to), hand(to, &first.total, &first.ledger, &requests(to), &quotas))
}

/// What each system holds of `limits.cpu`, `*` where it waits.
fn limits((requests, allocation): &(Vec<ShareRequest>, Allocation)) -> Vec<String> {
    let grants = requests.iter().map(|share_request| &allocation.grants[&share_request.system]);
    let word = |grant: &Grant| format!("{}{}", amounts::of(&grant.hard, "limits.cpu"), if grant.waiting.is_some() { "*" } else { "" });
    grants.map(word).collect()
}

#[test]
fn a_limit_that_follows_keeps_no_system_waiting_that_asks_for_nothing_new() {
    let total = |requests, limits| read(&[("requests.cpu", requests), ("limits.cpu", limits)]);
    let named: Vec<Amounts> = ["8", "12"].map(|cpu| read(&[("requests.cpu", cpu)])).into();
    assert_eq!(limits(&after(&total("40", "80"), &total("20", "80"), &named)), ["32", "48"], "there is room");
    assert_eq!(limits(&after(&total("40", "80"), &total("10", "80"), &named)), ["16", "24"], "more is held than the new total");
    let explicit = [named.clone(), vec![read(&[("requests.cpu", "1"), ("limits.cpu", "40")])]].concat();
    assert_eq!(limits(&after(&total("40", "80"), &total("21", "80"), &explicit)), ["16", "24", "40"], "a sibling names its limits");
    assert_eq!(limits(&after(&total("40", "80"), &total("40", "40"), &named)), ["8", "12"], "it follows downwards too");
    assert_eq!(limits(&after(&total("40", "80"), &total("40", "30"), &named)), ["6", "9"], "also where more is held than the new total");
    assert_eq!(limits(&after(&total("40", "80"), &total("40", "160"), &named)), ["32", "48"], "and upwards");
}

#[test]
fn a_limit_that_follows_and_is_not_held_at_all_is_waited_for() {
    let total = read(&[("requests.cpu", "10"), ("limits.cpu", "4")]);
    let quotas = held(&[("a", quota("8", "8", "0"))]);
    let follows = Follows::from([("limits.cpu".to_owned(), "requests.cpu".to_owned())]);
    let request = ShareRequest { wanted: read(&[("requests.cpu", "8"), ("limits.cpu", "5")]), follows, ..share_request("a", "8") };
    let grant = hand(&total, &total, &Ledger::new(), &[request], &quotas).grants.remove(&SystemName::new("a")).unwrap();
    assert_eq!(grant.waiting.as_deref(), Some("limits.cpu: 5 wanted, 4 free (total 4, held by others 0)"));
}

#[test]
fn what_the_ledger_has_for_a_system_that_asks_for_nothing_counts_as_long_as_the_system_is_known() {
    let total = read(&[("requests.cpu", "10")]);
    let ledger = Ledger::from([(SystemName::new("silent"), Share { epoch: 1, hard: read(&[("requests.cpu", "6")]) })]);
    let quotas = BTreeMap::new();
    let handed_out = |known: &[&str]| {
        let known_systems = known.iter().map(|name| SystemName::new(*name)).collect();
        let input = QuotaInput {
            tenant: &TenantName::new("t"),
            wanted: &total,
            served: &total,
            ledger: Some(&ledger),
            quotas: &quotas,
            uncounted: None,
            known_systems: &known_systems,
        };
        let allocation = allocate(&input, &[share_request("a", "6")]);
        let allocated = amounts::of(&allocation.allocated, "requests.cpu").to_string();
        (allocation.grants[&SystemName::new("a")].waiting.is_some(), allocation.ledger.contains_key(&SystemName::new("silent")), allocated)
    };
    assert_eq!(handed_out(&["silent"]), (true, true, "6".to_owned()));
    assert_eq!(handed_out(&["a", "other"]), (false, false, "6".to_owned()));
}

#[test]
fn a_share_that_grows_waits_for_the_limit_that_follows() {
    let total = read(&[("requests.cpu", "40"), ("limits.cpu", "80")]);
    let named = read(&[("requests.cpu", "8")]);
    let (wanted, follows) = with_following(read(&[("requests.cpu", "30")]), &total);
    let growing = ShareRequest { wanted, follows, ..share_request("s0", "0") };
    let explicit = ShareRequest { wanted: read(&[("limits.cpu", "40")]), ..share_request("s1", "0") };
    let (_, before) = after(&total, &total, &[named, explicit.wanted.clone()]);
    let shown = |(system, grant): (&SystemName, &Grant)| {
        (NamespaceName::new(format!("t--{system}")), QuotaState::new(&grant.hard, &grant.hard, &grant.hard, grant.epoch, |_| true))
    };
    let quotas = before.grants.iter().map(shown).collect();
    let next = hand(&total, &total, &before.ledger, &[growing, explicit], &quotas);
    assert_eq!(
        next.grants[&SystemName::new("s0")].waiting.as_deref(),
        Some("limits.cpu: 60 wanted, 40 free (total 80, held by others 40)")
    );
}

proptest::proptest! {
    /// Whatever becomes of the total, a system that is granted what it names goes on to hold it, and the sum stays within the total.
    #[test]
    fn an_unchanged_share_that_is_granted_never_waits(
        shares in proptest::collection::vec((1_u32..20, proptest::option::of(1_u32..40)), 1..5),
        from in (1_u32..80, 1_u32..160),
        to in (1_u32..80, 1_u32..160),
    ) {
        let total = |(requests, limits): (u32, u32)| read(&[("requests.cpu", &requests.to_string()), ("limits.cpu", &limits.to_string())]);
        let named: Vec<Amounts> = shares.iter().map(|(requests, limits)| {
            let mut named = read(&[("requests.cpu", &requests.to_string())]);
            named.extend(limits.map(|limits| ("limits.cpu".to_owned(), Amount::whole(limits))));
            named
        }).collect();
        let (requests, before) = after(&total(from), &total(from), &named);
        let (_, next) = after(&total(from), &total(to), &named);
        let mut sum = Amounts::new();
        for share_request in &requests {
            amounts::add(&mut sum, &next.grants[&share_request.system].hard);
            if before.grants[&share_request.system].waiting.is_none() {
                let (grant, held) = (&next.grants[&share_request.system], &before.grants[&share_request.system].hard);
                proptest::prop_assert!(grant.waiting.is_none(), "{:?}", grant);
                proptest::prop_assert_eq!(amounts::of(&grant.hard, "requests.cpu"), amounts::of(held, "requests.cpu"));
            }
        }
        for (key, amount) in &sum {
            proptest::prop_assert!(*amount <= amounts::of(&next.total, key), "{}: {} of {}", key, amount, amounts::of(&next.total, key));
        }
    }
}
