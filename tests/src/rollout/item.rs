//! One object on its way to Ready: what was wanted, what the API server shows of it, and how far that is.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

/// One object on its way.
#[derive(Clone, Debug)]
pub struct Item {
    /// As the file says.
    pub wanted: DynamicObject,
    /// As the API server last showed it.
    pub seen: Option<DynamicObject>,
    /// Why the API server refused it for good.
    pub refused: Option<String>,
    /// Why it was refused last, when it is tried again.
    pub(super) passing: Option<String>,
    pub(super) sent: bool,
}

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// What was applied holds.
    Ready,
    /// It does not hold yet, or never will.
    NotReady {
        /// One word.
        reason: String,
        /// What to do, as far as known.
        message: String,
    },
}

impl Item {
    pub(crate) fn new(wanted: DynamicObject) -> Self {
        Self { wanted, seen: None, refused: None, passing: None, sent: false }
    }

    /// A value below the object as the API server shows it, by JSON pointer.
    #[must_use]
    pub fn value(&self, pointer: &str) -> Option<&Value> {
        self.seen.as_ref()?.data.pointer(pointer)
    }

    /// Whether the condition `Ready` says so of the present generation.
    #[must_use]
    pub fn state(&self) -> State {
        let not_ready = |reason: &str, message: &str| State::NotReady { reason: reason.to_owned(), message: message.to_owned() };
        if let Some(refused) = &self.refused {
            return not_ready("Refused", refused);
        }
        if !self.sent {
            let namespace = self.wanted.namespace().unwrap_or_default();
            return not_ready("AwaitingNamespace", &format!("its home namespace {namespace} is not there"));
        }
        if let (Some(passing), None) = (&self.passing, &self.seen) {
            return not_ready("NotAcceptedYet", passing);
        }
        let conditions = self.value("/status/conditions").and_then(Value::as_array);
        let ready = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
        let Some(ready) = ready else {
            return not_ready("Unseen", "the operator has not looked at it yet");
        };
        let generation = self.seen.as_ref().and_then(|seen| seen.metadata.generation);
        if ready["observedGeneration"].as_i64() != generation {
            return not_ready("Outdated", "the operator has not looked at the last change yet");
        }
        if ready["status"] == "True" {
            return State::Ready;
        }
        not_ready(ready["reason"].as_str().unwrap_or("Unknown"), ready["message"].as_str().unwrap_or_default())
    }

    /// The answer to the write may come after the watch has shown something newer, so an older
    /// generation, or the same one without a status, never replaces what was seen.
    pub(crate) fn see(&mut self, object: DynamicObject) {
        let rank = |object: &DynamicObject| (object.metadata.generation, object.data.pointer("/status/conditions").is_some());
        self.sent = true;
        if self.seen.as_ref().is_none_or(|seen| rank(seen) <= rank(&object)) {
            self.seen = Some(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests;

    fn item(status: &str) -> Item {
        let text =
            format!("apiVersion: govcloud.io/v1alpha1\nkind: AgencyTenant\nmetadata: {{name: a, generation: 2}}\nstatus: {status}\n");
        let object = manifests::parse(&text).unwrap().remove(0);
        Item { wanted: object.clone(), seen: Some(object), refused: None, passing: None, sent: true }
    }

    #[test]
    fn only_a_ready_condition_of_the_present_generation_counts() {
        let reason = |status: &str| match item(status).state() {
            State::Ready => "ready".to_owned(),
            State::NotReady { reason, .. } => reason,
        };
        assert_eq!(reason("{conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}"), "ready");
        assert_eq!(reason("{conditions: [{type: Ready, status: 'True', observedGeneration: 1}]}"), "Outdated");
        assert_eq!(reason("{conditions: [{type: Ready, status: 'False', reason: Waiting, observedGeneration: 2}]}"), "Waiting");
        assert_eq!(reason("{conditions: [{type: Accepted, status: 'True', observedGeneration: 2}]}"), "Unseen");
        assert_eq!(reason("{}"), "Unseen");
    }

    #[test]
    fn an_answer_that_comes_late_does_not_hide_the_status() {
        let mut item = item("{conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}");
        let mut late = item.wanted.clone();
        late.data = serde_json::json!({});
        item.see(late);
        assert_eq!(item.state(), State::Ready);
    }
}
