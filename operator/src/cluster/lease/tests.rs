use std::cell::Cell;

use k8s_openapi::jiff::Timestamp;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn time(moment: Moment) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(i64::try_from(moment.as_micros()).unwrap()).unwrap())
}

fn record(holder: &str, renewed: Moment) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.into()),
        lease_duration_seconds: Some(10),
        lease_transitions: Some(3),
        acquire_time: Some(time(Duration::ZERO)),
        renew_time: Some(time(renewed)),
        ..LeaseSpec::default()
    }
}

fn seen(spec: Option<LeaseSpec>, at: Moment) -> Observation {
    let mut observation = Observation::default();
    observation.see(spec, at);
    observation
}

#[test]
fn a_record_that_never_was_is_created_and_counts_no_transition() {
    assert_eq!(decide(&seen(None, MS(5)), MS(5), "me"), Decision::Create);
    let mut me = Candidate::new("me".into());
    me.saw(None, MS(5));
    let spec = me.next_record(MS(5), &time(MS(70))).unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("me"), Some(0)));
    assert_eq!((spec.acquire_time, spec.renew_time, spec.lease_duration_seconds), (Some(time(MS(70))), Some(time(MS(70))), Some(10)));
}

#[test]
fn taking_counts_a_transition_and_renewing_keeps_it_and_the_time_of_acquisition() {
    let mut me = Candidate::new("me".into());
    me.saw(Some(record("other", MS(0))), MS(0));
    assert_eq!(me.next_record(MS(9_999), &time(MS(0))), None);
    let taken = me.next_record(MS(10_000), &time(MS(10_000))).unwrap();
    assert_eq!((taken.lease_transitions, &taken.acquire_time), (Some(4), &Some(time(MS(10_000)))));
    me.wrote(taken, MS(10_000), MS(10_100));
    let renewed = me.next_record(MS(12_000), &time(MS(12_000))).unwrap();
    assert_eq!((renewed.lease_transitions, renewed.acquire_time), (Some(4), Some(time(MS(10_000)))));
    assert_eq!(renewed.renew_time, Some(time(MS(12_000))));
}

#[test]
fn a_leader_may_write_from_the_moment_at_which_its_renewal_was_sent_and_not_longer() {
    let mut me = Candidate::new("me".into());
    me.saw(None, MS(0));
    let spec = me.next_record(MS(100), &time(MS(100))).unwrap();
    assert_eq!((me.until(), me.lost(MS(60_000))), (None, None), "it does not lead yet");
    me.wrote(spec, MS(100), MS(4_000));
    assert_eq!((me.until(), me.lost(MS(7_099)), me.lost(MS(7_100))), (Some(MS(7_100)), None, Some(Lost::NotRenewed)));
    assert_eq!(me.next_record(MS(7_100), &time(MS(7_100))), None, "what is lost is not taken back");
}

#[test]
fn a_leader_that_reads_another_name_or_none_has_lost() {
    for holder in ["other", ""] {
        let mut me = Candidate::new("me".into());
        me.wrote(record("me", MS(0)), MS(0), MS(10));
        me.saw(Some(record(holder, MS(20))), MS(30));
        assert_eq!(me.lost(MS(30)), Some(Lost::Taken(holder.into())));
        assert_eq!(me.next_record(MS(60_000), &time(MS(0))), None);
    }
}

#[test]
fn a_record_that_vanished_stays_its_holders_for_a_while_and_the_holder_makes_it_anew() {
    let (mut me, mut other) = (Candidate::new("me".into()), Candidate::new("other".into()));
    other.wrote(record("other", MS(0)), MS(0), MS(10));
    for candidate in [&mut me, &mut other] {
        candidate.saw(Some(record("other", MS(0))), MS(10));
        candidate.saw(None, MS(500));
        candidate.saw(None, MS(1_500));
    }
    assert_eq!((me.next_record(MS(10_499), &time(MS(0))), me.holder()), (None, "other"));
    assert!(me.next_record(MS(10_500), &time(MS(0))).is_some());
    assert!(other.next_record(MS(1_500), &time(MS(0))).is_some());
}

#[test]
fn the_farewell_empties_the_holder_and_only_of_ones_own_record() {
    let mut me = Candidate::new("me".into());
    assert_eq!(me.farewell(&time(MS(0))), None);
    me.saw(Some(record("other", MS(0))), MS(0));
    assert_eq!(me.farewell(&time(MS(0))), None);
    me.saw(Some(record("me", MS(1))), MS(1));
    let spec = me.farewell(&time(MS(2))).unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds, spec.lease_transitions), (Some(""), Some(1), Some(3)));
    assert_eq!(decide(&seen(Some(spec), MS(2)), MS(2), "other"), Decision::Take);
}

proptest! {
    #[test]
    fn an_unexpired_record_of_another_is_never_taken_and_an_expired_one_is(at in 0..100_000_u64, later in 0..30_000_u64, renewed in 0..1_000_000_u64) {
        // The time in the record is another machine's, and may be anything.
        let decision = decide(&seen(Some(record("other", MS(renewed))), MS(at)), MS(at + later), "me");
        prop_assert_eq!(decision, if later < 10_000 { Decision::Wait } else { Decision::Take });
    }

    #[test]
    fn each_renewal_that_is_seen_begins_the_wait_anew(gaps in vec(1..9_999_u64, 1..20)) {
        let mut observation = Observation::default();
        let mut now = 0;
        for gap in gaps {
            observation.see(Some(record("other", MS(now))), MS(now));
            observation.see(Some(record("other", MS(now))), MS(now + gap / 2));
            now += gap;
            prop_assert_eq!(decide(&observation, MS(now), "me"), Decision::Wait);
        }
    }

    #[test]
    fn a_released_record_is_taken_at_once(at in 0..100_000_u64, seconds in 1..100_i32) {
        let spec = LeaseSpec { lease_duration_seconds: Some(seconds), ..record("", MS(at)) };
        prop_assert_eq!(decide(&seen(Some(spec), MS(at)), MS(at), "me"), Decision::Take);
    }
}

/// What happens next, to one of three processes.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Its request arrives, or the answer to it, or it sends the next: look, hear, bid, arrive, hear.
    Progress,
    /// It stands still for so long.
    Halt(Duration),
    /// It waits no longer for what it sent; that may arrive all the same.
    GiveUp,
    /// It is killed, and another is started in its place.
    Restart,
    /// It is told to stop, and another is started in its place.
    Stop,
    /// What somebody gave up arrives after all.
    Straggler,
}

fn event() -> impl Strategy<Value = (Duration, usize, Event)> {
    let pause = prop_oneof![40 => 0..300_u64, 1 => 0..9_000_u64];
    let event = prop_oneof![
        40 => Just(Event::Progress),
        1 => (2_000..14_000_u64).prop_map(|long| Event::Halt(MS(long))),
        1 => Just(Event::GiveUp),
        1 => Just(Event::Restart),
        1 => Just(Event::Stop),
        3 => Just(Event::Straggler),
    ];
    (pause.prop_map(MS), 0..3_usize, event)
}

/// A write on its way: valid for one version of the record only.
#[derive(Clone)]
struct WriteMode {
    version: u64,
    spec: LeaseSpec,
}

#[derive(Clone)]
enum Doing {
    Nothing,
    Reads(Option<LeaseSpec>, u64),
    Sent(WriteMode, Moment),
    Accepted(LeaseSpec, Moment),
}

struct Process {
    candidate: Candidate,
    /// Its clock began at another time than the others'.
    ahead: Duration,
    halted_until: Moment,
    doing: Doing,
    /// The version that it read last.
    version: Option<u64>,
}

#[derive(Default)]
struct World {
    now: Moment,
    started: u64,
    stored: Option<LeaseSpec>,
    version: u64,
    stragglers: Vec<WriteMode>,
    processes: Vec<Process>,
    taken: usize,
}

impl World {
    fn new() -> Self {
        let mut world = Self::default();
        world.processes = (0..3).map(|_| world.start()).collect();
        world
    }

    fn start(&mut self) -> Process {
        self.started += 1;
        let ahead = Duration::from_hours(self.started * 7 % 5);
        Process {
            candidate: Candidate::new(format!("process-{}", self.started)),
            ahead,
            halted_until: Moment::ZERO,
            doing: Doing::Nothing,
            version: None,
        }
    }

    fn commit(&mut self, write: &WriteMode) -> bool {
        let accepted = write.version == self.version;
        if accepted {
            self.taken += usize::from(self.stored.as_ref().is_none_or(|old| old.holder_identity != write.spec.holder_identity));
            self.stored = Some(write.spec.clone());
            self.version += 1;
        }
        accepted
    }

    fn happens(&mut self, who: usize, event: Event) {
        match event {
            Event::Progress if self.now < self.processes[who].halted_until => {}
            Event::Progress => self.progress(who),
            Event::Halt(long) => self.processes[who].halted_until = self.now + long,
            Event::GiveUp => self.give_up(who),
            Event::Restart => {
                self.give_up(who);
                self.processes[who] = self.start();
            }
            Event::Stop => {
                // It writes nothing any more; its farewell may be late, or never come.
                let process = &self.processes[who];
                let farewell = process.version.zip(process.candidate.farewell(&time(self.now)));
                self.stragglers.extend(farewell.map(|(version, spec)| WriteMode { version, spec }));
                self.happens(who, Event::Restart);
            }
            Event::Straggler if !self.stragglers.is_empty() => {
                let write = self.stragglers.remove(who % self.stragglers.len());
                self.commit(&write);
            }
            Event::Straggler => {}
        }
    }

    fn give_up(&mut self, who: usize) {
        if let Doing::Sent(write, _) = std::mem::replace(&mut self.processes[who].doing, Doing::Nothing) {
            self.stragglers.push(write);
        }
    }

    fn progress(&mut self, who: usize) {
        let (stored, version, wall) = (self.stored.clone(), self.version, time(self.now));
        let now = self.now + self.processes[who].ahead;
        let doing = match self.processes[who].doing.clone() {
            Doing::Nothing => Doing::Reads(stored, version),
            Doing::Reads(spec, version) => {
                let process = &mut self.processes[who];
                process.version = Some(version);
                process.candidate.saw(spec, now);
                process.candidate.next_record(now, &wall).map_or(Doing::Nothing, |spec| Doing::Sent(WriteMode { version, spec }, now))
            }
            Doing::Sent(write, sent) if self.commit(&write) => Doing::Accepted(write.spec, sent),
            Doing::Sent(..) => Doing::Nothing,
            Doing::Accepted(spec, sent) => {
                self.processes[who].candidate.wrote(spec, sent, now);
                Doing::Nothing
            }
        };
        self.processes[who].doing = doing;
    }

    fn leaders(&self) -> Vec<&str> {
        let may_write = |process: &&Process| process.candidate.leads() && process.candidate.lost(self.now + process.ahead).is_none();
        self.processes.iter().filter(may_write).map(|process| process.candidate.me.as_str()).collect()
    }

    /// Whoever has lost ends and is started again; from now on all goes well, for a little longer than a lease.
    fn calm(&mut self) {
        self.stragglers.clear();
        for _ in 0..12 {
            for who in 0..self.processes.len() {
                if self.processes[who].candidate.lost(self.now + self.processes[who].ahead).is_some() {
                    self.happens(who, Event::Restart);
                }
                self.processes[who].doing = Doing::Nothing;
                (0..4).for_each(|_| self.progress(who));
            }
            self.now += MS(1_000);
        }
    }
}

#[test]
fn never_two_may_write_at_once_and_in_the_end_one_does() {
    let mut runner = TestRunner::new(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() });
    let (takeovers, led) = (Cell::new(0), Cell::new(0));
    let whatever_happens = runner.run(&vec(event(), 0..300), |events| {
        let mut world = World::new();
        for (pause, who, event) in events {
            world.now += pause;
            world.happens(who, event);
            let leaders = world.leaders();
            prop_assert!(leaders.len() <= 1, "{leaders:?} at {:?}", world.now);
            led.set(led.get() + leaders.len());
        }
        takeovers.set(takeovers.get() + world.taken);
        world.calm();
        let leaders = world.leaders();
        if leaders.len() == 1 { Ok(()) } else { Err(TestCaseError::fail(format!("{leaders:?} lead in the end"))) }
    });
    whatever_happens.unwrap_or_else(|error| panic!("{error}"));
    let (takeovers, led) = (takeovers.get(), led.get());
    assert!(takeovers > 2_000 && led > 8_000, "hardly anything happened: {takeovers} changes of hand, {led} moments with a leader");
}
