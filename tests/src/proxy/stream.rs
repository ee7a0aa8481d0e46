//! The body of a watch on its way to the operator: it flows, stalls or ends as the test says.

use std::io;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::sync::watch;

use super::{Asked, fault};

/// How watches end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection breaks.
    Cut,
    /// The API server says that the version is too old to go on from.
    Gone,
}

/// What all watches of a proxy do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watches {
    /// The connection stays, and nothing comes.
    pub stalled: bool,
    /// How many times those that were there have been ended, and how the last time.
    pub ended: (usize, End),
}

impl Default for Watches {
    fn default() -> Self {
        Self { stalled: false, ended: (0, End::Cut) }
    }
}

struct Flow {
    source: BodyDataStream,
    watches: watch::Receiver<Watches>,
    begun: usize,
    asked: Asked,
    over: bool,
}

/// A watch that heeds what the test says.
pub(super) fn watched(body: Body, watches: watch::Receiver<Watches>, asked: Asked) -> Body {
    let begun = watches.borrow().ended.0;
    let flow = Flow { source: body.into_data_stream(), watches, begun, asked, over: false };
    Body::from_stream(stream::unfold(flow, |mut flow| async { flow.next().await.map(|chunk| (chunk, flow)) }))
}

impl Flow {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        while !self.over {
            let now = *self.watches.borrow_and_update();
            if now.ended.0 > self.begun {
                self.over = true;
                return Some(self.end(now.ended.1));
            }
            if now.stalled {
                self.over = self.watches.changed().await.is_err();
                continue;
            }
            tokio::select! {
                chunk = self.source.next() => return chunk.map(|chunk| chunk.map_err(io::Error::other)),
                changed = self.watches.changed() => self.over = changed.is_err(),
            }
        }
        None
    }

    fn end(&self, end: End) -> io::Result<Bytes> {
        match end {
            End::Cut => Err(io::Error::other("cut by the test")),
            End::Gone => Ok(format!("{}\n", json!({ "type": "ERROR", "object": fault::status(410, &self.asked) })).into()),
        }
    }
}
