//! A share that can never fit, or with which no pod can ever run, is told from one that only waits.

use serde_json::Value;

use super::{
    decisions::{APPOINTMENTS, HEALTH, conditions, messages},
    world::{settle, system, with_home},
};

/// Conditions and messages of the second of two systems, with this share.
fn told(share: &str) -> (Value, Value) {
    let first = APPOINTMENTS.replace("appointments", "first");
    let (lead, _) = APPOINTMENTS.split_once("  resources:").unwrap();
    let second = format!("{lead}  resources: {{guaranteed: {share}}}\n");
    let mut seen = with_home(HEALTH, vec![system(&first)]);
    settle(&mut seen);
    seen.systems.insert(0, system(&second));
    settle(&mut seen);
    (conditions(&seen).1, messages(&seen).1)
}

#[test]
fn a_share_above_the_whole_total_is_stalled_and_one_that_is_held_by_others_waits() {
    let share = |cpu: &str, more: &str| format!("{{requests.cpu: '{cpu}', requests.memory: 4Gi, pods: '5'{more}}}");
    let cases = [
        (share("32", ""), "True Granted", "False NotStalled"),
        (share("33", ""), "False QuotaWaiting", "False NotStalled"),
        (share("40", ""), "False QuotaWaiting", "False NotStalled"),
        (share("41", ""), "False QuotaExceeded", "True QuotaExceeded"),
        (share("1", ", requests.example.com/gpu: 1"), "False QuotaExceeded", "True QuotaExceeded"),
    ];
    for (share, granted, stalled) in cases {
        let (conditions, messages) = told(&share);
        assert_eq!((&conditions["QuotaGranted"], &conditions["Stalled"]), (&granted.into(), &stalled.into()), "{share}: {messages}");
    }
    let message = told(&share("41", "")).1["Stalled"].as_str().unwrap().to_owned();
    for words in ["requests.cpu: 41 wanted", "(total 40,", "more than the whole total", "raise spec.quota of agencytenant/health"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn a_share_with_which_no_pod_can_run_is_invalid_and_none_at_all_is_not() {
    for (share, missing) in [
        ("{requests.cpu: '1', requests.memory: 4Gi}", "pods"),
        ("{pods: '5'}", "requests.cpu"),
        ("{pods: '5', requests.cpu: '1'}", "requests.memory"),
        ("{pods: '5', limits.cpu: '1', limits.memory: 1Gi}", "requests.cpu"),
        ("{requests.example.com/gpu: 1}", "pods"),
    ] {
        let (conditions, messages) = told(share);
        assert_eq!((&conditions["Accepted"], &conditions["Stalled"]), (&"False Invalid".into(), &"True Invalid".into()), "{share}");
        let words = format!("spec.resources.guaranteed[{missing}]: is missing, so no pod can run with this share; name at least pods,");
        assert!(messages["Ready"].as_str().unwrap().starts_with(&words), "{messages}");
    }
    for share in ["{}", "{requests.storage: 1Gi}", "{gold.storageclass.storage.k8s.io/requests.storage: 0}"] {
        assert_eq!(told(share).0["Accepted"], "True Accepted", "{share}");
    }
}
