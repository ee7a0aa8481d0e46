//! Events, told one after the other when no tenant is at work: they hold up nothing, and losing one is no failure.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use govcloud_core::{
    api::{
        Condition,
        conditions::{find, kind, reason},
        history::HistoryEvent,
    },
    model::{audit::AuditRecord, outcome::Fate, text::shortened},
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use tokio::{
    sync::{
        mpsc::{Receiver, Sender, channel},
        watch,
    },
    time::{Instant, timeout_at},
};
use tracing::{debug, info};

use super::connection::Connection;

/// Events that may wait; more are lost.
const QUEUE_LENGTH: usize = 4096;

/// However much there is to do, an event is told after this time.
const EVENT_TTL: Duration = Duration::from_mins(1);

/// Events of the same text within this time are one series.
const SERIES: Duration = Duration::from_mins(6);

/// Bytes of an event's text; the API server takes 1,024.
const NOTE_BYTES: usize = 1000;

/// One event, and the object that it is about.
pub struct Told {
    since: Instant,
    event: Event,
    about: ObjectReference,
}

/// Takes events in, and the other end for [`tell`].
pub fn events() -> (Events, Receiver<Told>) {
    let (sender, receiver) = channel(QUEUE_LENGTH);
    (Events(sender), receiver)
}

/// Takes events in.
#[derive(Clone)]
pub struct Events(Sender<Told>);

impl Events {
    /// Announces that `Ready` turned or changed its cause. That a new object is ready says its condition; there is no event for it.
    pub fn announce(&self, about: ObjectReference, old: &[Condition], new: &[Condition]) {
        let (Some(now), before) = (find(new, kind::READY), find(old, kind::READY)) else { return };
        if before.is_some_and(|before| before.status == now.status && before.reason == now.reason) {
            return;
        }
        let (namespace, name) = (about.namespace.as_deref().unwrap_or_default(), about.name.as_deref().unwrap_or_default());
        info!(kind = about.kind, namespace, name, ready = now.status, reason = now.reason, "{}", now.message);
        if before.is_none() && now.status == "True" {
            return;
        }
        let event = Event {
            type_: if now.status == "True" { EventType::Normal } else { EventType::Warning },
            reason: now.reason.clone(),
            note: Some(shortened(&now.message, NOTE_BYTES)),
            action: "Reconcile".into(),
            secondary: None,
        };
        self.send(event, about);
    }

    /// Announces that an object which members wrote was deleted or changed, and why.
    pub fn changed(&self, about: ObjectReference, object: ObjectReference, fate: Fate, note: String) {
        let (namespace, name) = (object.namespace.as_deref().unwrap_or_default(), object.name.as_deref().unwrap_or_default());
        info!(kind = object.kind, namespace, name, "{note}");
        let (type_, reason, action) = match fate {
            Fate::Deleted => (EventType::Warning, reason::REMOVED, "Delete"),
            Fate::Disabled => (EventType::Warning, reason::DISABLED, "Update"),
            Fate::Restored => (EventType::Normal, reason::RESTORED, "Update"),
        };
        self.send(Event { type_, reason: reason.into(), note: Some(note), action: action.into(), secondary: Some(object) }, about);
    }

    /// Announces what was recorded in a tenant's history.
    pub fn recorded(&self, about: ObjectReference, record: &AuditRecord) {
        let type_ = match record.event {
            HistoryEvent::Rejected | HistoryEvent::Suspended => EventType::Warning,
            _ => EventType::Normal,
        };
        let (reason, note) = (record.event.as_str().to_owned(), Some(shortened(&record.words(), NOTE_BYTES)));
        self.send(Event { type_, reason, note, action: "Record".into(), secondary: None }, about);
    }

    fn send(&self, event: Event, about: ObjectReference) {
        if let Err(lost) = self.0.try_send(Told { since: Instant::now(), event, about }) {
            debug!(%lost, "an event is not told");
        }
    }
}

/// Tells the events to the API server, for ever; `busy` says how many tenants are at work.
pub async fn tell(connection: Connection, mut events: Receiver<Told>, mut busy: watch::Receiver<usize>) {
    let reporter = Reporter { controller: "govcloud.io/operator".into(), instance: std::env::var("POD_NAME").ok() };
    let mut recorders = Recorders::new(connection.client.clone(), reporter);
    while let Some(Told { since, event, about }) = events.recv().await {
        let _ = timeout_at(since + EVENT_TTL, busy.wait_for(|busy| *busy == 0)).await;
        let recorder = recorders.of(&event, &about);
        let told = connection.request("create", "events", recorder.publish(&event, &about)).await;
        if let Err(error) = told {
            debug!(name = about.name, %error, "an event was not taken");
        }
    }
}

/// A recorder counts an event as one of a series without looking at its text. So each text has its own.
struct Recorders {
    client: Client,
    reporter: Reporter,
    by_text: HashMap<u64, (Instant, Recorder)>,
}

impl Recorders {
    fn new(client: Client, reporter: Reporter) -> Self {
        Self { client, reporter, by_text: HashMap::new() }
    }

    fn of(&mut self, event: &Event, about: &ObjectReference) -> Recorder {
        let mut text = DefaultHasher::new();
        (&about.uid, &event.reason, &event.note).hash(&mut text);
        let now = Instant::now();
        self.by_text.retain(|_, (last, _)| now.saturating_duration_since(*last) < SERIES);
        let fresh = || (now, Recorder::new(self.client.clone(), self.reporter.clone()));
        let (last, recorder) = self.by_text.entry(text.finish()).or_insert_with(fresh);
        *last = now;
        recorder.clone()
    }
}
