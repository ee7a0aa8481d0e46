//! The streams of objects that are watched, and how each is doing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use govcloud_core::{children::TABLE, model::api_server::Part};

/// A stream that failed less than this ago is failing: watches try again within 10 s.
const FAILURE_LASTS: Duration = Duration::from_secs(15);

/// One stream of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Agency tenants.
    Tenants,
    /// Hosted systems.
    Systems,
    /// Children of the kind at this place in the table.
    Children(usize),
    /// Priority classes, for the cluster's default. What is not seen of classes is only not known to the guard rails.
    PriorityClasses,
    /// Runtime classes, for where their pods go.
    RuntimeClasses,
    /// Events that tell of pods which were refused. What is not seen of these is only not told.
    FailedCreates,
    /// A part of what tells where the API server is. Without it, only those tenants wait whose pods reach it.
    ApiServer(Part),
}

impl Source {
    /// Every stream.
    pub fn all() -> impl Iterator<Item = Self> {
        let api_server = [Part::Service, Part::Endpoints].map(Self::ApiServer);
        let others = [Self::Tenants, Self::Systems, Self::PriorityClasses, Self::RuntimeClasses, Self::FailedCreates];
        others.into_iter().chain(api_server).chain((0..TABLE.len()).map(Self::Children))
    }

    /// Whether the operator may act without seeing this.
    pub(super) fn is_spared(self) -> bool {
        matches!(self, Self::PriorityClasses | Self::RuntimeClasses | Self::FailedCreates | Self::ApiServer(_))
    }
}

/// Name of a stream's resource.
pub fn plural(source: Source) -> &'static str {
    match source {
        Source::Tenants => "agencytenants",
        Source::Systems => "hostedsystems",
        Source::PriorityClasses => "priorityclasses",
        Source::RuntimeClasses => "runtimeclasses",
        Source::FailedCreates => "events",
        Source::ApiServer(Part::Service) => "services",
        Source::ApiServer(Part::Endpoints) => "endpointslices",
        Source::Children(index) => TABLE[index].plural,
    }
}

/// Names of a list, by namespace; those of cluster scope by an empty one.
pub type Listed = BTreeMap<String, BTreeSet<String>>;

/// Whether a list has an object of this name.
pub(super) fn is_listed(listed: &Listed, namespace: &str, name: &str) -> bool {
    listed.get(namespace).is_some_and(|names| names.contains(name))
}

/// How each stream is doing.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<Source, Stream>);

#[derive(Default)]
struct Stream {
    synced: bool,
    forbidden: bool,
    failure: Option<(Instant, String)>,
}

impl Streams {
    /// Notes that a stream has listed. Whether it saw nothing before.
    pub(super) fn listed(&mut self, source: Source) -> bool {
        let stream = self.0.entry(source).or_default();
        let was_blind = stream.forbidden || !stream.synced;
        *stream = Stream { synced: true, ..Stream::default() };
        was_blind
    }

    /// Notes that a stream lives.
    pub(super) fn alive(&mut self, source: Source) {
        self.0.entry(source).or_default().failure = None;
    }

    /// Notes that a stream failed. Whether it has just lost sight.
    pub(super) fn failed(&mut self, source: Source, forbidden: bool, message: String) -> bool {
        let stream = self.0.entry(source).or_default();
        let lost_sight = forbidden && !stream.forbidden;
        stream.forbidden |= forbidden;
        stream.failure = Some((Instant::now(), message));
        lost_sight
    }

    /// Whether a stream has listed or will not before somebody grants it.
    pub(super) fn is_settled(&self, source: Source) -> bool {
        self.0.get(&source).is_some_and(|stream| stream.synced || stream.forbidden)
    }

    /// Why the operator does not see all that it manages, a line each.
    pub(super) fn blind(&self) -> Vec<String> {
        let blind = self.0.iter().filter(|(source, stream)| stream.forbidden && !source.is_spared());
        blind.filter_map(|(_, stream)| stream.failure.as_ref().map(|(_, message)| message.clone())).collect()
    }

    /// What is wrong with the streams, a line each.
    pub(super) fn complaints(&self) -> Vec<String> {
        Source::all().filter_map(|source| self.complaint(source)).collect()
    }

    /// Whether each stream is in step with the API server, by its resource.
    pub(super) fn synced(&self) -> Vec<(&'static str, bool)> {
        Source::all().map(|source| (plural(source), self.complaint(source).is_none())).collect()
    }

    fn complaint(&self, source: Source) -> Option<String> {
        let name = plural(source);
        match self.0.get(&source) {
            Some(Stream { failure: Some((time, message)), forbidden, .. }) if *forbidden || time.elapsed() < FAILURE_LASTS => {
                Some(format!("{name}: {message}"))
            }
            Some(Stream { synced: true, .. }) => None,
            _ => Some(format!("{name}: not synced yet")),
        }
    }
}
