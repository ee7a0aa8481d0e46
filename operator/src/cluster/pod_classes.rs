//! The cluster's priority and runtime classes, as the watches have seen them.

use std::sync::Arc;

use govcloud_core::model::pod_classes::{PodClasses, default_value, scheduling};
use kube::ResourceExt;

use parking_lot::Mutex;

use super::{
    object::Object,
    streams::{Listed, Source, is_listed},
};

/// The classes that are there.
#[derive(Default)]
pub struct Classes(Mutex<Arc<PodClasses>>);

impl Classes {
    /// All of them.
    pub fn all(&self) -> Arc<PodClasses> {
        self.0.lock().clone()
    }

    /// Takes a class in; whether that is news.
    pub fn take(&self, source: Source, object: &Object) -> bool {
        let name = object.name_any();
        self.change(|classes| match source {
            Source::RuntimeClasses => drop(classes.runtimes.insert(name, scheduling(object.json()))),
            _ => match default_value(object.json()) {
                Some(value) => drop(classes.default_priorities.insert(name, value)),
                None => drop(classes.default_priorities.remove(&name)),
            },
        })
    }

    /// Forgets a class; whether that is news.
    pub fn forget(&self, source: Source, name: &str) -> bool {
        self.retain(source, |known| known != name)
    }

    /// Ends a list: what was not in it is gone. Whether that is news.
    pub fn listed(&self, source: Source, listed: &Listed) -> bool {
        self.retain(source, |known| is_listed(listed, "", known))
    }

    fn retain(&self, source: Source, stays: impl Fn(&str) -> bool) -> bool {
        self.change(|classes| match source {
            Source::RuntimeClasses => classes.runtimes.retain(|name, _| stays(name)),
            _ => classes.default_priorities.retain(|name, _| stays(name)),
        })
    }

    fn change(&self, change: impl FnOnce(&mut PodClasses)) -> bool {
        let mut known = self.0.lock();
        let mut classes = PodClasses::clone(&known);
        change(&mut classes);
        let news = classes != **known;
        *known = Arc::new(classes);
        news
    }
}
