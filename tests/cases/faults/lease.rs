//! Replicas that stand by for the same moment write the lease at once, and the API server takes the write of one.

use std::{fs, time::Instant};

use acceptance::proxy::Fault;
use tokio::time::sleep;

use super::{Faulty, QUIET, RECOVERS_WITHIN};
use crate::alone::Alone;

#[tokio::test]
async fn whoever_writes_the_lease_second_stands_by_and_warns_of_nothing() {
    let alone = Alone::turn().await;
    let mut met = None;
    let faulty = Faulty::start_with(&alone, alone.program, |proxy| {
        let writes_lease = |asked: &acceptance::proxy::Asked| asked.resource == "leases" && ["create", "update"].contains(&asked.verb);
        met = Some(proxy.arm(Fault::Answer(409), 0, 1, writes_lease));
    })
    .await;
    let log = || fs::read_to_string(faulty.operator.log()).unwrap();
    let begin = Instant::now();
    while !log().contains("acquired the lease") {
        assert!(begin.elapsed() < RECOVERS_WITHIN, "{}", log());
        sleep(QUIET).await;
    }
    assert_eq!(met.unwrap().times(), 1);
    assert!(!log().contains("the lease cannot be read or written"), "{}", log());
    faulty.end();
}
